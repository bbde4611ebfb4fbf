"""What is read of the state in memory: approvals, agents, policy revisions."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from firewall.approval import Approval, State
from firewall.backends.memory.state import Memory
from firewall.egress import Destinations
from firewall.ids import ApprovalId
from firewall.ports import Credential


class MemoryApprovals:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get(self, approval_id: ApprovalId) -> Approval | None:
        return self._memory.approvals.get(approval_id)

    async def states(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, State]:
        now, approvals = self._memory.clock(), self._memory.approvals
        return {each: approvals[each].state_at(now) for each in ids if each in approvals}


class MemoryAgents:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def known(self, name: str, token: str) -> Credential | None:
        found = self._live(token)
        return found if found is not None and name in (found.agent.name, found.agent.id) else None

    def is_live(self, credential: Credential) -> bool:
        current = self._memory.credentials.get(credential.token_hash)
        return current is not None and current.token_id == credential.token_id and current.live_at(self._memory.clock())

    async def find(self, name: str, token: str) -> Credential | None:
        return self.known(name, token)

    async def holder(self, token: str) -> Credential | None:
        return self._live(token)

    def on_change(self, callback: Callable[[], None]) -> None:
        self._memory.callbacks.append(callback)

    def _live(self, token: str) -> Credential | None:
        found = self._memory.credentials.get(hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest())
        return found if found is not None and found.live_at(self._memory.clock()) else None


class MemoryRevisions:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @property
    def active(self) -> str | None:
        return self._memory.active

    def kept(self, revision: str) -> Destinations | None:
        return self._memory.policies.get(revision)

    async def find(self, revision: str) -> Destinations | None:
        return self._memory.policies.get(revision)
