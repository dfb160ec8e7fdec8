"""Remedies name the options of the interface that a call came from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kgenn
from kgenn.diagnostics import Diagnostic, KgennError, grouped
from kgenn.remedies import OF_COMMANDS, OPTIONS, in_python

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[1]
# What kgenn passes to compilers and tools, not to itself; `--no-` begins the flag that switches a truth value off.
OF_TOOLS = {"--no-undefined", "--fmad", "--query-gpu", "--format", "--version", "--no"}
# Options of kgenn bench, of which codes.py speaks.
OF_SWEEPS = {"--models"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pass --allow bias to inject it", 'pass allow=("bias",) to inject it'),
        ("pass --allow batch-norm", 'pass allow=("batch-norm",)'),
        ("give --scale 1/255, or leave --scale out", 'give scale="1/255" in kgenn.samples, or leave scale out'),
        ("pass --timesteps 64, a larger --loss or more", "pass timesteps=64, a larger loss or more"),
        ("pass --scale-rule percentile", 'pass scale_rule="percentile"'),
        ("as in --input-shape 28,28,1; or", "as in input_shape=(28, 28, 1); or"),
        ("compile with --frames where", "compile with frames=True where"),
        ("pass --metric kind=accuracy; or", 'pass metric={"kind": "accuracy"}; or'),
        ("pass --threshold yes=0.3, --task a=binary", 'pass threshold={"yes": 0.3}, task={"a": "binary"}'),
        ("--input-shape a/b=4,4 --encoder x=poisson", 'input_shape={"a/b": (4, 4)} encoder={"x": "poisson"}'),
        ("name them: --task a=classes,b=binary", 'name them: task={"a": "classes", "b": "binary"}'),
        ("--input-shape a=4,4 or", 'input_shape={"a": (4, 4)} or'),
        ("as in --input-shape 'b in=6,6'", 'as in input_shape={"b in": (6, 6)}'),
        ("give --task '\"a,b=binary\",c d=classes'", 'give task={"a,b": "binary", "c d": "classes"}'),
        ("give --scale image=1/255; or", 'give scale="1/255" in kgenn.samples for image; or'),
        ("pass --scale a/b=1, the", 'pass scale="1" in kgenn.samples for a/b, the'),
        ("pass --task: classes, or another --task", "pass task: classes, or another task"),
        ("or --target cpu; a sample", 'or target="cpu"; a sample'),
        ("run `kgenn run --limit 1 --data FILE`", "run `kgenn run --limit 1 --data FILE`"),
        ("see kgenn bench --dry-run, a--allow and --allowed", "see kgenn bench --dry-run, a--allow and --allowed"),
    ],
)
def test_options_become_arguments(text: str, shown: str) -> None:
    assert in_python(text) == shown


def test_a_call_from_python_is_told_of_arguments_and_a_command_of_options() -> None:
    problem, *_ = kgenn.check(ROOT / "benchmarks" / "models" / "convnext.keras")
    assert problem.code == "KG201"
    assert 'pass allow=("bias",) to inject' in str(problem)
    assert "pass --allow bias to inject" in problem.for_terminal()
    with pytest.raises(KgennError, match=r'^error\[KG401\] allow=\("biass",\): unknown feature'):
        kgenn.check(ROOT / "benchmarks" / "models" / "mnist_cnn.h5", allow="biass")


def test_names_from_files_are_left_as_they_are() -> None:
    text = str(Diagnostic("KG101", "model --allow bias.h5", "--allow bias is no file"))
    assert text == "error[KG101] model --allow bias.h5: --allow bias is no file"


def strings(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, kinds)]
    docs = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_every_option_that_a_message_names_has_its_python() -> None:
    known = OPTIONS.keys() | OF_COMMANDS | OF_TOOLS | OF_SWEEPS
    package = ROOT / "kgenn"
    files = [p for p in package.rglob("*.py") if p.relative_to(package).parts[0] not in ("cli", "bench")]
    found = {
        (path.name, option)
        for path in files
        for text in strings(ast.parse(path.read_text(encoding="utf-8")))
        for option in re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", text)
    }
    assert len(found) > 30
    assert {(name, option) for name, option in found if option not in known} == set()


def test_places_of_one_kind_are_named_once() -> None:
    said = [
        Diagnostic("KG452", where, f"{count} are few", "give more")
        for where, count in zip("aabcb", range(5), strict=True)
    ]
    (found,) = grouped(said)
    assert (found.where, found.what) == ("a", "0 are few; likewise b, c")
    assert grouped(said[:2]) == (said[0],)


def test_places_of_which_something_else_is_said_are_not_alike() -> None:
    said = [
        Diagnostic("KG410", where, what, "use another target")
        for where, what in (("a", "has stages"), ("b", "has the model x-2.5"), ("c", "has the model x-1,024"))
    ]
    assert [str(found).splitlines()[0] for found in grouped(said)] == [
        "error[KG410] a: has stages",
        "error[KG410] b: has the model x-2.5; likewise c",
    ]
