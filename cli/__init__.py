"""The `aaf` command. Some commands compose processes; the others speak to the control API and to nothing else."""
