"""Requests for inference, beyond the operation's name: the model, the tools that are offered to it, and what the provider will do
on the agent's behalf where no firewall sees it (web search, remote MCP servers, code, addresses that it fetches)."""

from dataclasses import replace
from typing import Final

from firewall.action import Kind, stricter_kind
from firewall.classify.content_type import Unreadable
from firewall.classify.llm_body import Inference, read_inference, worth_a_walk
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.naming import cut
from firewall.globs import host_pattern

HOSTS: Final = (
    "api.openai.com",
    "*.api.openai.com",
    "*.openai.azure.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "aiplatform.googleapis.com",
    "*-aiplatform.googleapis.com",
    "aiplatform.*.rep.googleapis.com",
)
_HOSTS: Final = host_pattern(HOSTS)
DIALECTS: Final = ("openai", "anthropic", "gemini")
"""Where the operator says that these are spoken (`dialects`), bodies are read too."""


def wants_body(head: Subject) -> bool:
    request = head.request
    if request.method != "POST" or head.media_type.startswith("multipart/"):
        return False
    if _HOSTS.fullmatch(request.host) is not None:
        return True
    return bool(head.known.speakers) and any(head.known.speaks(dialect, request.host) for dialect in DIALECTS)


def enrich(subject: Subject, meaning: Meaning) -> Meaning:
    """`meaning`, with what the body says; never milder."""
    if not subject.request.body or not wants_body(subject):
        return meaning
    content = subject.content
    problem = content.problem
    if not problem and isinstance(content.json, dict):
        try:
            return _told(meaning, read_inference(content.json, talk=worth_a_walk(content.data)))
        except Unreadable as error:
            problem = str(error)
    return replace(meaning, kind=Kind.UNKNOWN, details={**meaning.details, "problem": cut(problem, 300)}) if problem else meaning


def _told(meaning: Meaning, inference: Inference) -> Meaning:
    said = {"model": inference.model, "tools": cut(", ".join(inference.tools), 500)}
    resource = {**meaning.resource}
    if inference.model:
        resource.setdefault("model", inference.model)
    return replace(
        meaning,
        kind=stricter_kind(meaning.kind, Kind.EXECUTE) if inference.acts else meaning.kind,
        resource=resource,
        details={**meaning.details, **{name: text for name, text in said.items() if text}},
        destinations=(*meaning.destinations, *inference.destinations),
    )
