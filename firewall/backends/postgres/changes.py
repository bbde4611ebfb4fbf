"""Changes of state as the JSON objects that `aaf.apply_change` reads (migrations/0002_changes.sql)."""

from typing import Any, assert_never

import orjson

from firewall.catalogs import AddCatalog, RemoveCatalog
from firewall.ids import to_uuid
from firewall.ports import (
    ActivatePolicy,
    AddToken,
    CastVote,
    Change,
    ClaimKey,
    CreateAgent,
    CreateKey,
    DisableAgent,
    ExpireApproval,
    OpenApproval,
    RevokeKey,
    RevokeToken,
    SpendGrant,
)
from firewall.seal import Sealer

SUMMARY = "approval-summary"


def digest_bytes(digest: str) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))


def _uuid(identifier: str) -> str:
    return str(to_uuid(identifier))


def encode(change: Change, sealer: Sealer) -> dict[str, Any]:
    match change:
        case OpenApproval():
            summary = sealer.seal(SUMMARY, change.approval_id, orjson.dumps(dict(change.summary)))
            return {
                "change": "open_approval",
                "approval_id": _uuid(change.approval_id),
                "action_id": _uuid(change.action_id),
                "agent_id": _uuid(change.agent_id),
                "digest": digest_bytes(change.digest).hex(),
                "agent": change.agent,
                "name": change.name,
                "kind": change.kind,
                "risk": change.risk,
                "method": change.method,
                "host": change.host,
                "reason": change.reason,
                "rules": list(change.rules),
                "revision": change.revision,
                "quorum": change.terms.quorum,
                "approvers": list(change.terms.approvers),
                "expires_in": change.terms.expires_in,
                "grant_for": change.terms.grant_for,
                "waits": change.waits,
                "holds_limit": change.holds_limit,
                "sealed": summary.hex(),
            }
        case SpendGrant():
            return {
                "change": "spend_grant",
                "approval_id": _uuid(change.approval_id),
                "action_id": _uuid(change.action_id),
                "agent_id": _uuid(change.agent_id),
                "digest": digest_bytes(change.digest).hex(),
                "revision": change.revision,
            }
        case CastVote():
            return {
                "change": "cast_vote",
                "approval_id": _uuid(change.approval_id),
                "voter_id": change.voter_id,
                "voter": change.voter,
                "choice": change.choice.value,
                "comment": change.comment,
            }
        case ExpireApproval():
            return {"change": "expire_approval", "approval_id": _uuid(change.approval_id)}
        case CreateAgent():
            return {
                "change": "create_agent",
                "agent_id": _uuid(change.agent_id),
                "name": change.name,
                "token_id": _uuid(change.token_id),
                "token_hash": change.token_hash.hex(),
                "hold_seconds": change.hold_seconds,
            }
        case AddToken():
            return {
                "change": "add_token",
                "agent_id": _uuid(change.agent_id),
                "token_id": _uuid(change.token_id),
                "token_hash": change.token_hash.hex(),
                "expires_at": change.expires_at,
                "revoke_others": change.revoke_others,
            }
        case RevokeToken():
            return {"change": "revoke_token", "agent_id": _uuid(change.agent_id), "token_id": _uuid(change.token_id)}
        case DisableAgent():
            return {"change": "disable_agent", "agent_id": _uuid(change.agent_id)}
        case CreateKey():
            return {
                "change": "create_key",
                "key_id": _uuid(change.key_id),
                "name": change.name,
                "role": change.role,
                "key_hash": change.key_hash.hex(),
                "expires_at": change.expires_at,
            }
        case RevokeKey():
            return {"change": "revoke_key", "key_id": _uuid(change.key_id)}
        case ActivatePolicy():
            return {
                "change": "activate_policy",
                "revision": change.revision,
                "document": change.document,
                "data": dict(change.data),
                "author": change.author,
                "message": change.message,
            }
        case ClaimKey():
            return {
                "change": "claim_key",
                "agent_id": _uuid(change.agent_id),
                "key": change.key,
                "params_hash": change.params_hash.hex(),
                "action_id": _uuid(change.action_id),
            }
        case AddCatalog():
            return {
                "change": "add_catalog",
                "catalog_id": _uuid(change.catalog_id),
                "service": change.service,
                "revision": change.revision,
                "facts": change.facts,
                "hosts": list(change.hosts),
                "operations": change.operations,
                "by": change.by,
                "count_limit": change.count_limit,
                "bytes_limit": change.bytes_limit,
            }
        case RemoveCatalog():
            return {"change": "remove_catalog", "service": change.service, "revision": change.revision, "by": change.by}
        case _:
            assert_never(change)
