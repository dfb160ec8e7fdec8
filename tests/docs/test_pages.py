"""The documentation covers what there is, and names only what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, ROOT

import kgenn
from kgenn.conversion import CONVERTERS
from kgenn.encoders import ENCODERS

ALL = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}


def test_every_public_name_is_in_the_reference() -> None:
    page = ALL[DOCS / "reference" / "api.md"]
    documented = set(re.findall(r"auto(?:function|class|exception):: kgenn\.(\w+)$", page, flags=re.MULTILINE))
    assert documented == set(kgenn.__all__)


def test_every_method_has_a_page_with_its_own_figures() -> None:
    for name in CONVERTERS.names():
        page = ALL[DOCS / "methods" / f"{name}.md"]
        for kind in (f"method {name}", f"options converter {name}", "neuron "):
            assert f"<!-- generated: {kind}" in page, name


def test_every_encoder_has_its_options() -> None:
    page = ALL[DOCS / "concepts" / "encoders.md"]
    found = set(re.findall(r"generated: (?:options )?encoder ([\w-]+) -->", page))
    assert found == set(ENCODERS.names())


def test_every_test_that_a_page_names_exists() -> None:
    found = [(path, name) for text in ALL.values() for path, name in re.findall(r"`(tests/\S+\.py)::(\w+)`", text)]
    assert found
    assert [f for f in found if f"def {f[1]}(" not in (ROOT / f[0]).read_text(encoding="utf-8")] == []


def test_every_file_that_a_page_names_exists() -> None:
    found = {
        p
        for text in ALL.values()
        for p in re.findall(r"`((?:kgenn|tests|benchmarks|configs|templates)/\S*)`", text)
    }
    made = {"kgenn/conversion/sigma_norm.py", "templates/NAME/"}
    missing = [path for path in sorted(found - made) if not (ROOT / path.partition("::")[0]).exists()]
    assert missing == []


@pytest.mark.slow
def test_the_pages_build_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {p.relative_to(tmp_path).with_suffix("") for p in tmp_path.rglob("*.html")}
    assert {p.relative_to(DOCS).with_suffix("") for p in ALL} <= pages


@pytest.mark.slow
def test_built_pages_ask_nothing_of_other_machines(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    asked = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+\"")
    found = {hit for page in tmp_path.rglob("*.html") for hit in asked.findall(page.read_text(encoding="utf-8"))}
    assert found == set()
