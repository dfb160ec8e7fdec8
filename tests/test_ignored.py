"""What kgenn makes again stays out of git, unless its user wants it there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import kgenn
from kgenn.artifact.directory import COMPILED
from kgenn.diagnostics import KgennError
from kgenn.files.checksums import IGNORE
from kgenn.files.output import refuse_directory
from networks import build, samples

GRAPH = build("dense")
COMPILED_NETWORK = kgenn.compile(kgenn.convert(GRAPH, calibration=samples(GRAPH, 8), timesteps=4), "reference")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    COMPILED_NETWORK.save(tmp_path / "net")
    return tmp_path / "net"


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_git_does_not_see_a_compiled_directory(saved: Path) -> None:
    subprocess.run(["git", "init", "-q", saved.parent], check=True)
    status = ["git", "-C", str(saved.parent), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True, text=True).stdout == ""
    (saved / IGNORE).unlink()
    assert "net/manifest.json" in subprocess.run(status, check=True, capture_output=True, text=True).stdout


def test_a_directory_is_whole_with_and_without_it(saved: Path) -> None:
    assert (saved / IGNORE).read_text().endswith("\n*\n")
    assert not kgenn.verify(saved).problems
    (saved / IGNORE).unlink()
    assert not kgenn.verify(saved).problems
    COMPILED_NETWORK.save(saved)
    assert (saved / IGNORE).exists()


def test_one_of_the_user_s_own_is_never_deleted(saved: Path) -> None:
    (saved / IGNORE).write_text("*.so\n")
    assert not kgenn.verify(saved).problems
    with pytest.raises(KgennError, match=r"KG606.*\.gitignore"):
        refuse_directory(saved, COMPILED)
