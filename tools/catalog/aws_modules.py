"""`python -m tools.catalog.aws_modules`: the tables of hosts and members that `firewall.classify.aws` has beside its facts, written
anew from the botocore that is installed (which the development requirements pin).
"""

from pathlib import Path

import botocore

from tools.catalog.aws_hosts import endpoints
from tools.catalog.aws_members import members

CLASSIFY = Path(__file__).parents[2] / "firewall" / "classify"


def modules() -> dict[Path, str]:
    """File → its text."""
    site, version = Path(botocore.__file__).parents[1], botocore.__version__
    return {CLASSIFY / "aws_endpoints.py": endpoints(site, version), CLASSIFY / "aws_members.py": members(site, version)}


if __name__ == "__main__":
    for path, text in modules().items():
        path.write_text(text)
