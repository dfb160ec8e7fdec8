"""The shape of the code: import direction, sizes, docstrings, public names, and what `import kgenn` loads."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kgenn"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60

# A unit is a package or a top-level module of kgenn. ALLOWED says which others it may import, in functions too:
#     ir <- layers <- frontend | passes | conversion | encoders | backends | metrics <- api <- cli
# The foundation is open to all. Of the units side by side, only conversion reads others: it lowers the graph and
# holds an encoder. `kgenn` is the package itself, whose `__version__` every unit may read.
FOUNDATION = {
    *(
        "checksums",
        "citations",
        "diagnostic_codes",
        "comma_list",
        "config",
        "diagnostics",
        "display",
        "durable",
        "output",
    ),
    *("registry", "remedies", "scratch", "strict_json"),
}
MIDDLE = {"ir", "layers", "tasks", "frontend", "passes", "encoders", "conversion", "backends", "metrics"}
ALLOWED: dict[str, set[str]] = {
    "checksums": set(),
    "comma_list": set(),
    "diagnostic_codes": set(),
    "remedies": {"comma_list"},
    "diagnostics": {"diagnostic_codes", "comma_list", "remedies"},
    "registry": {"diagnostic_codes", "diagnostics"},
    "display": {"diagnostic_codes", "diagnostics", "registry"},
    "scratch": set(),
    "durable": set(),
    "output": {"checksums", "diagnostic_codes", "diagnostics", "durable", "scratch"},
    "strict_json": set(),
    "config": {"diagnostic_codes", "diagnostics", "registry"},
    "citations": {"diagnostic_codes", "diagnostics"},
    "ir": FOUNDATION,
    "layers": FOUNDATION | {"ir"},
    "tasks": FOUNDATION | {"ir"},
    "frontend": FOUNDATION | {"ir", "layers"},
    "passes": FOUNDATION | {"ir", "layers"},
    "encoders": FOUNDATION | {"ir", "layers"},
    "conversion": FOUNDATION | {"ir", "layers", "passes", "encoders"},
    "backends": FOUNDATION | {"ir", "layers", "tasks"},
    "metrics": FOUNDATION | {"ir", "layers", "tasks"},
    "agreement": FOUNDATION | {"ir", "tasks", "conversion", "backends", "metrics"},
    "plausibility": FOUNDATION | {"ir", "layers"},
    "array_names": FOUNDATION | {"ir"},
    "data": FOUNDATION | {"ir", "plausibility", "array_names"},
    "data_errors": FOUNDATION | {"ir", "data"},
    "events": FOUNDATION | {"ir"},
    "trace": FOUNDATION | {"ir"},
    "trace_file": FOUNDATION | {"ir"},
    "record": FOUNDATION | {"ir", "tasks"},
    "self_test": FOUNDATION | {"ir", "backends"},
    "artifact": FOUNDATION | {"ir", "tasks", "backends", "record", "self_test"},
    "verification": FOUNDATION | {"ir", "backends", "artifact", "self_test"},
    "export": FOUNDATION | {"ir", "backends"},
    "report": FOUNDATION | {"ir", "layers", "tasks", "backends", "metrics", "bench", "trace_file"},
    "baseline": FOUNDATION | {"ir", "tasks", "conversion"},
    "timestep_search": FOUNDATION | {"ir", "conversion", "baseline"},
    "methods": FOUNDATION | {"conversion", "encoders", "passes", "timestep_search"},
    "convert_model": FOUNDATION
    | {"ir", "tasks", "conversion", "agreement", "plausibility", "data", "timestep_search"}
    | {"baseline"},
    "credits": FOUNDATION | {"ir", "conversion", "encoders", "backends", "artifact"},
    "stream": FOUNDATION | {"ir", "backends", "data"},
    "neurobench": FOUNDATION | {"ir", "backends"},
    "compiled": FOUNDATION
    | MIDDLE
    | {"plausibility", "data", "artifact", "self_test", "credits", "stream", "neurobench"},
    "api": FOUNDATION
    | MIDDLE
    | {"agreement", "plausibility", "data", "artifact", "timestep_search", "convert_model", "compiled"},
    "bench": FOUNDATION
    | MIDDLE
    | {
        "data",
        "data_errors",
        "artifact",
        "timestep_search",
        "baseline",
        "methods",
        "convert_model",
        "compiled",
        "api",
    },
    "kgenn": FOUNDATION | MIDDLE | {"api", "compiled", "events", "export", "stream", "verification"},
    "cli": FOUNDATION
    | MIDDLE
    | {
        "agreement",
        "plausibility",
        "data",
        "data_errors",
        "artifact",
        "self_test",
        "verification",
        "trace",
        "trace_file",
        "report",
        "api",
    }
    | {"export", "events", "timestep_search", "convert_model", "credits", "compiled", "methods", "bench", "kgenn"},
    "__main__": {"cli"},
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def unit_of(path: Path) -> str:
    """Return the package or top-level module of kgenn that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "kgenn" if first == "__init__" else first


def imported_units(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, unit) for each import of a part of kgenn; `from kgenn import __version__` does not count."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            origins = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            origins = [alias.name for alias in node.names]
        else:
            continue
        for package, *rest in (origin.split(".") for origin in origins):
            if package == "kgenn" and rest != ["__version__"]:
                yield node.lineno, rest[0] if rest and rest[0] in ALLOWED else "kgenn"


def forbidden_imports(unit: str, tree: ast.AST) -> list[str]:
    """List the imports that ALLOWED does not grant to a unit."""
    return [
        f"line {line}: kgenn.{unit} imports {target}"
        for line, target in imported_units(tree)
        if target != unit and target not in ALLOWED[unit]
    ]


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """Yield the public functions and classes of a module or class body."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node


def documented(tree: ast.Module) -> Iterator[Definition]:
    """Yield what must have a docstring.

    These are the public functions and classes, and the public methods of classes without a base; a derived class
    may leave the word to the method that it overrides.
    """
    for node in public(tree.body):
        yield node
        if isinstance(node, ast.ClassDef) and not node.bases:
            yield from public(node.body)


def handler_names(handler: ast.ExceptHandler) -> set[str]:
    """Return the names of the exceptions a handler catches; a bare `except:` catches BaseException."""
    if handler.type is None:
        return {"BaseException"}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


@each_file
def test_imports_go_in_one_direction(path: Path) -> None:
    unit = unit_of(path)
    assert unit in ALLOWED, f"state in ALLOWED what kgenn.{unit} may import"
    assert forbidden_imports(unit, TREES[path]) == []


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("frontend", "from kgenn.passes.noops import drop"),
        ("ir", "from kgenn import layers"),
        ("passes", "def late():\n    import kgenn.backends.cpp"),
        ("conversion", "import numpy, kgenn.backends.cpp"),
        ("backends", "from kgenn import convert"),
        ("api", "import kgenn"),
    ],
)
def test_an_import_in_the_wrong_direction_is_seen(unit: str, source: str) -> None:
    assert len(forbidden_imports(unit, ast.parse(source))) == 1


def test_the_table_of_imports_has_no_cycle() -> None:
    order: list[str] = []
    while len(order) < len(ALLOWED):
        ready = [unit for unit in ALLOWED if unit not in order and ALLOWED[unit] <= set(order)]
        assert ready, f"a cycle among {set(ALLOWED) - set(order)}"
        order += ready


@each_file
def test_modules_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES
    functions = [node for node in ast.walk(TREES[path]) if isinstance(node, Function)]
    lengths = [(f.name, (f.end_lineno or f.lineno) - f.lineno + 1) for f in functions]
    assert [(name, length) for name, length in lengths if length > MAX_FUNCTION_LINES] == []


@each_file
def test_public_names_have_docstrings(path: Path) -> None:
    tree = TREES[path]
    if tree.body:  # an empty __init__.py has nothing to say
        assert ast.get_docstring(tree), "the module has no docstring"
    assert [node.name for node in documented(tree) if not ast.get_docstring(node)] == []


@each_file
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)]
    prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert prints == [] or unit_of(path) == "cli"


@each_file
def test_only_one_module_moves_files_into_place(path: Path) -> None:
    calls = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.Attribute)]
    moves = {(call.value.id, call.attr) for call in calls if isinstance(call.value, ast.Name)}
    assert not moves & {("os", "rename"), ("os", "replace"), ("shutil", "move")} or unit_of(path) == "durable"


@each_file
def test_no_handler_catches_everything(path: Path) -> None:
    handlers = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ExceptHandler)]
    found = [h.lineno for h in handlers if handler_names(h) & {"Exception", "BaseException"}]
    assert len(found) == (1 if path == PACKAGE / "registry.py" else 0), found  # importing the code of others


def test_a_class_name_stands_once() -> None:
    places: dict[str, list[str]] = {}
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_all_is_sorted_and_every_name_resolves() -> None:
    import kgenn

    def isort_key(name: str) -> tuple[bool, bool, str]:
        # the order ruff's RUF022 asks for: CONSTANTS, then Classes, then functions
        return not name.isupper(), not name[0].isupper(), name

    assert list(kgenn.__all__) == sorted(set(kgenn.__all__), key=isort_key)
    assert [name for name in kgenn.__all__ if not hasattr(kgenn, name)] == []


# prints the packages outside the standard library that `import kgenn` adds; a module without a file is only an
# object that an extension module keeps there
LOADED = """
import json, sys
before = set(sys.modules)
import kgenn
added = {name for name in set(sys.modules) - before if getattr(sys.modules[name], "__file__", None)}
print(json.dumps(sorted({name.partition(".")[0] for name in added} - sys.stdlib_module_names)))
"""


def test_importing_kgenn_loads_at_most_numpy() -> None:
    run = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(run.stdout)) - {"kgenn"} <= {"numpy"}
