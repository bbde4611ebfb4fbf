"""Who asks: a person by an API key, an agent by its token, an OPA by the bundle token, or nobody."""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from control_api.faults import NoCredential
from firewall.ids import AgentId, KeyId
from firewall.ports import Agent, Credential, Holders
from firewall.reads import Reads

CREDENTIAL_LENGTH = 512


class Role(StrEnum):
    ADMIN = "admin"
    APPROVER = "approver"
    AUDITOR = "auditor"
    VIEWER = "viewer"
    AGENT = "agent"
    BUNDLE = "bundle"
    NOBODY = "nobody"


PEOPLE = frozenset({Role.ADMIN, Role.APPROVER, Role.AUDITOR, Role.VIEWER})
EVERYONE = frozenset(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """`name`: the person's or the agent's. `key_id`, `key_hash`: a person's API key; `credential`: an agent's token."""

    role: Role
    name: str = ""
    key_id: KeyId | None = None
    key_hash: bytes = b""
    credential: Credential | None = None

    @property
    def agent(self) -> Agent | None:
        return None if self.credential is None else self.credential.agent

    @property
    def agent_id(self) -> AgentId | None:
        return None if self.credential is None else self.credential.agent.id


NOBODY = Caller(role=Role.NOBODY)


class Door:
    """Looks every credential up afresh, so that a revoked or expired one ends at once."""

    def __init__(self, reads: Reads, agents: Holders, bundle_token: str) -> None:
        self._reads = reads
        self._agents = agents
        self._bundle_token = bundle_token.encode()

    async def identify(self, request: web.Request) -> Caller:
        """Raises NoCredential for a wrong one, LedgerUnavailable when it cannot be looked up."""
        headers = request.headers
        named = [name for name in ("Authorization", "X-Agent-Id", "X-Agent-Key") if name in headers]
        if not named:
            return NOBODY
        if any(len(headers.getall(name)) > 1 or len(headers[name]) > CREDENTIAL_LENGTH for name in named):
            raise refused("send one credential, once")
        if "Authorization" in headers:
            if len(named) > 1:
                raise refused("send a key or an agent's credential, not both")
            return await self._bearer(headers["Authorization"])
        name, token = headers.get("X-Agent-Id", ""), headers.get("X-Agent-Key", "")
        credential = await self._agents.find(name, token) if name and token else None
        return self._agent(credential, "the agent's credential is unknown, revoked or expired")

    async def is_live(self, caller: Caller) -> bool:
        """Whether a credential that was good still is: asked again while an answer goes on."""
        if caller.key_id is not None:
            return await self._reads.key(caller.key_hash) is not None
        return caller.credential is None or self._agents.is_live(caller.credential)

    async def _bearer(self, header: str) -> Caller:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise refused("the scheme is Bearer")
        secret = token.strip().encode("utf-8", "surrogateescape")
        if hmac.compare_digest(secret, self._bundle_token):
            return Caller(role=Role.BUNDLE, name="opa")
        key_hash = hashlib.sha256(secret).digest()
        key = await self._reads.key(key_hash)
        if key is not None:
            return Caller(role=Role(key.role), name=key.name, key_id=key.id, key_hash=key_hash)
        return self._agent(await self._agents.holder(token.strip()), "the key is unknown, revoked or expired")

    def _agent(self, credential: Credential | None, otherwise: str) -> Caller:
        if credential is None or not self._agents.is_live(credential):
            raise refused(otherwise)
        return Caller(role=Role.AGENT, name=credential.agent.name, credential=credential)


def refused(detail: str) -> NoCredential:
    return NoCredential(detail, headers={"WWW-Authenticate": 'Bearer realm="aaf"'})
