"""An action in words: `create an issue on octo/hello`.

Made from the vendor's own name for it (`issues/create`, `s3:PutObject`, `chat.postMessage`, `ContainerDelete`) and from what it is
done to. Only a rendering: whoever must be exact reads the name, which stands beside it everywhere.
"""

import re
from collections.abc import Mapping
from typing import Final

from firewall.visible import visible

PLACE: Final = 160
"""Characters."""
PART: Final = 80
NAME: Final = 160
PATH: Final = 120

UNSAID: Final = frozenset({"model", "fields", "tool", "client_id", "scope", "audience"})
"""What is no place: the name says it, or the card."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_VERSION: Final = re.compile(r"v?[0-9]+(?:(?:alpha|beta)[0-9]*)?")
_SAID: Final = """
    accept access ack acknowledge activate add analyze apply approve archive assign associate assume attach authorize batch begin
    block build bulk call cancel capture change check clear clone close comment commit complete configure confirm connect convert
    copy count create deactivate decline decrypt delete deny deploy deregister describe destroy detach disable disassociate dismiss
    download drop edit enable encrypt evaluate exec execute expire export fetch find finalize follow fork generate get grant import
    insert install invite invoke join kick kill launch leave like link list lock login logout lookup mark merge modify move mute new
    open patch pause pin ping poll post preview promote prune publish pull purge push put query read rebuild redeliver refund
    register reject release remove rename render replace reply report request rerun reset resolve restart restore resume retrieve
    revoke rollback rotate run save scale schedule search send set share show sign simulate snooze star start stop submit subscribe
    suspend sync tag terminate test transfer translate trigger unarchive unassign unblock undelete unfollow uninstall unlink unlock
    unmute unpin unpublish unstar unsubscribe unsuspend untag update upgrade upload upsert validate verify view void watch write
"""
_VERBS: Final = frozenset(_SAID.split())
_MAKING: Final = frozenset(
    {"add", "create", "generate", "import", "insert", "invite", "list", "open", "post", "register", "request", "search", "send"}
    | {"start", "upload"}
)
"""What these are done to does not exist yet, or is more than one thing: it is done on a place, not to it."""
_LISTING: Final = frozenset({"count", "describe", "find", "list", "query", "search"})
_PREPOSITIONS: Final = frozenset({"as", "at", "by", "for", "from", "in", "of", "on", "to", "using", "with"})
_NOUNS: Final = {
    "repo": "repository", "repos": "repositories", "org": "organization", "orgs": "organizations", "pulls": "pull requests",
    "pull": "pull request", "config": "configuration", "db": "database",
}  # fmt: skip
_DROPPED: Final = {"kubernetes": frozenset({"core", "namespaced", "apps"})}
_PACKAGES: Final = frozenset({"npm", "pypi", "oci", "go", "cargo", "maven", "nuget", "gem"})
_PACKAGE_WORDS: Final = {
    "metadata": "look up",
    "simple": "look up",
    "json": "look up",
    "index": "look up",
    "list": "list versions of",
}


def phrase(
    *, service: str, operation: str, kind: str, resource: Mapping[str, str], method: str, path: str, source: str = "proxy"
) -> str:
    """What is done, as it follows `wants to` or stands alone. At most 400 characters, without anything hidden."""
    where = place(resource)
    if service == "http" or (kind == "unknown" and source == "proxy"):
        return f"send {visible(method, 20)} {visible(path, PATH)}"
    if service == "git":
        return _git(operation, resource)
    if service in _PACKAGES:
        verb = _PACKAGE_WORDS.get(operation, operation.replace("-", " ") or "call")
        return f"{visible(verb, PART)} {where}".strip()
    name = visible(operation, NAME)
    if service == "grpc" or source == "api":
        return f"call {name}" if service == "grpc" else f"run {visible(service, PART)}:{name}"
    if service == "mcp" and operation.startswith("tools/call:"):
        return f"call the tool {visible(operation.removeprefix('tools/call:'), NAME)}"
    if service == "oauth" and operation.startswith("token"):
        return f"ask for a credential by {visible(operation.removeprefix('token/'), NAME)}"
    if " " in operation:  # METHOD template
        return f"send {name}"
    return _words(service, operation, where) or f"call {name}{_on(where)}"


def place(resource: Mapping[str, str]) -> str:
    """What it is done to: `octo/hello#5`, `left-pad 1.3.0`; empty where nothing says so."""
    if "package" in resource:
        shown = " ".join(visible(resource[name], PART) for name in ("package", "version") if resource.get(name))
    elif "repository" in resource:
        shown = visible(resource["repository"], PLACE)
    elif "service" in resource and "method" in resource:
        shown = ""
    else:
        shown = ""
        for name, value in list(resource.items())[:6]:
            if name not in UNSAID and value:
                shown += ("#" if name.endswith("number") else "/" if shown else "") + visible(value, PART)
    return _cut(shown, PLACE)


def title(*, name: str, resource: Mapping[str, str], host: str, path: str) -> str:
    """One line that names it: `github:issues/create on octo/hello`."""
    shown = visible(name, NAME)
    where = place(resource)
    if not where and name.startswith("http:"):
        where = visible(host, PART) + visible(path, PATH)
    return shown + _on(where)


def _cut(shown: str, limit: int) -> str:
    """Of what is visible already, without tearing a name of a character."""
    if len(shown) <= limit:
        return shown
    kept = shown[: limit - 1]
    return (kept if kept.count("⟦") == kept.count("⟧") else kept.rpartition("⟦")[0]) + "…"


def _on(where: str) -> str:
    return f" on {where}" if where else ""


def _git(operation: str, resource: Mapping[str, str]) -> str:
    where = place(resource)
    match operation:
        case "fetch":
            return f"fetch from {where}"
        case "push" if resource.get("refs"):
            refs = [ref.removeprefix("refs/heads/") for ref in resource["refs"].split(",")]
            more = f" and {len(refs) - 2} more" if len(refs) > 2 else ""
            return f"push {', '.join(visible(ref, PART) for ref in refs[:2])}{more} to {where}"
        case "push":
            return f"push to {where}"
        case "lfs-download":
            return f"download large files from {where}"
        case "lfs-upload":
            return f"upload large files to {where}"
        case _:
            return f"call {visible(operation, NAME)} on {where}"


def _words(service: str, operation: str, where: str) -> str:
    """Empty where the name tells no verb."""
    *nouns, last = [part for part in re.split(r"[/.:]", operation[:NAME]) if part] or [""]
    dropped = _DROPPED.get(service, frozenset[str]())
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in _WORD.findall(last)]
    words = [word for word in words if not _VERSION.fullmatch(word) and word not in dropped and word != "v"]
    if words and words[0] in _VERBS:
        verb, what = words[0], words[1:]
    elif words and words[-1] in _VERBS:
        verb, what = words[-1], words[:-1]
    elif words and nouns and nouns[-1].lower() in _VERBS:
        verb, what, nouns = nouns[-1].lower(), words, nouns[:-1]
    else:
        return ""
    if len(what) > 1 and what[0] in ("or", "and") and what[1] in _VERBS:
        verb, what = f"{verb} {what[0]} {what[1]}", what[2:]
    if verb == "new":
        verb = "create"
    if service == "stripe" and verb == "post":
        verb = "create" if what == _once(what) else "update"
    what = _once(what)
    tail: list[str] = []
    if not what or what[0] in _PREPOSITIONS:
        tail, what = what, _noun(nouns)
        if what and verb not in _LISTING:
            what = [*what[:-1], _one(what[-1])]
    elif service == "stripe" and verb == "create":
        what = [*what[:-1], _one(what[-1])]
    what = [_NOUNS.get(word, word) for word in what]
    return _joined(verb, what, tail, where)


def _joined(verb: str, what: list[str], tail: list[str], where: str) -> str:
    thing = " ".join(what)
    behind = (" " + " ".join(tail)) if tail else ""
    if not thing:
        return f"{verb}{behind}{_on(where)}"
    if _is_plural(thing) or verb in _LISTING:
        more = "s" if verb == "list" and not _is_plural(thing) else ""
        return f"{verb} {thing}{more}{_on(where) or behind}"
    if where and verb.split()[0] not in _MAKING:
        return f"{verb} the {thing} {where}"
    article = "an" if re.match(r"(?!us|uni|eu|one)[aeiou]", thing, re.IGNORECASE) else "a"
    return f"{verb} {article} {thing}{_on(where) or behind}"


def _noun(nouns: list[str]) -> list[str]:
    """The last of what stands before the verb; with what it belongs to, if that is all."""
    parts = [[word.lower() for word in _WORD.findall(noun)] for noun in nouns]
    chosen = parts if len(parts) <= 2 else parts[-1:]
    return [word for part in chosen for word in part if not _VERSION.fullmatch(word)]


def _once(words: list[str]) -> list[str]:
    """`customers customer` → `customer`."""
    return [word for place, word in enumerate(words) if words[place + 1 : place + 2] != [_one(word)] or _one(word) == word]


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "status"))


def _one(word: str) -> str:
    word = _NOUNS.get(word, word)
    if not _is_plural(word):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]
