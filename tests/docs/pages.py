"""Read the examples out of the documentation's pages, and run them.

Every block of shell and Python runs, in order, in one directory that has the repository's `benchmarks` and
`configs`. A block of text right after one is what it prints: each line must be in the output, a line that ends in
… up to there, and a line of … alone stands for any others. A comment right before a block says otherwise:

| comment | the block |
|---|---|
| `<!-- not run: REASON -->` | is not run |
| `<!-- fails -->` | ends with exit code 1 |
| `<!-- file: NAME -->` | is written to a file |
| `<!-- from: NAME -->` | is an excerpt of a file that earlier blocks made; a comment of … stands for any lines |
| `<!-- cpp -->` | runs where CMake and a compiler are, slowly |
| `<!-- installs: FOLDER -->` | is not run; the package in the folder is put on the path with its entry points |
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```\n"
    r"(?:```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
SLOW = "<!-- slow -->"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        mark: the comment before it, or empty.
        language: after the fence.
        output: what it prints, or empty.
    """

    mark: str
    language: str
    code: str
    output: str

    @property
    def file(self) -> str:
        """Return the name of the file that it is to be written to, or an empty string."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else ""

    @property
    def origin(self) -> str:
        """Return the name of the file that it is an excerpt of, or an empty string."""
        return self.mark.removeprefix("from: ") if self.mark.startswith("from: ") else ""

    @property
    def runs(self) -> bool:
        """Tell whether it is an example that runs."""
        return (
            self.language in ("sh", "python")
            and not self.file
            and not self.origin
            and not self.mark.startswith(("not run: ", "installs: "))
        )

    @property
    def package(self) -> str:
        """Return the folder of the package that it installs, or an empty string."""
        return self.mark.removeprefix("installs: ") if self.mark.startswith("installs: ") else ""


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        groups = found.groupdict(default="")
        yield Block(**groups)


def run(block: Block, directory: Path, names: dict[str, Any]) -> str:
    """Run a block in a directory and return what it prints; Python blocks of a page share their names."""
    if block.language == "python":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(directory):
            exec(compile(block.code, "<example>", "exec"), names)
        return printed.getvalue()
    python = shlex.quote(sys.executable)
    shell = f'kgenn() {{ {python} -m kgenn "$@"; }}\npython() {{ {python} "$@"; }}\n'
    done = subprocess.run(["bash", "-ec", shell + block.code], cwd=directory, capture_output=True, text=True)
    expected = 1 if block.mark == "fails" else 0
    assert done.returncode == expected, done.stderr or done.stdout
    return done.stdout + done.stderr


def install(folder: Path) -> None:
    """Do what an editable installation does, for a folder on the path: tell its entry points to importlib."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    information = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (information / "METADATA").write_text(head, encoding="utf-8")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups]
    (information / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def missing_lines(shown: str, printed: str) -> list[str]:
    """Return the lines of a shown output that were not printed, in order."""
    rest, missing = iter(map(_unpadded, printed.splitlines())), []
    for line in map(_unpadded, shown.splitlines()):
        if line == "…" or not line:
            continue
        start = line.removesuffix("…").rstrip() if line.endswith("…") else None
        if not any(found == line if start is None else found.startswith(start) for found in rest):
            missing.append(line)
    return missing


def is_excerpt(shown: str, text: str) -> bool:
    """Tell whether the parts between comments of … stand in a text, each whole and in this order."""
    lines = [line.strip() for line in text.splitlines()]
    start = 0
    for part in re.split(r"^\s*(?://|#) …\n", shown, flags=re.MULTILINE):
        wanted = [line.strip() for line in part.splitlines()]
        places = range(start, len(lines) - len(wanted) + 1)
        found = next((i for i in places if lines[i : i + len(wanted)] == wanted), None)
        if found is None:
            return False
        start = found + len(wanted)
    return True


def _unpadded(line: str) -> str:
    """Return a line with single spaces, as columns are as wide as what stands in them."""
    return " ".join(line.split())
