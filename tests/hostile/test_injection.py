"""Names from a model file stand in sources, reports and on terminals as words, and do nothing there."""

from __future__ import annotations

import ast
import copy
import io
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest

from benchmarks.fuzz.seeds import archive_bytes, layers
from kgenn import DataNorm, convert, load
from kgenn.backends import TARGETS
from kgenn.backends.genn_names import population_names
from kgenn.cli import invoke
from kgenn.encoders.base import Encoder
from kgenn.encoders.integrate_fire import IntegrateFire
from kgenn.export import EXPORTERS
from kgenn.ir.network import Network
from kgenn.report.picture import model_picture, network_picture

# Each can be seen, and so stands in a model that is read.
NASTY = [
    "*/ int main() { return 1; } /*",
    "ends in a backslash \\",
    '"""; import os; os.system("true") #',
    "??/",
    "<script>alert(1)</script>",
    "\"' onload='alert(1)",
    "]]> &lt; &amp;",
    "{{ 7 * 7 }}{% raw %}",
    "[link=http://example.org]x[/link][red]",
    "=cmd|' /C calc'!A0",
    "../../../tmp/escaped",
    "%s %n {0} ${HOME} `true` $(true)",
    "層 naïve",
    "#define Population",
]
ALLOW = ("bias", "batch-norm", "max-pool", "relu-cap", "zero-padding")


def model(folder: Path, nasty: bool, leave: str = "") -> Path:
    """Write a small chain of layers with plain or with nasty names; `leave` is one to leave out."""
    chosen = [e for e in layers() if e[1]["name"] in {"x", "conv", "dw", "relu", "max", "shape"} - {leave}]
    weights = np.random.default_rng(3).normal(size=(48 if leave == "max" else 12, 4)).astype(np.float32)
    chain = copy.deepcopy([*chosen, ("Dense", {"name": "y", "units": 4, "use_bias": False}, [], [weights])])
    names = iter([f"{one} {other}" for one, other in zip(NASTY[:7], NASTY[7:], strict=True)])
    for i, (_, options, _, _) in enumerate(chain):
        options["name"] = "x" if i == 0 else next(names) if nasty else f"layer{i}"
    linked: Any = [
        (kind, options, [chain[i - 1][1]["name"]] if i else [], arrays)
        for i, (kind, options, _, arrays) in enumerate(chain)
    ]
    path = folder / ("<nasty>.keras" if nasty else "plain.keras")
    path.write_bytes(archive_bytes(linked))
    return path


def network(path: Path, encoder: Encoder | None = None) -> Network:
    samples = np.random.default_rng(4).random((8, 4, 4, 2), np.float32)
    options: dict[str, Any] = {"calibration": samples, "timesteps": 4, "allow": ALLOW, "encoder": encoder}
    return convert(load(path), converter=DataNorm(), **options)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return model(folder, nasty=False), model(folder, nasty=True)


@pytest.fixture(scope="module")
def networks(models: tuple[Path, Path]) -> tuple[Network, Network]:
    plain, nasty = map(network, models)
    assert any("*/" in p.name for p in nasty.populations)
    return plain, nasty


@pytest.mark.parametrize("target", sorted(TARGETS.names()))
def test_no_file_has_another_name_because_of_a_name(networks: tuple[Network, Network], target: str) -> None:
    plain, nasty = (TARGETS.get(target)().emit(each).files for each in networks)
    assert list(nasty) == list(plain)
    assert not [name for name in nasty if ".." in name or name.startswith("/")]


def test_generated_cpp_compiles_and_is_the_same_but_for_comments(
    networks: tuple[Network, Network], tmp_path: Path
) -> None:
    plain, nasty = (TARGETS.get("cpu")().emit(each).files for each in networks)
    for folder, files in (("plain", plain), ("nasty", nasty)):
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    # the preprocessor takes comments away, so that what is left is what the compiler sees
    command = ["g++", "-std=c++17", "-E", "-P", "-trigraphs", "network.cpp"]
    runs = [subprocess.run(command, cwd=tmp_path / f, capture_output=True, check=True) for f in ("plain", "nasty")]
    assert runs[0].stdout == runs[1].stdout
    assert plain["weights.bin"] == nasty["weights.bin"]
    checked = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "network.cpp"]
    subprocess.run(checked, cwd=tmp_path / "nasty", check=True)


def without_words(source: bytes) -> str:
    """Return Python code without its docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.dump(tree)


@pytest.mark.parametrize("target", ["genn-cpu", "genn-cuda"])
def test_generated_python_has_the_same_statements(networks: tuple[Network, Network], target: str) -> None:
    plain, nasty = (TARGETS.get(target)().emit(each).files["model.py"] for each in networks)
    assert plain != nasty
    assert with_numbers(plain, networks[0]) == with_numbers(nasty, networks[1])


def with_numbers(source: bytes, network: Network) -> str:
    """Return the statements of a program for GeNN with numbers in place of the names that follow the layers'."""
    statements = without_words(source)
    names = population_names(network).values()
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) for name in names)
    numbers = {name: f"<{number}>" for number, name in enumerate(names)}
    longest_first = "|".join(sorted(numbers, key=len, reverse=True))
    return re.sub(longest_first, lambda found: numbers[found[0]], statements)


@pytest.fixture(scope="module")
def exportable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Network]:
    """Return networks that other formats can hold: spikes as input, and no maximum."""
    folder = tmp_path_factory.mktemp("exportable")
    plain, nasty = (network(model(folder, each, leave="max"), IntegrateFire()) for each in (False, True))
    return plain, nasty


def test_exported_ml_genn_has_the_same_statements(exportable: tuple[Network, Network]) -> None:
    plain, nasty = (EXPORTERS.get("ml-genn")().emit(each, "out.py").files for each in exportable)
    assert list(plain) == list(nasty) == ["out.py", "out.npz"]
    assert with_numbers(plain["out.py"], exportable[0]) == with_numbers(nasty["out.py"], exportable[1])


def test_exported_nir_has_plain_paths(exportable: tuple[Network, Network]) -> None:
    pytest.importorskip("nir")
    content = EXPORTERS.get("nir")().emit(exportable[1], "out.nir").files["out.nir"]
    with h5py.File(io.BytesIO(content)) as file:
        names = list(file["node/nodes"])
    assert len(names) > 5
    assert all(name.replace("_", "a").isalnum() for name in names)


def elements(svg: bytes) -> list[tuple[str, list[str]]]:
    return [(element.tag, sorted(element.attrib)) for element in ElementTree.fromstring(svg).iter()]


def test_pictures_have_the_same_elements(models: tuple[Path, Path], networks: tuple[Network, Network]) -> None:
    for plain, nasty in (map(network_picture, networks), map(model_picture, map(load, models))):
        assert elements(plain) == elements(nasty)


class Elements(HTMLParser):
    """The elements of a page with their attributes' names."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, sorted(name for name, _ in attrs)))


@pytest.mark.slow
def test_a_report_has_the_same_elements(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.fuzz.seeds import CELL, FAILED, SWEEP
    from kgenn.report.sweep.page import report_files
    from kgenn.report.sweep.results import read_results

    pages = []
    for number, name in enumerate(["plain word", "</title><img src=x onerror=alert(1)>"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        sweep, cell, failed = map(copy.deepcopy, (SWEEP, CELL, FAILED))
        sweep["experiments"][0].update(title=name, note=name, source=name)
        cell["axes"]["model"] = failed["axes"]["model"] = name
        failed["error"][0].update(where=name, what=name, help=name)
        cell["rerun"].update(command=[name], model={"file": name, "sha256": name})
        (folder / "sweep.json").write_text(json.dumps(sweep))
        (folder / "cells.jsonl").write_text(f"{json.dumps(cell)}\n{json.dumps(failed)}\n")
        files = report_files(read_results(folder))
        pages.append(files["index.html"])
        assert not [line for line in files["cells.csv"].decode().splitlines() if line.startswith(("=", "+", "@"))]
    plain, nasty = (Elements(page).found for page in pages)
    assert nasty == plain
    assert b"onerror=alert" in pages[1].replace(b"&#34;", b"")


@pytest.mark.parametrize("command", ["check", "inspect"])
def test_a_terminal_is_not_steered(
    models: tuple[Path, Path], command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    invoke([command, str(models[1])])
    shown = "".join(capfd.readouterr())
    assert "[link=" in shown
    assert "\x1b]8" not in shown  # what rich makes of [link=…]
    assert "\x07" not in shown


def test_a_message_about_a_file_cannot_steer_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\x1b[2J\x1b]0;x\x07.h5"
    path.write_bytes(b"\x1b[31m")
    assert invoke(["check", str(path)]) == 1
    shown = "".join(capfd.readouterr())
    assert "KG102" in shown
    assert shown.replace("\n", "").isprintable()
