import gc
import subprocess
import sys

from app.loading import loading
from app.main import create_app
from app.routers import evaluate, health, ops, sessions, tensors
from app.settings import Settings
from tests.processes import ROOT

NOT_LOADED = ("app.program.interpret", "app.sessions.live", "app.operations.handler", "app.http.openapi", "scipy.fft")


def test_nothing_is_collected_while_modules_are_loaded_nor_what_was_loaded_later() -> None:
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_routes_are_those_that_their_modules_made() -> None:
    known = {id(route) for route in create_app(Settings(store="memory")).routes}
    assert all(
        id(route) in known for module in (evaluate, health, ops, sessions, tensors) for route in module.router.routes
    )


def test_what_serves_is_loaded_without_what_carries_requests_out() -> None:
    text = f"import sys, app.commands.serve, app.main, app.server; print([m for m in {NOT_LOADED} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
