"""The page at /docs, rendered here from the OpenAPI document: no script, no asset from anywhere."""

from html import escape
from typing import Any

import orjson

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}code,pre{font:14px/1.4 ui-monospace,monospace}
pre{background:#f5f5f5;padding:.75rem;overflow:auto}details{margin:.4rem 0}summary{cursor:pointer}
b{display:inline-block;min-width:4.5rem}td,th{text-align:left;padding:.15rem 1rem .15rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}pre{background:#222}a{color:#9cf}}
"""


def render(document: dict[str, Any]) -> str:
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method.upper(), path, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in groups.items())
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>'
        for name, schema in document["components"]["schemas"].items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title><style>{_STYLE}</style>'
        f"<h1>{escape(info['title'])}</h1><p>Version {escape(info['version'])}. {escape(info['description'])}"
        f' As a file: <a href="/openapi.json">openapi.json</a>.</p>{sections}<h2>schemas</h2>{schemas}</html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    heading = f"<summary><b>{escape(method)}</b> <code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
    parts = [f"<p>{escape(operation['description'])}</p>"]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}<td><code>{_text(each['schema'])}</code>"
            for each in parameters
        )
        parts.append(f"<table><tr><th>Parameter<th>In<th>Schema{rows}</table>")
    if body := operation.get("requestBody"):
        parts.append(f"<p>Takes {_link(body['content']['application/json']['schema'])}</p>")
    for status, answer in operation["responses"].items():
        for media, content in answer["content"].items():
            shown = _link(content["schema"]) if "schema" in content else ""
            parts.append(f"<p>{escape(status)}: <code>{escape(media)}</code> {shown}</p>")
    return f"<details>{heading}{''.join(parts)}</details>"


def _link(schema: dict[str, Any]) -> str:
    name = escape(schema["$ref"].rsplit("/", 1)[1])
    return f'<a href="#{name}"><code>{name}</code></a>'


def _json(value: Any) -> str:
    return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _text(value: Any) -> str:
    return escape(orjson.dumps(value).decode())
