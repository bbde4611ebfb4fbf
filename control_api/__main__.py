"""`python -m control_api`: what `aaf api` runs, without the command line's options."""

import sys

from control_api.main import main
from firewall.settings import BadSettings, load

if __name__ == "__main__":
    try:
        settings = load()
    except BadSettings as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.exit(main(settings))
