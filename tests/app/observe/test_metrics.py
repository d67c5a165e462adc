"""Metrics: true over all processes, and readable by Prometheus' own parser."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from app import VERSION
from app.compute import frames
from app.limits import Limits
from app.observe.exposition import MEDIA_TYPE, Family, Sample, text_of
from app.observe.metrics import BOUNDS, Metrics, counter
from app.operations import operation
from tests.app.conftest import Client, Serve
from tests.processes import Server, free_port

CODE = {"code": "x = torch.ones(2, requires_grad=True)\nx.sum().backward()"}


def parsed(text: str) -> dict[str, Metric]:
    """Families by name. Names and types come once, and numbers belong to the family that is announced."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation and family.type in ("counter", "gauge", "histogram") for family in families)
    return {family.name: family for family in families}


class Scrape:
    """The metrics at one moment."""

    def __init__(self, text: str) -> None:
        self.families = parsed(text)
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }
        assert len(self._samples) == sum(len(family.samples) for family in self.families.values())

    def __call__(self, name: str, **labels: str) -> float:
        return self._samples.get((f"gradserve_{name}", frozenset(labels.items())), 0.0)

    def counters(self) -> dict[Any, float]:
        """What may only grow."""
        names = [family.name for family in self.families.values() if family.type != "gauge"]
        return {key: value for key, value in self._samples.items() if key[0].startswith(tuple(names))}


def scraped(client: Client) -> Scrape:
    answer = client("GET", "/metrics")
    assert answer.headers["content-type"] == MEDIA_TYPE
    return Scrape(answer.text)


# -- the format -----------------------------------------------------------------------------------------------------
def test_labels_and_numbers_survive_the_format() -> None:
    labels = {"a": 'quoted "\\" \n next', "b": ""}
    values = [0, 2**60, 0.1, 1e-9]
    family = Family(
        "x", "gauge", "Numbers.", [Sample(value, {**labels, "n": str(n)}) for n, value in enumerate(values)]
    )
    (found,) = text_string_to_metric_families(text_of([family]))
    assert [sample.labels for sample in found.samples] == [{**labels, "n": str(n)} for n in range(4)]
    assert [sample.value for sample in found.samples] == values


def test_a_counter_without_a_number_yet_is_announced() -> None:
    assert parsed(text_of([counter("things_total", "Things.", {}, "kind")]))["gradserve_things"].type == "counter"


def test_histograms_add_up() -> None:
    metrics = Metrics()
    for seconds in (0.0, 0.0002, 0.0003, 7.0, 1000.0):
        metrics.observe("/a", "GET", 200, seconds)
    metrics.observe("/a", "POST", 500, 0.5)
    scrape = Scrape(text_of(metrics.families()))
    counts = [scrape("request_seconds_bucket", route="/a", le=bound) for bound in BOUNDS]
    assert counts == [2, 3, 3, 3, 3, 4, 4, 5, 5, 6]
    assert scrape("request_seconds_sum", route="/a") == pytest.approx(1007.5005)
    assert scrape("request_seconds_count", route="/a") == scrape("request_seconds_bucket", route="/a", le="+Inf") == 6
    assert scrape("requests_total", route="/a", method="POST", status="500") == 1


# -- what is counted ------------------------------------------------------------------------------------------------
def test_requests_are_counted_wherever_they_are_answered(serve: Serve) -> None:
    client = serve(Limits(nodes=20), workers=2)
    before = scraped(client)
    for _ in range(5):
        client.evaluate(**CODE)
    sid = client.open()
    client.run(sid, **CODE)
    client("GET", f"/v1/sessions/{sid}")
    client("GET", "/nowhere")
    assert client("POST", "/v1/evaluate", json={"code": "x = 1\n" * 30}).json()["limit"] == "nodes"
    scrape = scraped(client)
    assert scrape("requests_total", route="/v1/evaluate", method="POST", status="200") == 5
    assert scrape("requests_total", route="/v1/sessions/{sid}", method="GET", status="200") == 1
    assert scrape("requests_total", route="other", method="GET", status="404") == 1
    assert (scrape("problems_total", type="over-limit"), scrape("problems_total", type="not-found")) == (1, 1)
    assert scrape("refusals_total", limit="nodes") == 1
    replayed = scrape("plans_replayed_total")
    assert (replayed, scrape("plans_adopted_total"), scrape("plans")) == (3, 1, 1)
    assert scrape("compute_seconds_count", operation="evaluate") == 6 - replayed
    assert scrape("queue_seconds_count") == 6 - replayed + 3
    assert scrape("store_seconds_count", operation="run_in_session") == 1
    assert scrape("store_seconds_count", operation="evaluate") == 0
    assert scrape("compute_seconds_sum", operation="run_in_session") > scrape(
        "store_seconds_sum", operation="run_in_session"
    )
    assert scrape("sessions_live") > 0
    assert scrape("sessions_live_bytes") > 0
    assert scrape("requests_in_flight") == 1  # this very request
    grown = scrape.counters()
    assert all(grown[key] >= value for key, value in before.counters().items())


def test_events_of_sessions_add_up_over_processes(serve: Serve) -> None:
    client = serve(workers=2)
    sids = [client.open() for _ in range(4)]
    for sid in sids:
        client.run(sid, **CODE)
        client.run(sid, **CODE)
    scrape = scraped(client)
    assert {sample.labels["event"] for sample in scrape.families["gradserve_session_events"].samples} == {
        "catch_ups", "conflicts", "loads",
    }  # fmt: skip
    assert scrape("sessions_live") == sum(count for count, _ in client.services.at_hand.values()) >= len(sids)
    assert sum(client.services.events.values()) == sum(
        sample.value for sample in scrape.families["gradserve_session_events"].samples
    )


def test_a_death_and_a_kill_are_counted_and_made_good(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(operation._OPERATIONS, "evaluate", lambda _: time.sleep(600))
    client = serve(Limits(seconds=3.0), workers=1)
    client.open()
    (victim,) = client.services.front.pids()
    os.kill(victim, signal.SIGKILL)
    until(lambda: client.services.front.pids() not in ([], [victim]))
    client.open()
    assert client("POST", "/v1/evaluate", json=CODE).json()["type"] == "/problems/time-limit"
    client.open()
    scrape = scraped(client)
    assert [scrape(f"process_{what}_total") for what in ("starts", "deaths", "kills")] == [3, 1, 1]
    assert scrape("refusals_total", limit="seconds") == 1
    processes = scrape.families["gradserve_process_resident_bytes"].samples
    assert {sample.labels["process"] for sample in processes} == {"front", "nursery", "compute-0"}


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_bodies_that_are_held_are_seen(client: Client) -> None:
    before = scraped(client)("body_bytes")
    body = frames.SharedBody()
    body.write(b"x" * 2**17)
    assert scraped(client)("body_bytes") == before + 2**17
    body.close()
    assert scraped(client)("body_bytes") == before


def test_the_service_says_what_it_is_and_occupies(serve: Serve) -> None:
    client = serve(workers=2)
    until(lambda: len(client.services.front.pids()) == 2)
    scrape = scraped(client)
    assert scrape("build_info", version=VERSION) == 1
    assert scrape("processes") == 4
    resident = [sample.value for sample in scrape.families["gradserve_process_resident_bytes"].samples]
    assert len(resident) == 4
    assert 0 < scrape("memory_bytes") < sum(resident)  # shared pages count once
    (started,) = scrape.families["process_start_time_seconds"].samples
    assert 0 < started.value <= time.time()


# -- who may read ---------------------------------------------------------------------------------------------------
def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_keys_everybody_may_read(client: Client) -> None:
    assert client("GET", "/metrics").status_code == 200


def test_with_keys_their_owners_may_read(serve: Serve) -> None:
    client = serve(api_keys="me:mine")
    statuses = [client("GET", "/metrics", headers=bearer(key)).status_code for key in ("mine", "other", "")]
    assert statuses == [200, 401, 401]


@pytest.mark.parametrize("api_keys", ["", "me:mine"])
def test_a_key_of_their_own_opens_metrics_and_nothing_else(serve: Serve, api_keys: str) -> None:
    client = serve(api_keys=api_keys, metrics_key="watch")
    statuses = [client("GET", "/metrics", headers=bearer(key)).status_code for key in ("watch", "mine", "")]
    assert statuses == [200, 401, 401]
    answer = client("GET", "/v1/sessions", headers=bearer("watch"))
    assert answer.status_code == (401 if api_keys else 200)


@pytest.mark.slow
def test_a_port_of_their_own(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, metrics_port=str(port), metrics_key="watch", workers="1") as server:
        metrics = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{server.url}/metrics", headers=bearer("watch")).status_code == 404
        assert httpx.get(f"{metrics}/metrics").status_code == 401
        httpx.post(f"{server.url}/v1/evaluate", json=CODE)
        scrape = Scrape(httpx.get(f"{metrics}/metrics", headers=bearer("watch")).text)
        assert httpx.get(f"{metrics}/v1/limits").status_code == 404
        assert scrape("requests_total", route="/v1/evaluate", method="POST", status="200") == 1
        server.stop()
    assert "Traceback" not in server.log.read_text()
