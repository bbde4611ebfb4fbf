"""Slack's Web API: every method answers to GET and to POST, so that a method which the catalog does not have may do anything, by
GET too. Names and kinds are the catalog's (`facts/slack.facts`).

Source: Slack, "Using the Slack Web API": arguments in the query, in a form, or as JSON.
"""

import re
from dataclasses import replace

from firewall.action import Kind
from firewall.classify.catalog.operation import meaning_of
from firewall.classify.meaning import Meaning, Subject

SERVICE = "slack"
HOSTS = frozenset({"slack.com", "slack-gov.com"})
_ENDS = tuple("." + host for host in HOSTS)
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")
_READABLE = frozenset({"application/x-www-form-urlencoded", "application/json", "multipart/form-data"})

_CHANNELS = """
    chat.postMessage chat.update chat.delete chat.postEphemeral chat.meMessage chat.scheduleMessage
    chat.deleteScheduledMessage chat.getPermalink conversations.archive conversations.history conversations.info
    conversations.invite conversations.join conversations.kick conversations.leave conversations.mark conversations.members
    conversations.rename conversations.replies conversations.setPurpose conversations.setTopic conversations.unarchive
    pins.add pins.list pins.remove
"""
IN_A_CHANNEL = frozenset(_CHANNELS.split())
"""Methods that need a `channel`. Of others it says nothing: Slack would not look at it."""
VALUE = 100


class Slack:
    def wants_body(self, head: Subject) -> bool:
        request = head.request
        return request.method == "POST" and _at_slack(request.host) and _name(head) in IN_A_CHANNEL and head.media_type in _READABLE

    def __call__(self, subject: Subject) -> Meaning | None:
        request = subject.request
        if not _at_slack(request.host) or request.segments[0].lower() != "api":
            return None
        names = frozenset(name.lower() for name, _ in request.headers)
        found = meaning_of(subject.known, request.host, request.method, request.segments, request.query, names)
        if found is None:
            name = _name(subject)
            return Meaning(service=SERVICE, operation=name if _METHOD.fullmatch(name) else "unknown", kind=Kind.UNKNOWN)
        if found.service == SERVICE and found.operation in IN_A_CHANNEL:
            channel = _channel(subject)
            return found if channel is None else replace(found, resource={**found.resource, "channel": channel})
        return found


def _at_slack(host: str) -> bool:
    return host in HOSTS or host.endswith(_ENDS)


def _name(subject: Subject) -> str:
    return "/".join(subject.request.segments[1:])


def _channel(subject: Subject) -> str | None:
    """The one channel that the request names; None where it names none, or two."""
    given = [value for name, value in subject.query if name == "channel"]
    content = subject.content
    if content.problem:
        return None
    given += [value for name, value in content.form or () if name == "channel"]
    if isinstance(content.json, dict) and "channel" in content.json:
        given.append(content.json["channel"])
    found = given[0] if len(given) == 1 else None
    return found if isinstance(found, str) and 0 < len(found) <= VALUE else None
