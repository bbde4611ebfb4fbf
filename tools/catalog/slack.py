"""The methods that Slack's SDKs for Node and Python know → facts. Slack answers each by GET and by POST, so the HTTP method says
nothing: what is no reviewed read is a write or a deletion, by GET too (slack-sdk itself sends `dnd.setSnooze` and `emoji.add` so).
"""

import re
from pathlib import Path

from firewall.action import Kind
from firewall.classify.catalog.facts import Facts, Operation, Section
from tools.catalog.packages import Package

PACKAGES = (
    Package(registry="npm", name="@slack/web-api", version="8.2.0"),
    Package(registry="PyPI", name="slack-sdk", version="3.47.0"),
)
HOSTS = ("*.slack-gov.com", "*.slack.com", "slack-gov.com", "slack.com")

_NODE = re.compile(r"bindApiCall\w*\(this, '([^']+)'")
_PYTHON = re.compile(r"self\.api_call\((?:\s|#[^\n]*\n)*\"([^\"]+)\"")
_METHOD = re.compile(r"[a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)+")

_READS = re.compile(
    r"(?:get|list|lookup|search)(?![a-z])|(?:history|info|members|replies|test|validate|identity|userInfo|teamInfo)\Z"
)
_DELETES = re.compile(r"(?:delete|bulkDelete|remove|revoke|uninstall)(?![a-z])")

READS = frozenset(
    """
    apps.manifest.export migration.exchange search.all search.files search.messages team.accessLogs team.billableInfo
    team.integrationLogs users.conversations
    """.split()
)
"""Reads whose last word does not say so."""
WRITES = frozenset(["files.getUploadURLExternal"])
"""Beginnings of something, although their last word says that they read."""


def generate(folder: Path) -> Facts:
    """`folder`: holds both packages, each unpacked as `NAME-VERSION`."""
    node, python = (folder / package.folder for package in PACKAGES)
    names = set(_NODE.findall((node / "dist/methods.js").read_text()))
    names |= set(_PYTHON.findall((python / "slack_sdk/web/client.py").read_text()))
    wrong = [name for name in names if not _METHOD.fullmatch(name)]
    if wrong or len(names) < 300:
        raise ValueError(f"{len(names)} methods, of which these are none: {wrong}")
    operations = tuple(
        Operation(method=method, template=f"/{name}", kind=kind_of(name), operation=name)
        for name in names
        for method in ("GET", "POST")
    )
    return Facts(
        service="slack",
        title="Slack",
        source=", ".join(str(package) for package in PACKAGES),
        date="2026-10-27",
        licence="MIT",
        sections=(Section(hosts=HOSTS, base="/api", operations=operations),),
        selves=("/api",),
    )


def kind_of(name: str) -> Kind:
    last = name.rpartition(".")[2]
    if name in WRITES:
        return Kind.WRITE
    if name in READS or _READS.match(last):
        return Kind.READ
    return Kind.DELETE if _DELETES.match(last) else Kind.WRITE
