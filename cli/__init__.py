"""The `aaf` command. Commands that start processes compose them here; the others speak to the control API and to nothing else."""
