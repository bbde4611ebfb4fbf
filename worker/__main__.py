"""`python -m worker`: what `aaf worker` runs, without the command line's options."""

import sys

from firewall.settings import BadSettings, load
from worker.main import main

if __name__ == "__main__":
    try:
        settings = load()
    except BadSettings as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.exit(main(settings))
