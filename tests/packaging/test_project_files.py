"""What contributors read names what there is, and versions agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import kgenn

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {kgenn.__version__}\n" in text("CITATION.cff")


def test_every_link_of_the_guide_leads_somewhere() -> None:
    page = text("CONTRIBUTING.md")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if "://" not in link]
    paths = re.findall(r"`((?:tests|docs|benchmarks|kgenn|\.ci)/[\w./-]*)`", page)
    assert len(links) > 4
    assert [path for path in (*links, *paths) if not (ROOT / path).exists()] == []


def test_the_workflow_tests_every_python_that_is_promised() -> None:
    classifiers = tomllib.loads(text("pyproject.toml"))["project"]["classifiers"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    (matrix,) = re.findall(r"python: \[(.*)\]", text(".github/workflows/tests.yml"))
    assert set(promised) <= set(re.findall(r"3\.\d+", matrix))
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_the_release_runs_the_first_command_of_the_readme() -> None:
    (pattern,) = re.findall(r"grep -m 1 '(.*)' README.md", text(".ci/release"))
    assert re.search(pattern, text("README.md"), flags=re.MULTILINE)
