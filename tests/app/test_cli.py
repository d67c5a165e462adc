"""The ``gradserve`` command, called as a function; serving itself is in ``test_dockerfile.py``."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import main

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
    program.write_text("import torch\nimport os\n")
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
