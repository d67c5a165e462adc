"""docker-compose.yml without a container engine: what its services are told, share and publish."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

from app.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parent.parent
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
REPLICAS: Final = ["replica-1", "replica-2"]
OURS: Final = ["gradserve", *REPLICAS]
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def told(service: str) -> dict[str, str]:
    """The environment of a service, with the defaults of what the caller's environment may set."""
    return {name: VARIABLE.sub(lambda found: found[2] or "", text) for name, text in environment(service).items()}


def environment(service: str) -> dict[str, str]:
    variables: dict[str, str] = SERVICES[service].get("environment", {})
    return variables


def ports(service: str) -> list[tuple[str, str, str]]:
    """Address, port of the host, port of the container."""
    return [tuple(port.split(":")) for port in SERVICES[service].get("ports", [])]


def test_all_but_the_plain_service_belong_to_the_profile() -> None:
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    assert profiles.pop("gradserve") is None
    assert profiles == {name: ["scale"] for name in (*REPLICAS, "proxy", "postgres")}


@pytest.mark.parametrize("service", OURS)
def test_what_our_services_are_told_are_settings(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in told(service).items():
        monkeypatch.setenv(name, value)
    settings = Settings()  # refuses unknown ones
    assert settings.store == ("sqlite" if service == "gradserve" else "postgresql://gradserve@postgres/gradserve")


def test_replicas_differ_in_nothing() -> None:
    assert SERVICES[REPLICAS[0]] == SERVICES[REPLICAS[1]]


def test_replicas_are_told_what_the_database_is() -> None:
    database, replica = environment("postgres"), environment(REPLICAS[0])
    expected = f"postgresql://{database['POSTGRES_USER']}@postgres/{database['POSTGRES_DB']}"
    assert replica["GRADSERVE_STORE"] == expected
    assert replica["PGPASSWORD"] == database["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD:-}"


def test_no_secret_stands_in_the_file() -> None:
    secrets = [text for name in SERVICES for key, text in environment(name).items() if re.search("PASSWORD|KEYS", key)]
    assert len(secrets) == 6
    assert all(re.fullmatch(r"\$\{\w+:-\}", text) for text in secrets)


def test_variables_without_a_value_stop_nobody() -> None:
    """The plain service has to start when nothing of the profile is set: no variable is demanded."""
    found = re.findall(r"\$\{\w+(.*?)\}", (ROOT / "docker-compose.yml").read_text())
    assert found
    assert all(rest.startswith(":-") for rest in found)


def test_published_ports_are_on_loopback_and_do_not_clash() -> None:
    published = [port for name in SERVICES for port in ports(name)]
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert sorted(host for _, host, _ in published) == ["8000", "8001"]
    assert not ports("postgres")


def test_the_proxy_knows_every_replica() -> None:
    command = SERVICES["proxy"]["command"].split()
    assert command[:2] == ["caddy", "reverse-proxy"]
    targets = [target for flag, target in pairwise(command) if flag == "--to"]
    assert targets == [f"{name}:8000" for name in REPLICAS]
    assert command[command.index("--from") + 1] == f":{ports('proxy')[0][2]}"
    assert set(SERVICES["proxy"]["depends_on"]) == set(REPLICAS)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_health_check_and_bounds(service: str) -> None:
    about = SERVICES[service]
    assert about["healthcheck"]["test"][0] == "CMD"
    assert about["mem_limit"]
    assert "no-new-privileges:true" in about["security_opt"]


@pytest.mark.parametrize("service", SERVICES)
def test_who_is_waited_for_has_a_health_check(service: str) -> None:
    for name, how in SERVICES[service].get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[name]


def test_sessions_are_in_volumes() -> None:
    mounted = {name: volume for name in SERVICES for volume in SERVICES[name].get("volumes", [])}
    assert mounted == {"gradserve": "data:/data", "postgres": "postgres:/var/lib/postgresql/data"}
    assert set(COMPOSE["volumes"]) == {"data", "postgres"}
    assert re.search(r"^ENV .*\bGRADSERVE_DATA=/data\b", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
