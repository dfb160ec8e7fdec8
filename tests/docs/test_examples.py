"""The documentation's examples run, and print what the pages show."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pages import DOCS, ROOT, SLOW, Block, blocks_of, install, is_excerpt, missing_lines, run

PAGES = [page for page in sorted(DOCS.rglob("*.md")) if any(block.runs for block in blocks_of(page))]
CMAKE = shutil.which("cmake") and shutil.which("g++")


def is_slow(page: Path) -> bool:
    """Tell whether a page says so, or has more than one example."""
    return SLOW in page.read_text(encoding="utf-8") or sum(block.runs for block in blocks_of(page)) > 1


EACH_PAGE = [
    pytest.param(
        page,
        id=page.relative_to(DOCS).as_posix(),
        marks=pytest.mark.slow if is_slow(page) else (),
    )
    for page in PAGES
]


@pytest.mark.parametrize("page", EACH_PAGE)
def test_examples_run_and_print_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("benchmarks", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    packages = [tmp_path / block.package for block in blocks_of(page) if block.package]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, ROOT, *packages))))
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks_of(page):
        if block.file:
            target = tmp_path / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.code, encoding="utf-8")
        elif block.origin:
            assert is_excerpt(block.code, (tmp_path / block.origin).read_text(encoding="utf-8")), block.code
        elif block.package:
            install(tmp_path / block.package)
        elif block.runs and (block.mark != "cpp" or CMAKE):
            printed = run(block, tmp_path, names)
            assert missing_lines(block.output, printed) == [], printed


def test_a_line_that_was_not_printed_is_seen() -> None:
    assert missing_lines("a\n…\nb 1\nc …\n", "a\nx\nb 1\nc 2\n") == []
    assert missing_lines("a\nb 1\n", "a\nb 2\n") == ["b 1"]
    assert missing_lines("b\na\n", "a\nb\n") == ["a"]


def test_a_line_that_a_file_lacks_is_seen() -> None:
    assert is_excerpt("a\n  b\n  // …\nd\n", "x\n  a\n    b\nc\nd\n")
    assert not is_excerpt("a\nc\n", "a\nb\nc\n")
    assert not is_excerpt("c\n# …\na\n", "a\nb\nc\n")


def test_marks_are_known() -> None:
    found = [(page.name, block.mark) for page in DOCS.rglob("*.md") for block in blocks_of(page) if block.mark]
    assert [m for m in found if not is_known(m[1])] == []


def is_known(mark: str) -> bool:
    return mark in ("fails", "cpp") or mark.startswith(("not run: ", "file: ", "from: ", "installs: "))


def test_a_mark_belongs_to_the_block_that_follows_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- fails -->\n```sh\nfalse\n```\n```text\nx\n```\n\n```python\n1\n```\n", encoding="utf-8")
    assert list(blocks_of(page)) == [Block("fails", "sh", "false\n", "x\n"), Block("", "python", "1\n", "")]
