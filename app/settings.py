"""Settings: read once from ``GRADSERVE_*`` variables, frozen, and refused when one is unknown or impossible."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.limits import Limits
from app.observe import logs

PREFIX = "GRADSERVE_"
_ORIGIN = re.compile(r"https?://[^\s/?#@,*]+")
OTEL = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


class UnknownSetting(ValueError):
    """A ``GRADSERVE_`` variable that is not a setting: probably a misspelt one."""


class Settings(BaseSettings):
    """How the service runs. A limit is set as ``GRADSERVE_LIMITS__NODES=1000``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on.")
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        gt=0,
        description="Compute processes: what runs at once.",
    )
    store: str = Field(
        "sqlite", description="Where sessions live: 'sqlite', 'postgresql://…' for several replicas, or 'memory'."
    )
    data: Path = Field(Path("gradserve-data"), description="Folder of the SQLite file.")
    sync: Literal["normal", "full"] = Field(
        "normal", description="SQLite: 'full' lets an acknowledged run survive a loss of power too."
    )
    cache_bytes: int = Field(2**28, ge=0, description="Bytes of sessions that each process keeps at hand.")
    memory_bytes: int = Field(
        0, ge=0, description="Memory that each compute process may take; 0: its share of the machine's or container's."
    )
    blas_threads: int = Field(
        0, ge=0, description="Threads of each compute process for matrix products; 0: the processors, shared out."
    )
    queue: int = Field(256, ge=0, description="Requests that may wait for a process; more are refused.")
    owner_queue: int = Field(128, ge=0, description="Of these, requests of one owner.")
    session_queue: int = Field(32, ge=0, description="Of these, requests that wait for the turn of one session.")
    drain_seconds: float = Field(
        1.0, ge=0, description="After SIGTERM: how long /readyz says 503 before no connection is taken any more."
    )
    open: bool | None = Field(
        None, description="Serve others without keys: 1 if that is meant, 0 to refuse it; else the log warns."
    )
    bodies_bytes: int = Field(2**30, gt=0, description="Bytes of request bodies that are held at once, by all clients.")
    answers_bytes: int = Field(
        2**31,
        gt=0,
        description="Bytes of long answers that were not read yet, in all; of one owner half of it.",
    )
    api_keys: str = Field("", description="Comma-separated keys, each 'owner:key' or 'key'; none: one local owner.")
    cors_origins: str = Field(
        "", description="Comma-separated origins whose pages may call this service, as 'https://example.org', or '*'."
    )
    dot: str = Field("dot", description="The graphviz program that draws graphs as SVG.")
    log_level: logs.Level = Field("info", description="Level of the service's log.")
    log_format: logs.Form = Field("text", description="Lines of the log as 'text', or as 'json' objects.")
    access_log: bool = Field(False, description="Whether each request is logged: it costs as much as a small request.")
    otel: bool = Field(
        False, description="Whether spans go to OpenTelemetry, as OTEL_* variables say; needs 'gradserve[otel]'."
    )
    metrics_key: str = Field("", description="A key that opens /metrics, and only that; API keys then do not.")
    metrics_port: int = Field(0, ge=0, le=65_535, description="A port of their own for metrics; 0: that of the rest.")
    limits: Limits = Limits()

    @field_validator("store")
    @classmethod
    def _check_store(cls, text: str) -> str:
        if text not in ("sqlite", "memory") and not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("expected sqlite, memory or postgresql://…")
        return text

    @field_validator("api_keys")
    @classmethod
    def _check_keys(cls, text: str) -> str:
        if text and not all(key for _, key in _split_keys(text)):
            raise ValueError("an API key is empty")
        return text

    @field_validator("otel")
    @classmethod
    def _check_otel(cls, wanted: bool) -> bool:
        if wanted and not all(map(_is_installed, OTEL)):
            raise ValueError("spans need an extra that is not installed: pip install 'gradserve[otel]'")
        return wanted

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, text: str) -> str:
        if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in _split_origins(text)):
            raise ValueError("expected * or origins such as https://example.org, without a path")
        return text

    @property
    def origins(self) -> list[str]:
        """Origins whose pages may call this service."""
        return _split_origins(self.cors_origins)

    @property
    def owners_by_key_digest(self) -> dict[bytes, str]:
        """Owners by the SHA-256 digest of their key: digests can be looked up without a timing leak."""
        return {key_digest(key): owner or key_digest(key).hex()[:16] for owner, key in _split_keys(self.api_keys)}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment; nothing else, and no variable of ours that is not a field."""
        _refuse_unknown(settings_cls)
        return init_settings, env_settings


def _refuse_unknown(settings_cls: type[BaseSettings]) -> None:
    names = (name for name in os.environ if name.upper().startswith(PREFIX))
    unknown = [name for name in names if _field(name) not in settings_cls.model_fields]
    if unknown:
        raise UnknownSetting(f"not settings of gradserve: {', '.join(sorted(unknown))}")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package it would be in
        return False


def _field(variable: str) -> str:
    return variable[len(PREFIX) :].lower().partition("__")[0]


def _split_origins(text: str) -> list[str]:
    return [origin.strip() for origin in text.split(",") if origin.strip()]


def _split_keys(text: str) -> list[tuple[str, str]]:
    """``(owner or "", key)`` of every entry."""
    entries = (entry.strip().rpartition(":") for entry in text.split(",") if entry.strip())
    return [(owner.strip(), key.strip()) for owner, _, key in entries]


def key_digest(key: str) -> bytes:
    """Return what keys are compared by."""
    return sha256(key.encode()).digest()
