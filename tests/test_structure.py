"""The shape of the code: import direction, sizes, docstrings, public names, and what `import kgenn` loads."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

pytestmark = pytest.mark.quick

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
    *("citations", "comma_list", "config", "diagnostic_codes", "diagnostics", "display", "files", "registry"),
    "remedies",
}
MIDDLE = {"ir", "layers", "tasks", "frontend", "passes", "encoders", "conversion", "backends", "metrics"}
ALLOWED: dict[str, set[str]] = {
    "comma_list": set(),
    "diagnostic_codes": set(),
    "remedies": {"comma_list"},
    "diagnostics": {"diagnostic_codes", "comma_list", "remedies"},
    "registry": {"diagnostics"},
    "display": {"diagnostics", "registry"},
    "files": {"diagnostics"},
    "config": {"diagnostics", "registry"},
    "citations": {"diagnostics"},
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
    "data": FOUNDATION | {"ir", "layers"},
    "events": FOUNDATION | {"ir"},
    "trace": FOUNDATION | {"ir"},
    "artifact": FOUNDATION | {"ir", "tasks", "conversion", "encoders", "backends"},
    "export": FOUNDATION | {"ir", "backends"},
    "report": FOUNDATION | {"ir", "layers", "tasks", "backends", "metrics", "bench", "trace"},
    "baseline": FOUNDATION | {"ir", "tasks", "conversion"},
    "timestep_search": FOUNDATION | {"ir", "conversion", "baseline"},
    "method_options": FOUNDATION | {"conversion", "encoders", "passes", "timestep_search"},
    "convert_model": FOUNDATION
    | {"ir", "tasks", "conversion", "agreement", "data", "timestep_search", "baseline"},
    "stream": FOUNDATION | {"ir", "backends", "data"},
    "neurobench": FOUNDATION | {"ir", "backends"},
    "compiled": FOUNDATION | MIDDLE | {"data", "artifact", "stream", "neurobench"},
    "api": FOUNDATION | MIDDLE | {"agreement", "data", "artifact", "timestep_search", "convert_model", "compiled"},
    "bench": FOUNDATION
    | MIDDLE
    | {"data", "artifact", "timestep_search", "baseline", "method_options", "convert_model", "compiled", "api"},
    "kgenn": FOUNDATION | MIDDLE | {"api", "artifact", "compiled", "events", "export", "stream"},
    "cli": FOUNDATION
    | MIDDLE
    | {"agreement", "data", "artifact", "trace", "report", "api", "export", "events", "timestep_search"}
    | {"convert_model", "compiled", "method_options", "bench", "kgenn"},
    "__main__": {"cli"},
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
T = TypeVar("T", bound=ast.AST)


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


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def nodes(kind: type[T]) -> Iterator[tuple[Path, T]]:
    """Yield each node of a kind with its file."""
    for path, tree in TREES.items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kind))


def test_imports_go_in_one_direction() -> None:
    units = {path: unit_of(path) for path in FILES}
    assert {*units.values()} == {*ALLOWED}, "state in ALLOWED what each part of kgenn may import"
    assert [found for path in FILES for found in forbidden_imports(units[path], TREES[path])] == []


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


def test_modules_and_functions_are_short() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MAX_MODULE_LINES} == {}
    functions = [(path, f, (f.end_lineno or f.lineno) - f.lineno + 1) for path, f in nodes(Function)]
    assert [place(path, f.lineno) for path, f, length in functions if length > MAX_FUNCTION_LINES] == []


def test_public_names_have_docstrings() -> None:
    # an empty __init__.py has nothing to say
    modules = [str(path) for path, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]
    names = [place(p, n.lineno) for p, tree in TREES.items() for n in documented(tree) if not ast.get_docstring(n)]
    assert modules + names == []


def calls_of(names: set[str]) -> list[tuple[Path, int]]:
    """Return the calls of built-in functions."""
    calls = ((path, call) for path, call in nodes(ast.Call) if isinstance(call.func, ast.Name))
    return [(path, call.lineno) for path, call in calls if getattr(call.func, "id", "") in names]


def test_only_the_command_line_prints() -> None:
    assert [place(path, line) for path, line in calls_of({"print"}) if unit_of(path) != "cli"] == []


def test_nothing_is_evaluated_and_only_programs_are_executed() -> None:
    assert calls_of({"eval"}) == []
    programs = {PACKAGE / "backends" / "genn_worker.py", PACKAGE / "export" / "ml_genn.py"}
    assert {path for path, _ in calls_of({"exec"})} == programs


def test_only_one_module_moves_files_into_place() -> None:
    moves = {("os", "rename"), ("os", "replace"), ("shutil", "move")}
    found = [(path, use) for path, use in nodes(ast.Attribute) if isinstance(use.value, ast.Name)]
    places = {path for path, use in found if (getattr(use.value, "id", ""), use.attr) in moves}
    assert places == {PACKAGE / "files" / "durable.py"}


def test_the_standard_library_is_used_by_its_public_names() -> None:
    found = [(path, use) for path, use in nodes(ast.Attribute) if isinstance(use.value, ast.Name)]
    private = [
        (place(path, use.lineno), f"{module}.{use.attr}")
        for path, use in found
        if (module := getattr(use.value, "id", "")) in sys.stdlib_module_names
        and use.attr.startswith("_")
        and not use.attr.startswith("__")
        and (module, use.attr) != ("os", "_exit")  # which is documented
    ]
    assert private == []


def test_no_handler_catches_everything() -> None:
    handlers = [(path, h) for path, h in nodes(ast.ExceptHandler)]
    found = [path for path, h in handlers if handler_names(h) & {"Exception", "BaseException"}]
    assert found == [PACKAGE / "registry.py"]  # importing the code of others


def test_a_class_name_stands_once() -> None:
    places: dict[str, list[str]] = {}
    for path, node in nodes(ast.ClassDef):
        places.setdefault(node.name.lstrip("_"), []).append(place(path, node.lineno))
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
