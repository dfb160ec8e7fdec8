"""What a shell completes, and what mistyped names are told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from commands import ROOT, Kgenn
from covering import leading
from kgenn.cli import COMMANDS, COMPLETE
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import FEATURES
from kgenn.diagnostics import known_names


def completed(words: str) -> list[str]:
    """Return what bash is offered for the last of some words."""
    count = str(len(words.split(" ")) - 1)
    environment = {**os.environ, COMPLETE: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    command = [sys.executable, "-m", "kgenn"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "found"),
    leading(
        [
            ("kgenn ", list(COMMANDS)),
            ("kgenn co", ["compile", "compare"]),
            ("kgenn compile --converter ", sorted(CONVERTERS.names())),
            ("kgenn check --allow ba", ["batch-norm"]),
            ("kgenn check --allow bias,", [f"bias,{name}" for name in (*FEATURES, "all")]),
            ("kgenn compile --encoder image=poi", ["image=poisson", "image=poisson-signed"]),
            ("kgenn compile --reset ", ["subtract", "zero"]),
            ("kgenn run --task reg", ["regression"]),
            ("kgenn list me", ["methods"]),
        ],
        3,
    ),
)
def test_a_shell_is_offered_what_can_stand_there(words: str, found: list[str]) -> None:
    assert completed(words) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell: str) -> None:
    environment = {**os.environ, COMPLETE: f"{shell}_source"}
    command = [sys.executable, "-m", "kgenn"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert COMPLETE in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compil"], "No such command 'compil': did you mean 'compile'? known: bench,"),
        (["fly"], "No such command 'fly': known: bench,"),
        (["check", "m", "--converte", "ttfs"], "'--converter'"),
    ],
)
def test_a_mistyped_command_or_option_is_told_the_nearest(
    kgenn: Kgenn, arguments: list[str], message: str
) -> None:
    done = kgenn(*arguments)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("given", "near"),
    [("poison", "poisson"), ("fewspike", "few-spike"), ("ttf", "ttfs"), ("norm", ""), ("rate", ""), ("train", "")],
)
def test_only_a_near_name_is_suggested(given: str, near: str) -> None:
    text = known_names(given, ["poisson", "few-spike", "ttfs", "data-norm", "calibrated", "none", "direct"])
    assert text.startswith(f"did you mean {near!r}? known: " if near else "known: ")
