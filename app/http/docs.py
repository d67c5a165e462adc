"""``/docs``: the OpenAPI document as one self-contained page, without scripts, fonts or anything from a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .4rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4.5rem; }
code, pre { font: .9em/1.4 ui-monospace, monospace; }
pre { overflow: auto; max-height: 24rem; padding: .6rem; background: #8882; border-radius: .3rem; }
table { border-collapse: collapse; } td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
"""


def render(document: dict[str, Any]) -> str:
    """Write the page."""
    title = escape(document["info"]["title"])
    body = "\n".join([*_operations(document), "<h2>Schemas</h2>", *_schemas(document)])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{title} {escape(document['info']['version'])}</h1><p>{escape(document['info'].get('summary', ''))}"
        f' The document itself: <a href="openapi.json">openapi.json</a>.</p>{body}</html>'
    )


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation.get("tags", ()):
                    yield _operation(method, path, operation, document)


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<p>{_prose(operation.get('description', ''))}</p>", _parameters(operation.get("parameters", []))]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        parts.append(f"<h4>Body: {_link(body['schema'])}</h4>{_examples(body['schema'], document)}")
    parts.append(_responses(operation["responses"]))
    title = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
    name = escape(operation["operationId"])
    return f'<details id="{name}"><summary>{title}</summary>{"".join(parts)}</details>'


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{_prose(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    return f"<h4>Parameters</h4><table>{rows}</table>" if rows else ""


def _responses(responses: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(one['description'])}</td><td>{_schema_of(one)}</td></tr>"
        for status, one in sorted(responses.items())
    )
    return f"<h4>Answers</h4><table>{rows}</table>"


def _schema_of(response: dict[str, Any]) -> str:
    first: dict[str, Any] = next(iter(response.get("content", {}).values()), {})
    return _link(first.get("schema", {}))


def _link(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else ""


def _examples(schema: dict[str, Any], document: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    examples = document["components"]["schemas"].get(name, {}).get("examples", [])
    return "".join(f"<pre>{escape(json.dumps(one, indent=1))}</pre>" for one in examples)


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        text = escape(json.dumps(schema, indent=1, ensure_ascii=False))
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>'


def _prose(text: str) -> str:
    """Text with its `code` set as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
