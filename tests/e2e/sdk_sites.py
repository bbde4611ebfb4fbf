"""Just enough of the vendors' APIs that their own SDKs are content. Each is a `Site` of `Upstream`, by host."""

from typing import Any

from aiohttp import web

from tests.e2e.upstream import Seen, Site


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


def _xml(body: str) -> web.Response:
    return web.Response(text=f'<?xml version="1.0"?>{body}', content_type="text/xml")


async def github(request: web.Request, seen: Seen) -> web.StreamResponse:
    url = "https://api.github.com/repos/octo/hello"
    repo = {"id": 1, "name": "hello", "full_name": "octo/hello", "url": url, "owner": {"login": "octo"}}
    match request.method, request.path:
        case "POST", "/graphql":
            return _json({"data": {"viewer": {"login": "octo"}}} if b"viewer" in seen.body else {"data": {"done": None}})
        case "POST", _:
            return _json({"number": 1, "title": "It is broken", "url": f"{url}/issues/1"}, 201)
        case "DELETE", _:
            return web.Response(status=204)
        case _, path if "/contents/" in path:
            return _json({"type": "file", "name": "a b.md", "path": "docs/a b.md", "encoding": "base64", "content": ""})
    return _json(repo)


KEY = (
    "<AccessKey><UserName>eve</UserName><AccessKeyId>AKIAEXAMPLEEXAMPLE</AccessKeyId>"
    "<Status>Active</Status><SecretAccessKey>x</SecretAccessKey></AccessKey>"
)


async def aws(request: web.Request, seen: Seen) -> web.StreamResponse:
    if "x-amz-target" in seen.headers or "/functions/" in request.path:
        return _json({})
    if b"CreateAccessKey" in seen.body:
        return _xml(f"<CreateAccessKeyResponse><CreateAccessKeyResult>{KEY}</CreateAccessKeyResult></CreateAccessKeyResponse>")
    if b"TerminateInstances" in seen.body:
        return _xml("<TerminateInstancesResponse/>")
    if request.method == "GET":
        return _xml("<ListBucketResult><Name>backups</Name></ListBucketResult>")
    return web.Response(status=204 if request.method == "DELETE" else 200)


async def stripe(request: web.Request, seen: Seen) -> web.StreamResponse:
    if request.method == "GET":
        return _json({"object": "list", "data": [], "has_more": False, "url": "/v1/customers"})
    return _json({"object": "refund", "id": "re_1"})


async def slack(_request: web.Request, _seen: Seen) -> web.StreamResponse:
    return _json({"ok": True, "channels": []})


async def openai(request: web.Request, _seen: Seen) -> web.StreamResponse:
    if request.path == "/v1/models":
        return _json({"object": "list", "data": []})
    if request.path == "/v1/responses":
        return _json({"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-x", "output": [], "tools": [],
                      "parallel_tool_calls": True, "tool_choice": "auto"})  # fmt: skip
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    return _json({"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-x", "choices": [choice]})


async def anthropic(request: web.Request, _seen: Seen) -> web.StreamResponse:
    if request.path.endswith("count_tokens"):
        return _json({"input_tokens": 1})
    return _json({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
                  "usage": {"input_tokens": 1, "output_tokens": 1}})  # fmt: skip


async def google(request: web.Request, _seen: Seen) -> web.StreamResponse:
    return web.Response(status=204) if request.method == "DELETE" else _json({})


SITES: dict[str, Site] = {
    "api.github.com": github,
    "backups.s3.eu-west-1.amazonaws.com": aws,
    "dynamodb.eu-west-1.amazonaws.com": aws,
    "ec2.eu-west-1.amazonaws.com": aws,
    "iam.amazonaws.com": aws,
    "sqs.eu-west-1.amazonaws.com": aws,
    "lambda.eu-west-1.amazonaws.com": aws,
    "api.stripe.com": stripe,
    "slack.com": slack,
    "www.slack.com": slack,
    "api.openai.com": openai,
    "api.anthropic.com": anthropic,
    "storage.googleapis.com": google,
    "sheets.googleapis.com": google,
}
