"""``/docs``: the OpenAPI document as one self-contained page, with nothing from a network.

Everything can be read without its script, which searches, writes samples and sends requests to where the page is from.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, Final

Schema = dict[str, Any]
STYLE: Final = Path(__file__).with_suffix(".css").read_text()
SCRIPT: Final = Path(__file__).with_suffix(".js").read_text()
JSON: Final = "application/json"
WIDE: Final = 90  # characters of JSON that stay on one line
LANGUAGES: Final = ("curl", "Python", "JavaScript", "Go")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def policy(style: str, script: str = "") -> dict[str, str]:
    """Return what a page with this style and this script may do: nothing else, and ask nobody but this service."""
    allowed = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self'"
    return {"Content-Security-Policy": f"{allowed}; img-src data:; base-uri 'none'; form-action 'none'"}


HEADERS: Final = policy(STYLE, SCRIPT)


def render(document: Schema) -> str:
    """Write the page."""
    return "".join(_Page(document).lines())


class _Page:
    """One page of one document."""

    def __init__(self, document: Schema) -> None:
        self.document = document
        self.info: Schema = document["info"]
        self.schemas: Schema = document["components"]["schemas"]
        self.headers: Schema = document["components"]["headers"]
        self.examples: Schema = document["components"]["examples"]

    def lines(self) -> Iterator[str]:
        """Yield the page."""
        title = escape(self.info["title"])
        yield (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
            f"<style>{STYLE}</style></head><body>"
        )
        yield from self._menu()
        yield f"<main><h1>{title} <small>{escape(self.info['version'])}</small></h1>"
        yield f"<p><b>{escape(self.info.get('summary', ''))}</b></p>"
        for paragraph in self.info.get("description", "").split("\n\n"):
            yield f"<p>{_prose(paragraph)}</p>"
        yield '<p>The document itself: <a href="openapi.json">openapi.json</a>.</p>'
        for tag in self.document["tags"]:
            items = "".join(self._operation(*one) for one in self._operations(tag["name"]))
            yield f'<section data-group><h2 id="tag-{tag["name"]}">{escape(tag["name"])}</h2>'
            yield f"<p>{_prose(tag['description'])}</p>{items}</section>"
        yield '<section data-group><h2 id="schemas">Schemas</h2>'
        for name, schema in self.schemas.items():
            body = f"<p>{_prose(schema.get('description', ''))}</p>{self._shape(schema)}{_samples(schema)}"
            yield _item(f"schema-{name}", f"<code>{escape(name)}</code>", body, name)
        yield f"</section></main><script>{SCRIPT}</script></body></html>"

    def _operations(self, tag: str) -> Iterator[tuple[str, str, Schema]]:
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                if tag in operation.get("tags", ()):
                    yield method, path, operation

    def _menu(self) -> Iterator[str]:
        yield (
            '<nav><div class="settings"><label>Search <input id="search" type="search" placeholder="press /"></label>'
            '<label>API key <input id="key" autocomplete="off" placeholder="if the service asks for it">'
            '</label></div><p id="none" class="faint" hidden>Nothing has these words.</p><div class="places">'
        )
        for tag in self.document["tags"]:
            yield f"<div data-group><h2>{escape(tag['name'])}</h2><ul>"
            for method, path, operation in self._operations(tag["name"]):
                words = _words(method, path, operation)
                verb = f'<b class="verb {method}">{method.upper()}</b>'
                link = f'<a href="#{operation["operationId"]}">{verb}<span>{escape(operation["summary"])}</span></a>'
                yield f'<li data-words="{words}">{link}</li>'
            yield "</ul></div>"
        yield "<div data-group><h2>schemas</h2><ul>"
        for name in self.schemas:
            link = f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
            yield f'<li data-words="{escape(name.lower())}">{link}</li>'
        yield "</ul></div></div></nav>"

    def _operation(self, method: str, path: str, operation: Schema) -> str:
        answered = operation["responses"].get("201", {}).get("content", {}).get(JSON, {}).get("schema", {})
        opens = ' data-opens="1"' if answered == {"$ref": "#/components/schemas/SessionHead"} else ""
        title = (
            f'<b class="verb {method}">{method.upper()}</b><code>{escape(path)}</code>'
            f"<span>{escape(operation['summary'])}</span>"
        )
        tabs = "".join(f'<button type="button" data-language="{name}">{name}</button>' for name in LANGUAGES)
        body = (
            f"<p>{_prose(operation.get('description', ''))}</p>"
            f'<form data-method="{method.upper()}" data-path="{escape(path)}"{opens}>'
            f"{self._parameters(operation.get('parameters', []))}{self._body(operation.get('requestBody'))}"
            f'<div class="tools"><button class="send">Send</button>{tabs}'
            '<button type="button" data-copy>Copy</button></div>'
            f'<pre class="sample">{escape(f"{method.upper()} {path}")}</pre><div class="answer" hidden></div></form>'
            f"{self._answers(operation['responses'])}"
        )
        return _item(operation["operationId"], title, body, _words(method, path, operation))

    def _parameters(self, parameters: list[Schema]) -> str:
        rows = "".join(
            f"<tr><td><code>{escape(one['name'])}</code>{_mark(one.get('required', False))}"
            f'<div class="faint">{one["in"]}, {self._type(one["schema"])}</div></td>'
            f"<td>{self._field(one)}</td><td>{_prose(one.get('description', ''))}{_limits(one['schema'])}</td></tr>"
            for one in parameters
        )
        return f"<h3>Parameters</h3><div class=scroll><table>{rows}</table></div>" if rows else ""

    def _field(self, parameter: Schema) -> str:
        """Return what a value is typed into, or chosen from."""
        schema = self._resolved(parameter["schema"])
        name = f'name="{escape(parameter["name"])}" data-in="{parameter["in"]}"'
        name += f' aria-label="{escape(parameter["name"])}"'
        if "enum" in schema:
            options = "".join(f"<option>{escape(str(value))}</option>" for value in ["", *schema["enum"]])
            return f"<select {name}>{options}</select>"
        if schema.get("type") == "array":
            name += ' data-list="1"'
        return f'<input {name} placeholder="{escape(str(schema.get("default", "")))}">'

    def _body(self, body: Schema | None) -> str:
        if body is None:
            return ""
        content: Schema = body["content"]
        kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in content)
        first = next(iter(content.values()))
        named = self._type(first.get("schema", {}))
        head = f"<h3>Body{_mark(body.get('required', False))}: {named}</h3><p class=faint>{kinds}</p>"
        choices = list(self._bodies(content))
        if not choices:
            return f'{head}<input type="file" aria-label="Body" data-type="{next(iter(content))}">'
        options = "".join(
            f'<option data-type="{kind}" data-text="{escape(text)}">{escape(name)}</option>'
            for name, kind, text in choices
        )
        select = f'<select class="examples" aria-label="Example">{options}</select>' if len(choices) > 1 else ""
        _, kind, text = choices[0]
        rows = min(16, text.count("\n") + 2)
        area = (
            f'<textarea aria-label="Body" spellcheck="false" rows="{rows}" data-type="{kind}">{escape(text)}</textarea>'
        )
        return f"{head}{select}{area}"

    def _bodies(self, content: Schema) -> Iterator[tuple[str, str, str]]:
        """Yield a name, a media type and a text for each example of a body."""
        schema = content.get(JSON, {}).get("schema", {})
        for name in _names_in(schema, self.schemas):
            for number, example in enumerate(self.schemas[name].get("examples", ()), 1):
                yield f"{name} {number}" if number > 1 else name, JSON, lay(example)
        for kind, part in content.items():
            if "example" in part:
                yield kind, kind, part["example"]

    def _answers(self, responses: Schema) -> str:
        rows = "".join(self._answer(status, responses[status]) for status in sorted(responses))
        return f"<h3>Answers</h3><div class=scroll><table>{rows}</table></div>"

    def _answer(self, status: str, response: Schema) -> str:
        content: Schema = response.get("content", {})
        kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in content)
        types = {self._type(part["schema"]) for part in content.values() if "schema" in part}
        tone, is_open = ("good", " open") if status < "400" else ("bad", "")
        headers = ", ".join(f"<code>{escape(name)}</code>" for name in response.get("headers", {}))
        examples = "".join(
            f"<details{is_open}><summary>{escape(name)}</summary><pre>{escape(lay(self.examples[name]['value']))}</pre></details>"
            for part in content.values()
            for name in part.get("examples", {})
        )
        return (
            f'<tr><td><b class="{tone}">{status}</b></td><td>{_problems(response["description"])}'
            f'<div class="faint">{" or ".join(sorted(types))} {kinds}</div>'
            f'<div class="faint">{headers}</div>{examples}</td></tr>'
        )

    def _shape(self, schema: Schema) -> str:
        """Return the fields of an object, or what else a schema is."""
        properties: Schema = schema.get("properties", {})
        required = schema.get("required", ())
        rows = "".join(
            f"<tr><td><code>{escape(name)}</code>{_mark(name in required)}</td><td>{self._type(one)}</td>"
            f"<td>{_prose(one.get('description', ''))}{_limits(one)}</td></tr>"
            for name, one in properties.items()
        )
        if rows:
            return f"<div class=scroll><table><tr><th>field</th><th>type</th><th></th></tr>{rows}</table></div>"
        return f"<p>{self._type(schema)}</p>"

    def _type(self, schema: Schema) -> str:
        """Return what a value may be, with links to what has a name."""
        if "$ref" in schema:
            name = escape(schema["$ref"].rpartition("/")[2])
            return f'<a href="#schema-{name}">{name}</a>'
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return " or ".join(self._type(one) for one in schema[union])
        if "enum" in schema:
            return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
        kind = schema.get("type", "anything")
        if kind == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"map of {self._type(schema['additionalProperties'])}"
        named = " or ".join(kind) if isinstance(kind, list) else kind
        return escape(f"{named} ({schema['format']})" if "format" in schema else named)

    def _resolved(self, schema: Schema) -> Schema:
        found: Schema = self.schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        return found


def lay(value: Any, indent: str = "") -> str:
    """Write JSON for a reader: on one line what fits on it."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) < WIDE or not isinstance(value, dict | list):
        return flat
    inner = f"{indent}  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + lay(part, inner) for part in value) + f"\n{indent}]"
    parts = (f"{inner}{json.dumps(name)}: {lay(part, inner)}" for name, part in value.items())
    return "{\n" + ",\n".join(parts) + f"\n{indent}}}"


def _item(name: str, title: str, body: str, words: str) -> str:
    return (
        f'<details class="item" id="{escape(name)}" data-words="{escape(words.lower())}"><summary>{title}</summary>'
        f"<div>{body}</div></details>"
    )


def _words(method: str, path: str, operation: Schema) -> str:
    """Return what a search finds an operation by."""
    text = f"{method} {path} {operation['operationId']} {operation['summary']} {operation.get('description', '')}"
    return escape(text.lower())


def _names_in(schema: Schema, schemas: Schema) -> Iterator[str]:
    """Yield the name of a schema, or of those of a union that it is."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if "oneOf" not in schemas[name]:
            yield name
        for one in schemas[name].get("oneOf", ()):
            yield from _names_in(one, schemas)


def _samples(schema: Schema) -> str:
    return "".join(f"<pre>{escape(lay(one))}</pre>" for one in schema.get("examples", ()))


def _mark(required: bool) -> str:
    return ' <b class="required" title="required">*</b>' if required else ""


def _limits(schema: Schema) -> str:
    """Return the bounds of a value, and what it is if left out."""
    bounds = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "default": "default",
              "minLength": "at least, characters:", "maxLength": "at most, characters:"}  # fmt: skip
    told = [f"{words} {escape(json.dumps(schema[name]))}" for name, words in bounds.items() if name in schema]
    return f'<div class="faint">{"; ".join(told)}</div>' if told else ""


def _prose(text: str) -> str:
    """Text with its `code` set as code, and links to paths of this service."""
    parts = escape(text).split("`")
    return "".join(_code(part) if number % 2 else part for number, part in enumerate(parts))


def _code(text: str) -> str:
    link = re.fullmatch(r"/(?:v1/limits|v1/ops|openapi\.json)", text)
    return f'<a href="{text}"><code>{text}</code></a>' if link else f"<code>{text}</code>"


def _problems(text: str) -> str:
    """The description of an answer; each problem in it leads to its page."""
    kinds: Iterable[str] = escape(text).split("`")
    return "".join(
        f'<a href="/problems/{part}"><code>{part}</code></a>' if number % 2 else part
        for number, part in enumerate(kinds)
    )
