"""``string``: constants, ``capwords``, and templates, whose fields are filled with texts of values."""

from __future__ import annotations

import string
from typing import Any, Final

from app.program.builtins import FUNCTIONS, Getter, type_name
from app.program.costs import OBJECT_BYTES, Cost, copied, pay, recased, split
from app.program.failures import PythonError, python
from app.program.modules.calls import bound, constants, host, routines

_TEXT: Final = FUNCTIONS["str"]


class Template:
    """A text with ``$fields``. It fills them with the texts of values and asks nothing else of those."""

    __slots__ = ("source",)

    def __init__(self, template: Any) -> None:
        if not isinstance(template, str):
            raise PythonError(TypeError, f"template must be a string, not {type_name(template)}")
        self.source = string.Template(template)

    def fill(self, mapping: Any = None, /, *, safe: bool, **named: Any) -> str:
        """The text with the values of fields in their places. What has none is a ``KeyError``, or stays."""
        values = (mapping or {}) | named if isinstance(mapping, dict | None) else None
        if values is None:
            raise PythonError(TypeError, f"'{type_name(mapping)}' object is not a dict")
        asked = self.fields()
        texts = {name: _TEXT(values[name]) for name in set(asked) & values.keys()}
        pay(copied(len(self.source.template) + sum(len(str(texts.get(name, ""))) for name in asked)))
        return str(python(self.source.safe_substitute if safe else self.source.substitute, texts))

    def fields(self) -> list[str]:
        """The names in the text, as often as they stand there."""
        template = self.source.template
        pay(Cost(1 + len(template), OBJECT_BYTES * template.count("$")))
        found = [one["named"] or one["braced"] for one in self.source.pattern.finditer(template)]
        return [name for name in found if name]


def _substitute(value: Template, mapping: Any = None, /, **named: Any) -> str:
    return value.fill(mapping, safe=False, **named)


def _safe_substitute(value: Template, mapping: Any = None, /, **named: Any) -> str:
    return value.fill(mapping, safe=True, **named)


def _identifiers(value: Template) -> list[str]:
    return list(dict.fromkeys(value.fields()))


TEMPLATE: Final[dict[str, Getter]] = {
    "template": lambda value: value.source.template,
    "get_identifiers": bound("get_identifiers", _identifiers),
    "safe_substitute": bound("safe_substitute", _safe_substitute),
    "substitute": bound("substitute", _substitute),
}
STRING: Final[dict[str, Any]] = (
    constants(
        string, "ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "hexdigits", "octdigits", "printable",
        "punctuation", "whitespace",
    )
    | routines({"capwords": (string.capwords, lambda s, sep=None, *_, **__: _words(s, sep))})
    | {"Template": host(Template, "string.Template", Template, TEMPLATE)}
)  # fmt: skip


def _words(text: Any, sep: Any) -> Cost:
    if not isinstance(text, str):
        return Cost()
    parts, letters = split(text, sep), recased(text)
    return Cost(parts.steps + letters.steps, parts.nbytes + letters.nbytes, parts.items)
