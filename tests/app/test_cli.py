"""The ``gradserve`` command, called as a function; serving itself is in ``test_dockerfile.py``."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from app import VERSION
from app.cli import main
from tests.processes import Server

PROGRAM = """\
import torch  # blanked out, so that lines keep their numbers
x = torch.ones(2, 2, requires_grad=True)
out = (x + 2).pow(2).mul(3).mean()
out.backward()
print(out)
print(x.grad)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def test_run_prints_what_pytorch_prints(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(program)]) == 0
    printed = "tensor(27., grad_fn=<MeanBackward0>)\ntensor([[4.5000, 4.5000],\n        [4.5000, 4.5000]])\n"
    assert capsys.readouterr().out == printed


def test_run_reads_what_editors_of_windows_write(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.write_bytes(b"\xef\xbb\xbfimport torch\r\nprint(torch.ones(1))\r\n")
    assert main(["run", str(program)]) == 0
    assert capsys.readouterr().out == "tensor([1.])\n"


def test_run_prints_the_ends_that_a_program_asks_for(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.write_text(
        'print("a", end="; ")\nprint("b", end="")\nprint("c\\n")\nprint("d", end="\\n\\n")\nprint(1, end="")\nx'
    )
    assert main(["run", str(program)]) == 1
    assert capsys.readouterr().out == "a; bc\n\nd\n\n1"


def test_run_names_the_line_of_an_error_after_what_was_printed(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program.write_text(f"{PROGRAM}x.grad.add(x).backward()\n")
    assert main(["run", str(program)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("tensor(27.")
    assert err == f"{program}:7: RuntimeError: grad can be implicitly created only for scalar outputs\n"


@pytest.mark.parametrize("import_line", ["import torch", "import engine as torch", "import torch # why"])
def test_run_accepts_the_import_of_either_library(import_line: str, program: Path) -> None:
    program.write_text(f"{import_line}\nx = torch.ones(2)\n")
    assert main(["run", str(program)]) == 0


def test_run_refuses_what_is_not_in_the_language(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.write_text("import torch\nclass M(type): pass\n")
    assert main(["run", str(program)]) == 1
    assert capsys.readouterr().err.startswith(f"{program}:2: SyntaxError: ")


def test_run_says_when_there_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "none.py")]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'none.py'}: No such file or directory\n"


def test_ops_lists_signatures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops"]) == 0
    assert "add(input: Tensor, other: Tensor" in capsys.readouterr().out


def test_ops_stops_when_its_reader_does() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "ops"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ops:
        assert ops.stdout is not None
        assert ops.stderr is not None
        ops.stdout.close()
        assert ops.stderr.read() == b""


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"gradserve {VERSION}\n")


def test_a_taken_port_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSERVE_DATA", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "app.cli", "serve", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = f"gradserve: 127.0.0.1:{port} is taken by another program; name another port with --port or GRADSERVE_PORT\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1"), ("0.0.0.0", "http://127.0.0.1")])
def test_the_log_begins_with_the_address_and_the_documentation(tmp_path: Path, host: str, url: str) -> None:
    with Server(tmp_path, log_level="info", host=host, open="1") as server:
        end = time.monotonic() + 10
        while not (lines := server.log.read_text().splitlines()) and time.monotonic() < end:
            time.sleep(0.02)  # it may answer before the line is there
        assert f"{url}:{server.port}; its documentation: {url}:{server.port}/docs" in lines[0]
        assert httpx.get(f"{server.url}/docs").status_code == 200


def test_health_fails_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:  # bound, but not listening: nobody else can answer there
        taken.bind(("127.0.0.1", 0))
        assert main(["health", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}"]) == 1
    assert capsys.readouterr().err.endswith("is not well\n")


def test_a_misspelt_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSERVE_PROT", "1")
    with pytest.raises(SystemExit, match="GRADSERVE_PROT"):
        main(["serve"])


def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSERVE_STORE", "mysql://user:secret@host")
    monkeypatch.setenv("GRADSERVE_LIMITS__NODES", "-secret-")
    with pytest.raises(SystemExit) as caught:
        main(["serve"])
    text = str(caught.value)
    assert "GRADSERVE_STORE: Value error, expected sqlite, memory or postgresql://" in text
    assert "GRADSERVE_LIMITS__NODES" in text
    assert "secret" not in text
    assert "\n" not in text
