"""``/docs`` in a real browser: what a reader clicks, types, reads and sends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import browser
from tests.browser import Browser
from tests.processes import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if lacking := browser.missing():
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(f"no browser: there is no {' and no '.join(lacking)}")
        pytest.skip(f"no browser looks at /docs: there is no {' and no '.join(lacking)}")
    with Server(tmp_path_factory.mktemp("server"), store="memory", workers="1") as server:
        yield server


@pytest.fixture(scope="module")
def window(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as window:
        yield window


@pytest.fixture
def page(window: Browser, server: Server) -> Iterator[Browser]:
    window.open("about:blank")
    window.complaints()
    window.requested()
    window.open(f"{server.url}/docs")
    yield window
    assert window.complaints() == []
    assert [url for url in window.requested() if not url.startswith((server.url, "about:", "data:"))] == []


def opened(page: Browser, name: str) -> str:
    page.run("location.hash = arguments[0]", name)
    page.wait_for_text(f"#{name} form", "Send")
    return f"#{name}"


def sent(page: Browser, name: str, status: str = "200 OK") -> str:
    page.click(f"#{name} button.send")
    return page.wait_for_text(f"#{name} .answer", status)


def test_every_example_of_a_body_is_sent_and_answered(page: Browser) -> None:
    place = opened(page, "evaluate")
    count = page.run("return document.querySelectorAll('#evaluate .examples option').length")
    assert count >= 4
    for number in range(count):
        page.click(f"{place} .examples option:nth-child({number + 1})")
        page.run("document.querySelector('#evaluate .answer').replaceChildren()")
        assert '"outputs"' in sent(page, "evaluate") or '"batch"' in page.text(f"{place} .answer")


def test_numbers_of_an_answer_are_shown_as_they_were_written(page: Browser) -> None:
    opened(page, "evaluate")
    assert '"data": [[4.5, 4.5], [4.5, 4.5]]' in sent(page, "evaluate")
    assert '"data": 27.0' in page.text("#evaluate .answer")


def test_a_session_is_opened_and_used(page: Browser) -> None:
    opened(page, "createSession")
    sid = re.search(r'"id": "([^"]+)"', sent(page, "createSession", "201 Created"))
    assert sid is not None
    opened(page, "putTensor")
    page.type("#putTensor input[name=name]", "x")
    assert page.run("return document.querySelector('#putTensor input[name=sid]').value") == sid[1]
    page.type("#putTensor textarea", '{"data": [1, 2], "requires_grad": true}')
    assert "ETag" in sent(page, "putTensor", "201 Created")
    opened(page, "runInSession")
    page.run("document.querySelector('#runInSession textarea').value = '{\"code\": \"out = (x * x).sum()\"}'")
    sent(page, "runInSession")
    opened(page, "backwardInSession")
    assert '"data": [2.0, 4.0]' in sent(page, "backwardInSession")
    opened(page, "exportSession")
    assert page.wait_for_text("#exportSession form", "Send")
    assert "bytes" in sent(page, "exportSession")


def test_a_refusal_is_shown_with_its_words(page: Browser) -> None:
    opened(page, "getSession")
    page.type("#getSession input[name=sid]", "nobody")
    page.click("#getSession button.send")
    assert "/problems/not-found" in page.wait_for_text("#getSession .answer", "404")
    (noted,) = page.complaints()
    assert "404" in noted


def test_what_a_path_lacks_is_asked_for_and_nothing_is_sent(page: Browser) -> None:
    opened(page, "getOp")
    page.run("document.querySelector('#getOp button.send').click()")
    assert page.run("return document.activeElement.name") == "op"
    assert page.run("return document.querySelector('#getOp .answer').hidden") is True


@pytest.mark.parametrize(
    ("language", "command", "suffix"),
    [("curl", ["sh"], ".sh"), ("Python", [sys.executable], ".py"), ("JavaScript", ["node"], ".mjs"),
     ("Go", ["go", "run"], ".go")],
)  # fmt: skip
def test_samples_run_as_they_stand(
    page: Browser, tmp_path: Path, language: str, command: list[str], suffix: str
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"the sample in {language} does not run: there is no {command[0]}")
    place = opened(page, "evaluate")
    page.click(f'{place} [data-language="{language}"]')
    sample = page.run("return document.querySelector('#evaluate .sample').textContent")
    file = tmp_path / f"sample{suffix}"
    file.write_text(sample)
    environment = os.environ | {"GO111MODULE": "off", "GOFLAGS": ""}
    done = subprocess.run([*command, file], capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert '"data":[[4.5,4.5],[4.5,4.5]]' in done.stdout


def test_the_language_that_was_chosen_is_remembered(page: Browser) -> None:
    opened(page, "evaluate")
    page.click('#evaluate [data-language="Go"]')
    address = page.run("return location.href")
    page.open("about:blank")
    page.open(address)
    opened(page, "listOps")
    assert page.wait_for_text("#listOps .sample", "package main").startswith("package main")
    page.click('#listOps [data-language="curl"]')


def test_search_leaves_what_has_the_words(page: Browser) -> None:
    page.type("#search", "zero_grad")
    links = "return [...document.querySelectorAll('nav li:not([hidden]) a')].map((one) => one.hash)"
    assert page.run(links) == ["#zeroGradInSession"]
    assert page.run("return document.querySelector('#evaluate').checkVisibility()") is False
    page.type("#search", "nothing of this name")
    assert "Nothing has these words" in page.text("nav")
    opened(page, "evaluate")
    assert page.run("return document.querySelector('#search').value") == ""


def test_every_link_leads_somewhere_and_opens_it(page: Browser, server: Server) -> None:
    links = page.run("return [...document.querySelectorAll('a')].map((one) => one.getAttribute('href'))")
    inside = {link[1:] for link in links if link.startswith("#")}
    assert {"evaluate", "schema-TensorObject"} <= inside
    assert page.run("return arguments[0].filter((name) => !document.getElementById(name))", sorted(inside)) == []
    outside = {link for link in links if not link.startswith("#")}
    assert "/problems/refused" in outside
    for link in outside:
        assert httpx.get(f"{server.url}/{link.lstrip('/')}").is_success, link
    page.click('nav a[href="#evaluate"]')
    page.click('#evaluate a[href="#schema-EvaluateRequest"]')
    assert page.run("return document.querySelector('#schema-EvaluateRequest').open") is True
    page.click('#schema-EvaluateRequest a[href="#schema-GraphRequest"]')
    assert "backward" in page.text("#schema-GraphRequest")


def test_the_key_is_sent_and_is_in_the_samples(page: Browser) -> None:
    page.type("#key", "secret")
    opened(page, "listOps")
    page.click('#listOps [data-language="curl"]')
    sample = page.wait_for_text("#listOps .sample", "curl")
    assert "-H 'Authorization: Bearer secret'" in sample
    page.type("#key", " ")


def test_required_marks_enums_and_examples_of_answers_are_there(page: Browser) -> None:
    opened(page, "getGraph")
    assert "tensor *" in page.text("#getGraph table")
    options = "return [...document.querySelectorAll('#getGraph select[name=format] option')].map((one) => one.value)"
    assert page.run(options) == ["", "json", "dot", "mermaid", "svg"]
    assert page.run("return document.querySelector('#getGraph .good').textContent") == "200"
    assert "SumBackward0" in page.run("return document.querySelector('#getGraph').textContent")
    assert '"float32" | "float64"' in page.run("return document.querySelector('#schema-Dtype').textContent")


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_of_it(server: Server, tmp_path: Path, dark: bool) -> None:
    with Browser(tmp_path, width=390, height=800, dark=dark) as phone:
        phone.open(f"{server.url}/docs#evaluate")
        assert "/v1/evaluate" in phone.text("#evaluate")
        assert phone.run("return document.documentElement.scrollWidth") <= 390
        colours = phone.run(
            "const { color, backgroundColor } = getComputedStyle(document.body); return [color, backgroundColor]"
        )
        text, background = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
        assert (text > background) is dark
        phone.type("#search", "readyz")
        phone.click('nav a[href="#readiness"]')
        assert sent(phone, "readiness")
