"""What a request for inference makes its provider do (OpenAI's, Anthropic's and Gemini's request bodies, as of November 2026).

One reader for all three, because providers host each other's models and many servers speak OpenAI's form. A tool that is not known
here is taken for one that the provider runs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from firewall.classify.content_json import refuse_lookalikes
from firewall.classify.content_type import Unreadable
from firewall.classify.naming import cut

LISTED: Final = 50
"""Destinations of one request; where there are more, the last says so."""
MORE: Final = "provider:more"

CLIENTS: Final = re.compile(
    r"(?:bash|text_editor|computer|memory)_\d{8}|computer_use_preview|computer|local_shell|apply_patch|function|custom"
)
"""Types of tools that the agent runs itself: the provider only offers them to the model."""
INERT: Final = frozenset(
    {"file_search", "image_generation", "tool_search", "tool_search_tool_regex", "tool_search_tool_bm25", "namespace"}
)
"""What a provider runs without leaving its own house."""

_DATE = re.compile(r"_(?:20\d{6}|preview)(?:_20\d\d_\d\d_\d\d)?$")
_SEARCHES = re.compile(r"search-preview|search-api|deep-research|(?:^|/)sonar|:online$")
"""Models that search by themselves."""
_FETCHED = re.compile(r"(?:https?|ftp|gs|s3|wss?)://", re.IGNORECASE)
_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")

_MEMBERS: Final = ("model", "tools", "mcp_servers", "web_search_options", "messages", "input", "contents", "prompt")
_TALK: Final = frozenset({"messages", "input", "contents", "content", "system", "systemInstruction", "system_instruction"})
"""Members that hold what was said."""
_USES: Final = ("tool_use", "server_tool_use", "mcp_tool_use")
"""Parts of a conversation whose `input`, an object, is the model's words."""
_OPAQUE: Final = frozenset(
    {
        "parameters", "input_schema", "inputSchema", "output_schema", "schema", "json_schema", "responseSchema", "response_schema",
        "args", "arguments", "metadata", "functionResponse", "function_response", "annotations", "citations", "text", "data",
    }
)  # fmt: skip
"""Members whose content the provider hands on without looking."""
_STORED: Final = {
    "web_search_options": "web_search",
    "search_parameters": "web_search",
    "assistant_id": "assistant",
    "container": "container",
    "cachedContent": "cached_content",
    "cached_content": "cached_content",
    "input_file_id": "batch",
    "environment_id": "environment",
    "connector_id": "connector",
}
"""Members that make the provider do what this request does not spell out → what they are cut as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """`model`: empty where none is named. `tools`: names offered to the model. `runs`: what the provider itself runs, as
    `provider:web_search`. `fetches`: addresses it will contact, without query."""

    model: str = ""
    tools: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    fetches: tuple[str, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether the provider acts on the agent's behalf beyond answering."""
        return any(label.removeprefix("provider:") not in INERT for label in self.runs)

    @property
    def destinations(self) -> tuple[str, ...]:
        listed = (*self.runs, *self.fetches)
        return listed if len(listed) <= LISTED else (*listed[: LISTED - 1], MORE)


def worth_a_walk(data: bytes) -> bool:
    """Whether what was said in a conversation can hold an address or a tool, by the names of the members in its JSON text."""
    addresses = b'rl"' in data or b'ri"' in data  # how all of their names end
    return addresses or b"\\u" in data or b'definition"' in data or data.count(b'tools"') > 1


def read_inference(body: Mapping[str, Any], *, talk: bool = True) -> Inference:
    """`talk` false: what was said is not looked through (`worth_a_walk`). Raises Unreadable for names that a server may read as
    others."""
    refuse_lookalikes(body, _MEMBERS)
    tools, runs, fetches = dict[str, None](), dict[str, None](), dict[str, None]()
    model = body.get("model")
    if isinstance(model, str) and _SEARCHES.search(model):
        runs["provider:web_search"] = None
    for name, value in _found(body, talk):
        if name == "tool":
            tools[cut(value, 64)] = None
        elif name == "run":
            runs[f"provider:{cut(value, 64)}"] = None
        else:
            fetches[_address(value)] = None
    return Inference(
        model=cut(model, 128) if isinstance(model, str) else "",
        tools=tuple(tools),
        runs=tuple(sorted(runs)),
        fetches=tuple(sorted(fetches)),
    )


def _found(body: Mapping[str, Any], all_of_it: bool) -> Iterator[tuple[str, str]]:
    """(`tool`, its name), (`run`, what), (`fetch`, address). The document is no deeper and no wider than `content_json` allows."""
    pending: list[tuple[Any, bool]] = [(body, False)]
    while pending:
        value, talk = pending.pop()
        if isinstance(value, list):
            pending += [(item, talk) for item in value if isinstance(item, dict | list)]
            continue
        kind = value.get("type")
        if kind == "url" and isinstance(value.get("url"), str):
            yield "fetch", value["url"]
        elif kind == "tool_definition":
            yield from _tool(value.get("definition"))
        for name, member in value.items():
            if name == "tools" and isinstance(member, list):  # some may join in the midst of a conversation
                for tool in member:
                    yield from _tool(tool)
            elif not talk:
                yield from _member(name, member)
            if isinstance(member, str):
                if name.endswith(("_url", "_uri", "Uri", "Url")) and _FETCHED.match(member):
                    yield "fetch", member
            elif isinstance(member, dict | list) and not _passed_on(name, member, kind):
                if name.endswith("_url") and isinstance(member, dict) and isinstance(member.get("url"), str):
                    yield "fetch", member["url"]
                inner = talk or name in _TALK
                if all_of_it or not inner:
                    pending.append((member, inner))


def _passed_on(name: str, member: Any, kind: Any) -> bool:
    """Whether the provider hands this on without looking."""
    return name in _OPAQUE or (name == "input" and kind in _USES and isinstance(member, dict))


def _member(name: str, member: Any) -> Iterator[tuple[str, str]]:
    if member is None or member is False:
        return
    if name in _STORED:
        yield "run", _STORED[name]
    elif name == "prompt" and isinstance(member, dict):
        yield "run", "stored_prompt"
    elif name == "plugins" and isinstance(member, list):
        for plugin in member:
            yield "run", f"plugin:{plugin.get('id', '?') if isinstance(plugin, dict) else '?'}"
    elif name == "mcp_servers":
        yield "run", "mcp"
        for server in member if isinstance(member, list) else ():
            if isinstance(server, dict) and isinstance(server.get("url"), str):
                yield "fetch", server["url"]
    elif name == "functions" and isinstance(member, list):
        yield from (("tool", one["name"]) for one in member if isinstance(one, dict) and isinstance(one.get("name"), str))


def _tool(tool: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(tool, dict):
        raise Unreadable("a tool that is no object")
    refuse_lookalikes(tool, ("type", "name", "server_url", "function"))
    kind = tool.get("type")
    if kind is None:
        yield from _untyped(tool)
    elif not isinstance(kind, str):
        raise Unreadable("a tool whose type is no text")
    elif CLIENTS.fullmatch(kind):
        inner = tool.get(kind)
        name = tool.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or kind
        yield "tool", name if isinstance(name, str) else kind
    else:
        yield "run", _DATE.sub("", kind) if kind != "mcp_toolset" else "mcp"


def _untyped(tool: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Anthropic's own tools have a name; Gemini's say by their one member what they are."""
    if isinstance(tool.get("name"), str):
        yield "tool", tool["name"]
        return
    for name, value in tool.items():
        snake = _SNAKE.sub("_", name).lower()
        if snake == "function_declarations":
            declared = value if isinstance(value, list) else []
            yield from (("tool", one["name"]) for one in declared if isinstance(one, dict) and isinstance(one.get("name"), str))
        elif value is not None:
            yield "run", {"google_search_retrieval": "google_search"}.get(snake, snake)


def _address(text: str) -> str:
    """Scheme, host, port and path: a query may hold a secret, and a policy cannot say anything about it."""
    try:
        url = urlsplit(text.strip())
        host, port = url.hostname or "", url.port
    except ValueError:
        return "provider:unreadable_address"
    if not host or not text.isprintable():
        return "provider:unreadable_address"
    host = f"[{host}]" if ":" in host else host
    return cut(f"{url.scheme}://{host}{'' if port is None else f':{port}'}{url.path}", 200)
