"""The service's log: lines of text or of JSON on standard error, the same in the front and in compute processes.

A line that is written while a request is worked on has the request's id and its trace.
"""

from __future__ import annotations

import logging
import logging.config
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import orjson

Form = Literal["text", "json"]
Level = Literal["critical", "error", "warning", "info", "debug"]
ACCESS: Final = "gradserve.access"  # the logger of one line per request


class _Bound(NamedTuple):
    """The request that is worked on."""

    request_id: str
    trace_id: str | None


_bound: ContextVar[_Bound | None] = ContextVar("gradserve_logged_request", default=None)


def bind(request_id: str, trace_id: str | None) -> Token[Any]:
    """From now on lines of this context belong to that request; ``unbind`` ends it."""
    return _bound.set(_Bound(request_id, trace_id))


def unbind(token: Token[Any]) -> None:
    """Undo ``bind``."""
    _bound.reset(token)


def configure(level: Level, form: Form, *, access: bool) -> None:
    """Send the log of this process, and of those that are forked from it, to standard error."""
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"text": {"()": TextFormatter}, "json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {ACCESS: {"level": "INFO" if access else "CRITICAL"}},  # whatever else is said, or not
    })  # fmt: skip


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says beside its message: the request that it belongs to, and ``extra={"fields": ...}``."""
    fields: dict[str, Any] | None = getattr(record, "fields", None)
    if fields is not None:
        return fields
    bound = _bound.get()
    return {} if bound is None else {name: value for name, value in bound._asdict().items() if value is not None}


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.000+00:00 INFO gradserve[17] message key=value ...``, and the traceback, if any, below."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the first lines of a record."""
        head = f"{_time(record)} {record.levelname} {record.name}[{record.process}] {record.message}"
        return " ".join([head, *(f"{name}={value}" for name, value in _fields(record).items())])


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as an object; a traceback is one of its texts."""
        line = {
            "time": _time(record), "level": record.levelname.lower(), "logger": record.name,
            "process": record.process, "message": record.getMessage(), **_fields(record),
        }  # fmt: skip
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # half a surrogate pair somewhere
            return orjson.dumps({name: _readable(value) for name, value in line.items()}).decode()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _readable(value: Any) -> str:
    return str(value).encode("ascii", "backslashreplace").decode()
