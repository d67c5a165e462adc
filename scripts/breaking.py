"""Says what a client of the released OpenAPI document cannot live with in the current one; exit status 1 if anything.

What may be sent may only grow, what is answered may only keep what it had: operations, parameters, bodies, headers,
fields, members of enums, and whether something has to be there. Texts and examples do not count. A request that is
answered as an example may have new choices, for clients need not read it. A release copies openapi.json to
released.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent.parent / "openapi"
METHODS: Final = ("get", "put", "post", "patch", "delete")
Document = dict[str, Any]
# By keyword: whether a change from the first to the second lets fewer values pass.
LIMITS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "minimum": lambda old, new: new > old,
    "exclusiveMinimum": lambda old, new: new > old,
    "minLength": lambda old, new: new > old,
    "minItems": lambda old, new: new > old,
    "minProperties": lambda old, new: new > old,
    "maximum": lambda old, new: new < old,
    "maxLength": lambda old, new: new < old,
    "maxItems": lambda old, new: new < old,
    "pattern": lambda old, new: new != old,
}


def breaks(old: Document, new: Document) -> list[str]:
    """Return what breaks, each with its place."""
    return list(dict.fromkeys(_Comparison(old, new).operations()))


class _Comparison:
    """Two documents, and the pairs of schemas that are being compared, for schemas refer to themselves."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new
        self._begun: set[tuple[str, str, bool]] = set()

    def operations(self) -> Iterator[str]:
        """Bodies first: which schemas are sent is known when answers are compared."""
        for is_sent in (True, False):
            yield from self._operations(is_sent)

    def _operations(self, is_sent: bool) -> Iterator[str]:
        for path, methods in self.old["paths"].items():
            for method in METHODS:
                if method not in methods:
                    continue
                place = f"{method.upper()} {path}"
                new = self.new["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{place}: gone"
                    continue
                if new["operationId"] != methods[method]["operationId"]:
                    yield f"{place}: another operationId"
                yield from self._parameters(place, methods[method], new)
                if is_sent:
                    yield from self._body(place, methods[method].get("requestBody"), new.get("requestBody"))
                else:
                    yield from self._answers(place, methods[method]["responses"], new["responses"])

    def _parameters(self, place: str, old: Document, new: Document) -> Iterator[str]:
        before, after = ({(one["in"], one["name"]): one for one in found.get("parameters", [])} for found in (old, new))
        for (kind, name), one in before.items():
            here = f"{place}: {kind} {name}"
            if (kind, name) not in after:
                yield f"{here}: gone"
            else:
                yield from self._schema(here, one["schema"], after[kind, name]["schema"], is_sent=True)
        for key, one in after.items():
            if one.get("required") and not before.get(key, {}).get("required"):
                yield f"{place}: {' '.join(key)}: required"

    def _body(self, place: str, old: Document | None, new: Document | None) -> Iterator[str]:
        if old is None or new is None:
            if old is not new and (new is None or new.get("required")):
                yield f"{place}: body: {'gone' if new is None else 'required'}"
            return
        if new.get("required") and not old.get("required"):
            yield f"{place}: body: required"
        yield from self._contents(f"{place}: body", old["content"], new["content"], is_sent=True)

    def _answers(self, place: str, old: Document, new: Document) -> Iterator[str]:
        for status, answer in old.items():
            here = f"{place}: {status}"
            if status not in new:
                yield f"{here}: gone"
                continue
            for name in answer.get("headers", {}).keys() - new[status].get("headers", {}).keys():
                yield f"{here}: header {name}: gone"
            contents = (answer.get("content", {}), new[status].get("content", {}))
            yield from self._contents(here, *contents, is_sent=False)
        for status in new.keys() - old.keys():
            if status.startswith("2"):
                yield f"{place}: {status}: new"

    def _contents(self, place: str, old: Document, new: Document, *, is_sent: bool) -> Iterator[str]:
        for media_type, content in old.items():
            if media_type not in new:
                yield f"{place}: {media_type}: gone"
            else:
                yield from self._schema(place, content.get("schema", {}), new[media_type].get("schema", {}), is_sent)

    # -- schemas ------------------------------------------------------------------------------------------------------
    def _schema(self, place: str, old: Any, new: Any, is_sent: bool) -> Iterator[str]:
        names = (old.get("$ref", ""), new.get("$ref", ""), is_sent)
        if names[0] and names[1]:
            if names in self._begun:
                return
            self._begun.add(names)
            place = names[0].rpartition("/")[2]
        old, new = _resolved(self.old, old), _resolved(self.new, new)
        yield from self._types(place, old, new, is_sent)
        yield from self._fields(place, old, new, is_sent)
        yield from self._choices(place, old, new, is_sent, (*names[:2], True) in self._begun)
        for keyword in ("items", "additionalProperties"):
            pair = old.get(keyword), new.get(keyword)
            if isinstance(pair[0], dict) and isinstance(pair[1], dict):
                yield from self._schema(f"{place}[]", *pair, is_sent)
            elif is_sent and pair[1] is False and pair[0] is not False:
                yield f"{place}: no other fields"

    def _types(self, place: str, old: Any, new: Any, is_sent: bool) -> Iterator[str]:
        before, after = _types(old), _types(new)
        lost, won = before - after, after - before
        if (lost and after if is_sent else won and before) or (not is_sent and before and not after):
            yield f"{place}: another type"
        if is_sent and after and not before:
            yield f"{place}: only of one type"
        if old.get("format") != new.get("format") and not (is_sent and "format" not in new):
            yield f"{place}: another format"
        members = [set(map(json.dumps, one.get("enum", []))) for one in (old, new)]
        if "enum" in old and members[0] - members[1] and (is_sent and "enum" in new):
            yield f"{place}: fewer members"
        if is_sent and "enum" in new and "enum" not in old:
            yield f"{place}: an enum"
        if is_sent:
            for keyword, is_narrower in LIMITS.items():
                if keyword in new and (keyword not in old or is_narrower(old[keyword], new[keyword])):
                    yield f"{place}: {keyword}"

    def _fields(self, place: str, old: Any, new: Any, is_sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, field in before.items():
            if name not in after:
                yield f"{place}.{name}: gone"
            else:
                yield from self._schema(f"{place}.{name}", field, after[name], is_sent)
        required = [set(one.get("required", [])) for one in (old, new)]
        for name in required[1] - required[0] if is_sent else required[0] - required[1]:
            yield f"{place}.{name}: {'required' if is_sent else 'not always there'}"

    def _choices(self, place: str, old: Any, new: Any, is_sent: bool, is_request: bool) -> Iterator[str]:
        for keyword in ("anyOf", "oneOf"):
            before, after = ({_key(one): one for one in schema.get(keyword, [])} for schema in (old, new))
            if not before:
                continue
            lost, won = before.keys() - after.keys(), after.keys() - before.keys()
            if lost if is_sent or is_request else won:
                yield f"{place}: {'fewer' if is_sent else 'other'} choices"
            for key in before.keys() & after.keys():
                yield from self._schema(place, before[key], after[key], is_sent)


def _resolved(document: Document, schema: Any) -> Any:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _types(schema: Any) -> set[str]:
    found = schema.get("type", [])
    return {found} if isinstance(found, str) else set(found)


def _key(schema: Any) -> str:
    return str(schema.get("$ref") or (schema.get("type"), schema.get("format"), schema.get("enum")))


def main() -> int:
    old, new = (json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in ("released.json", "openapi.json"))
    found = breaks(old, new)
    for one in found:
        print(one, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
