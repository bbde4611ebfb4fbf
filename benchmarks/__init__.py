"""What the firewall costs, measured beside stock mitmdump in the same run on the same machine. `make bench`; see `__main__`."""
