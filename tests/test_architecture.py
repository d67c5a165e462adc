"""The imports as the source states them: which way they point, where they stand, and how long files and functions are.

A new module gets its place in one of the tables below; without one it fails here.
"""

import ast
import statistics
import sys
from collections.abc import Iterator, Sequence
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

import pytest

import engine
from app.http.services import HANDLER

ROOT = Path(__file__).parent.parent

# Lowest first. A module imports from rows above its own; the modules of one row do not know each other; those inside a
# listed package may. The longest listed name holds, so that one module of a package can have a row of its own.
ENGINE = (
    ("errors", "homes", "kernels", "autograd", "surface", "named_results", "op.text", "op.traits"),
    ("dtypes", "shapes", "strides"),
    ("memory_formats", "printing", "random", "storage"),
    ("modes", "registry"),
    ("tensor",),
    ("op.signature", "autograd.hooks", "autograd.reuse"),
    ("op.alternatives", "op.outs", "autograd.tape", "surface.copying"),
    ("autograd.context", "autograd.watch"),
    ("autograd.inplace", "autograd.results_of", "op.binding", "op.dispatch", "op.rules"),
    ("autograd.sweep",),
    ("autograd.custom", "autograd.graph"),
    ("autograd.function",),
    ("op.callables", "op.calls", "op.costs"),
    ("op.composites", "op.primitive"),
    ("op.declare", "plan.recorder"),
    ("op.overloads", "plan.codegen", "plan.standing", "plan.tracing"),
    ("plan.bodies",),
    ("op",),
    ("plan.blocks", "plan.simplify"),
    ("plan.fusion",),
    ("plan.plan",),
    ("plan.portable",),
    ("plan",),
    ("ops",),
    (
        "surface.checkpoint",
        "surface.functional",
        "surface.gradcheck",
        "surface.methods",
        "surface.mixed_precision",
        "surface.numbers",
        "surface.refusals",
    ),
    ("surface.devices", "surface.storages"),
    ("data", "nn"),
    ("optim", "surface.namespaces", "surface.testing"),
    ("__init__",),
)
APP = (
    ("__init__", "allocator", "evaluate", "http", "limits", "loading", "program", "sessions"),
    ("observe",),
    ("settings",),
    ("stores", "wire"),
    ("errors",),
    ("compute", "program.costs", "program.failures", "program.misfits", "program.scopes", "program.tree"),
    ("program.arrays", "program.operators", "program.pytorch", "program.runtime", "program.stack"),
    ("program.code_expressions", "program.functions"),
    ("program.classes", "program.patterns"),
    ("program.from_code", "program.from_nodes", "program.instances"),
    ("program.operations",),
    ("program.formatting",),
    ("program.builtins",),
    ("program.hosts",),
    ("program.hosted", "program.names"),
    ("program.values",),
    ("program.namespaces",),
    ("program.classbuilding", "program.contexts", "program.modules", "program.reflection"),
    ("program.calls", "program.importing"),
    ("program.libraries",),
    ("program.autograd",),
    ("program.turns",),
    ("program.compiling",),
    ("program.node_functions",),
    ("program.catalog", "program.graphs", "program.interpret"),
    ("evaluate.call", "evaluate.cancellation", "evaluate.nonfinite", "evaluate.plan_cache", "evaluate.shipping"),
    ("evaluate.execution", "evaluate.replay"),
    ("evaluate.run",),
    ("evaluate.evaluator",),
    ("sessions.digests", "sessions.idempotency", "sessions.renames", "sessions.schema", "sessions.value_kinds"),
    ("sessions.session",),
    ("sessions.library_kinds", "sessions.module_kinds"),
    ("sessions.defined_kinds",),
    ("sessions.ledger", "sessions.program_kinds"),
    ("sessions.records", "sessions.vetting"),
    ("sessions.repeating", "sessions.restoring"),
    ("sessions.live",),
    ("sessions.directory",),
    (
        "http.docs",
        "http.edge",
        "http.health_check",
        "http.methods",
        "http.probe",
        "http.unread",
        "operations",
    ),
    ("http.filling",),
    ("http.problems", "http.receiving"),
    ("http.answering", "http.openapi", "http.services"),
    ("http.connection",),
    ("http.cors", "http.dependencies", "http.middleware", "http.problem_pages", "http.scrape"),
    ("http.hot", "routers"),
    ("addresses", "main"),
    ("server",),
    ("commands",),
    ("cli",),
)

OUTSIDE = {"engine": {"ml_dtypes", "numpy", "scipy"}}  # what else a package may import, beside the standard library
WEB = {"fastapi", "starlette", "uvicorn"}
WITHOUT_WEB = (
    "app.compute", "app.evaluate", "app.observe", "app.operations", "app.program", "app.sessions", "app.stores",
    "app.wire",
)  # fmt: skip
OF_COMPUTE = {"app.allocator", "app.compute", "app.errors", "app.limits", "app.loading"}  # what the processes know
RUNS_PROGRAMS = (  # what a front may not reach, but by what its children carry out
    "app.evaluate.evaluator", "app.evaluate.execution", "app.evaluate.run", "app.program.from_code",
    "app.program.from_nodes", "app.program.interpret", "app.sessions.directory", "app.sessions.live",
    "app.sessions.session",
)  # fmt: skip
FRONT = ("app.compute", "app.evaluate.replay", "app.http", "app.routers")

LONGEST_FILE = 600
MEDIAN_FUNCTION = 10


class Import(NamedTuple):
    """``module`` as written; ``name`` where it was ``from module import name``."""

    line: int
    module: str
    name: str | None
    in_function: bool
    for_types: bool

    def target(self, modules: set[str]) -> str:
        """The module that is imported: ``from engine import ops`` means ``engine.ops``."""
        inner = f"{self.module}.{self.name}"
        return inner if inner in modules else self.module


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {module_name(path): path for package in ("engine", "app") for path in (ROOT / package).rglob("*.py")}
TREES = {module: ast.parse(path.read_text(), path.name) for module, path in SOURCES.items()}
MODULES = set(SOURCES)


def rows(package: str, table: Sequence[Sequence[str]]) -> dict[str, int]:
    """Row numbers by full module name."""
    full = ((f"{package}.{name}".removesuffix(".__init__"), row) for row, names in enumerate(table) for name in names)
    return dict(full)


ROWS = rows("engine", ENGINE) | rows("app", APP)


def place(module: str) -> str | None:
    """The entry of the tables that ``module`` falls under."""
    entry = module
    while entry not in ROWS or (entry != module and "." not in entry):
        entry, dot, _ = entry.rpartition(".")
        if not dot:
            return None
    return entry


def package_of(module: str) -> str:
    """What a relative import in ``module`` starts from."""
    is_package = module in SOURCES and SOURCES[module].stem == "__init__"
    return module if is_package else module.rpartition(".")[0]


def imports(tree: ast.AST, module: str, in_function: bool = False, for_types: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(node.lineno, alias.name, None, in_function, for_types)
            case ast.ImportFrom():
                source = resolve_name("." * node.level + (node.module or ""), package_of(module))
                for alias in node.names:
                    yield Import(node.lineno, source, alias.name, in_function, for_types)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from imports(node, module, True, for_types)
            case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                yield from imports(node, module, in_function, True)
            case _:
                yield from imports(node, module, in_function, for_types)


def turns_back(module: str, target: str) -> bool:
    """Whether ``module`` may not import ``target``; two modules of the same entry may see each other."""
    here, there = place(module), place(target)
    if here is None or there is None or here == there or here.startswith("app") != there.startswith("app"):
        return here is not None and here.startswith("engine") and target.startswith("app")
    return ROWS[there] >= ROWS[here]


def all_imports() -> Iterator[tuple[str, Import]]:
    return ((module, found) for module, tree in TREES.items() for found in imports(tree, module))


def where(module: str, found: Import) -> str:
    return f"{SOURCES[module].relative_to(ROOT)}:{found.line} imports {found.module} {found.name or ''}".rstrip()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_every_module_has_a_place() -> None:
    assert not [module for module in MODULES if place(module) is None]


def test_no_arrow_turns_back() -> None:
    arrows = ((module, found) for module, found in all_imports() if not found.for_types)
    assert not [where(m, found) for m, found in arrows if turns_back(m, found.target(MODULES))]


def test_the_engine_imports_numerical_libraries_only() -> None:
    allowed = OUTSIDE["engine"] | sys.stdlib_module_names | {"engine"}
    inside = ((module, found) for module, found in all_imports() if module.split(".")[0] == "engine")
    assert not [where(module, found) for module, found in inside if found.module.split(".")[0] not in allowed]


def test_what_needs_no_web_framework_imports_none() -> None:
    inside = ((module, found) for module, found in all_imports() if module.startswith(WITHOUT_WEB))
    assert not [where(module, found) for module, found in inside if found.module.split(".")[0] in WEB]


def test_the_processes_know_no_use_case() -> None:
    inside = ((m, found) for m, found in all_imports() if m.startswith("app.compute"))
    ours = ((m, found) for m, found in inside if found.module.split(".")[0] in ("app", "engine"))
    known = tuple(OF_COMPUTE)
    assert not [where(m, found) for m, found in ours if not found.target(MODULES).startswith(known)]


def test_the_front_imports_nothing_that_runs_programs() -> None:
    """``app.http.services`` names what its children load; nobody imports it."""
    inside = ((m, found) for m, found in all_imports() if m.startswith(FRONT))
    assert not [where(m, found) for m, found in inside if found.target(MODULES).startswith(RUNS_PROGRAMS)]
    assert HANDLER in MODULES
    assert not [where(m, found) for m, found in all_imports() if found.target(MODULES) == HANDLER]


def test_the_front_reaches_nothing_that_runs_programs() -> None:
    """Neither to serve nor to answer: so it starts without what only compute processes need."""
    assert not [module for module in reached_from("app.commands.serve", "app.main", "app.server") if runs(module)]


def test_what_replays_plans_reaches_nothing_that_runs_programs() -> None:
    reached = reached_from("app.evaluate.replay")
    assert len(reached) > 10
    assert not [module for module in reached if runs(module)]


def reached_from(*modules: str) -> set[str]:
    """What is loaded with ``modules``."""
    reached, found = set[str](), set(modules)
    while found:
        reached |= found
        found = {one.target(MODULES) for m, one in all_imports() if m in found and not one.for_types} - reached
    return reached


def runs(module: str) -> bool:
    return module.startswith((*RUNS_PROGRAMS, HANDLER))


def test_a_store_sees_rows_and_bytes_only() -> None:
    inside = ((module, found) for module, found in all_imports() if module.startswith("app.stores"))
    assert not [where(module, found) for module, found in inside if found.module.split(".")[0] == "engine"]


def test_the_app_uses_the_public_surface_of_the_engine_only() -> None:
    aliases = (a for node in TREES["engine"].body if isinstance(node, ast.ImportFrom) for a in node.names)
    public = {None, *engine.__all__, *(alias.asname for alias in aliases if alias.asname)}
    inside = ((m, found) for m, found in all_imports() if m.startswith("app") and found.module.startswith("engine"))
    assert not [where(m, found) for m, found in inside if found.module != "engine" or found.name not in public]


def test_imports_stand_at_the_top() -> None:
    assert not [where(module, found) for module, found in all_imports() if found.in_function and not found.for_types]


@pytest.mark.parametrize("folder", ["app", "bench", "engine", "scripts", "tests"])
def test_no_file_is_too_long(folder: str) -> None:
    counts = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert not {str(path.relative_to(ROOT)): count for path, count in counts.items() if count > LONGEST_FILE}


@pytest.mark.parametrize("package", ["app", "engine"])
def test_the_median_function_is_short(package: str) -> None:
    counts = [lines(node) for module in MODULES if module.split(".")[0] == package for node in functions(TREES[module])]
    assert statistics.median(counts) <= MEDIAN_FUNCTION


@pytest.mark.parametrize(
    ("module", "line", "refused"),
    [
        ("engine.tensor", "from engine.storage import Storage", False),
        ("engine.tensor", "from engine import dtypes", False),
        ("engine.tensor", "from engine import ops", True),
        ("engine.autograd.tape", "import engine.op", True),
        ("engine.autograd.tape", "from engine import Tensor", True),
        ("engine.autograd.tape", "from ..op import primitive", True),
        ("engine.ops.shape.views", "from engine.ops.reduce import sums", False),
        ("engine.errors", "import app.settings", True),
        ("app.wire.codec", "from app.stores import memory", True),
        ("app.evaluate.run", "from app.wire import codec", False),
        ("app.limits", "from app.evaluate import run", True),
        ("app.compute.front", "from app.operations import handler", True),
        ("app.operations.handler", "from app.http import services", True),
        ("app.evaluate.run", "from app.routers import evaluate", True),
    ],
)
def test_an_arrow_that_turns_back_is_seen(module: str, line: str, refused: bool) -> None:
    modules = MODULES | {"app.evaluate.run", "app.routers.evaluate", "engine.ops", "engine.op"}
    (found,) = imports(ast.parse(line), module)
    assert turns_back(module, found.target(modules)) is refused


def test_a_module_without_a_place_is_seen() -> None:
    assert place("engine.helpers") is None
    assert place("app.helpers.text") is None
    assert place("engine.ops.linalg.solve") == "engine.ops"


def test_an_import_inside_a_function_is_seen() -> None:
    late = "def call():\n    import json\n    if TYPE_CHECKING:\n        import ast\n"
    assert [(found.in_function, found.for_types) for found in imports(ast.parse(late), "engine.op")] == [
        (True, False),
        (True, True),
    ]
