"""Plug-ins of other packages: a broken one takes nothing down, and its author is told what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from covering import leading
from outcome import CALIBRATION, MODEL, ROOT, Outcome

HEAD = """
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from kgenn.conversion.data_norm import DataNorm
from kgenn.encoders.direct import Direct
"""
GOOD = """
@dataclass(frozen=True)
class Sigma(DataNorm):
    '''A good one.'''
    name: ClassVar[str] = "sigma"
    deviations: float = field(default=3.0, metadata={"help": "standard deviations"})
"""
# What a module says, and what its author is told.
BROKEN = {
    "a missing package": ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
    "a syntax error": ("def", "SyntaxError: invalid syntax"),
    "an error of its own": ("class Odd(Exception): pass\nraise Odd('licence')", "Odd: licence"),
    "an exit": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "no such class": ("", "AttributeError: module 'kgenn_odd' has no attribute 'Sigma'"),
    "a function": ("def Sigma(): pass", "is not a subclass of kgenn.conversion.base.Converter"),
    "an encoder": ("class Sigma(Direct): pass", "is not a subclass of kgenn.conversion.base.Converter"),
    "an abstract class": (
        "from kgenn.conversion.base import Converter\nclass Sigma(Converter): pass",
        "does not define dynamics, settings",
    ),
    "another name": (GOOD.replace('"sigma"', '"gamma"'), "calls itself 'gamma', and its entry point 'sigma'"),
    "a neuron model that assigns a parameter": (
        "from kgenn.ir.neuron_code import NeuronModel\nNeuronModel('m', {'a': 1.0}, update='a = 2.0')",
        "m: assigns a, which is a parameter",
    ),
    "an option of another type": (
        GOOD.replace("deviations: float", "percentile: str"),
        "has the option --percentile of type str, which is of type float elsewhere",
    ),
    "an option of a list": (
        GOOD.replace("deviations: float", "deviations: list[int]"),
        "has the option --deviations of a type other than bool, int, float, str or Literal",
    ),
    "an option of kgenn's": (
        GOOD.replace("deviations: float", "seed: float"),
        "has the option --seed, which means something else to kgenn",
    ),
    "an unknown type": (
        GOOD.replace("deviations: float", "deviations: 'Missing'"),
        "has an option whose type cannot be read: name 'Missing' is not defined",
    ),
    "a field without a default": (
        GOOD.replace("default=3.0, metadata={", "kw_only=True, metadata={"),
        "has no default for its field deviations",
    ),
    "no decorator": (
        GOOD.replace("@dataclass(frozen=True)", ""),
        "declares the field deviations without @dataclass(frozen=True)",
    ),
}


def install(folder: Path, name: str, module: str, group: str, *entries: str) -> None:
    """Install a package of one module on a folder of the path, as pip does."""
    (folder / f"kgenn_{name}.py").write_text(module)
    information = folder / f"kgenn_{name}-0.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kgenn-{name}\nVersion: 0.1\n")
    points = "\n".join(entries)
    (information / "entry_points.txt").write_text(f"[kgenn.{group}]\n{points}\n")


# Runs command lines one after the other in a process that has the plug-ins.
RUN = """
import contextlib, io, json, sys
from kgenn.cli import invoke
done = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(arguments)
    done.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(done))
"""
LIST = ("list", "plug-ins", "--json")


def kgenn(folder: Path, *commands: tuple[object, ...]) -> list[Outcome]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT)))}
    words = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", RUN, words], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Outcome(*outcome) for outcome in json.loads(done.stdout)]


def compilation(output: Path, *extra: object) -> tuple[object, ...]:
    data = ("--calibration", CALIBRATION, "--scale", "1/255", "--calibration-samples", 64)
    return ("compile", MODEL, *data, "--timesteps", 4, "--target", "reference", "-o", output, *extra)


@pytest.mark.parametrize(("module", "told"), leading(BROKEN.values(), 3), ids=BROKEN)
def test_a_broken_plug_in_is_told_where_it_is_named_and_nothing_else_fails(
    tmp_path: Path, module: str, told: str
) -> None:
    install(tmp_path, "odd", HEAD + module, "converters", "sigma = kgenn_odd:Sigma")
    named = ("check", MODEL, "--converter", "sigma")
    done, refused, listed = kgenn(tmp_path, ("check", MODEL), named, LIST)
    assert (done.code, done.err) == (0, "")
    assert (refused.code, refused.codes) == (1, ["KG420"])
    assert told in refused.err
    (row,) = listed.json["plug-ins"]
    assert (row["name"], row["kind"], row["package"]) == ("sigma", "converter", "kgenn-odd 0.1")
    assert told in row["problem"]


@pytest.mark.parametrize(
    "group", leading(["converters", "encoders", "targets", "layers", "operations", "exporters"])
)
def test_no_command_s_help_or_list_fails_for_a_plug_in_that_cannot_be_imported(tmp_path: Path, group: str) -> None:
    install(tmp_path, "odd", "raise RuntimeError('odd')", group, "odd = kgenn_odd:Odd")
    helps = [(command, "--help") for command in ("compile", "run", "export", "bench")]
    listed, *others = kgenn(tmp_path, ("list",), ("check", MODEL), *helps)
    assert [(done.code, done.err) for done in (listed, *others)] == [(0, "")] * 6
    assert "RuntimeError: odd" in listed.out


def test_a_good_plug_in_has_its_flags_beside_a_broken_one(tmp_path: Path) -> None:
    install(tmp_path, "good", HEAD + GOOD, "converters", "sigma = kgenn_good:Sigma")
    install(tmp_path, "odd", "raise RuntimeError('odd')", "converters", "odd = kgenn_odd:Odd")
    output = tmp_path / "out"
    done, listed = kgenn(tmp_path, compilation(output, "--converter", "sigma", "--deviations", 4), LIST)
    assert (done.code, done.err) == (0, "")
    record = json.loads((output / "manifest.json").read_text())["converter"]
    assert (record["name"], record["options"]["deviations"]) == ("sigma", 4.0)
    rows = {row["name"]: row["problem"] for row in listed.json["plug-ins"]}
    assert rows["sigma"] == ""
    assert "RuntimeError" in rows["odd"]


@pytest.mark.slow
def test_an_encoder_may_not_take_an_option_of_a_converter(tmp_path: Path) -> None:
    encoder = """
@dataclass(frozen=True)
class Odd(Direct):
    name: ClassVar[str] = "odd"
    percentile: float = field(default=3.0, metadata={"help": "odd"})
"""
    install(tmp_path, "odd", HEAD + encoder, "encoders", "odd = kgenn_odd:Odd")
    output = tmp_path / "out"
    commands = compilation(output, "--encoder", "odd"), compilation(output, "--percentile", 99)
    refused, done = kgenn(tmp_path, *commands)
    assert (refused.code, refused.codes) == (1, ["KG420"])
    assert "--percentile, which means something else" in refused.err
    assert (done.code, done.err) == (0, "")


def test_names_that_kgenn_or_another_package_has_are_told(tmp_path: Path) -> None:
    install(tmp_path, "a", HEAD + GOOD, "converters", "sigma = kgenn_a:Sigma", "data-norm = kgenn_a:Sigma")
    install(tmp_path, "b", HEAD + GOOD, "converters", "sigma = kgenn_b:Sigma")
    rows = kgenn(tmp_path, LIST)[0].json["plug-ins"]
    assert [(row["name"], row["package"], row["problem"]) for row in rows] == [
        ("data-norm", "kgenn-a 0.1", "kgenn has a converter of this name"),
        ("sigma", "kgenn-a 0.1", ""),
        ("sigma", "kgenn-b 0.1", "another package has a converter of this name: kgenn_a:Sigma"),
    ]


def test_every_flag_of_a_command_is_a_name_that_no_plug_in_may_take() -> None:
    from kgenn.cli.compile import compile
    from kgenn.method_options import TAKEN, converters, encoders

    flags = {parameter.name for parameter in compile.params}
    assert flags - converters().options - encoders().options <= TAKEN


WRONG = {
    "an exception": ("raise ZeroDivisionError('odd')", "cannot choose scales: ZeroDivisionError: odd"),
    "nothing": ("return None", "gives settings of type NoneType"),
    "no scale": ("return Settings({})", "gives no scale for"),
    "zeros": ("return Settings({n: s * 0 for n, s in found.items()})", "not positive and finite"),
    "nan": ("return Settings({n: s * float('nan') for n, s in found.items()})", "not positive and finite"),
    "another shape": ("return Settings({n: np.ones(77) for n in found})", "scales of shape (77,)"),
}


@pytest.mark.parametrize(("body", "told"), leading(WRONG.values()), ids=WRONG)
def test_a_converter_that_chooses_nonsense_is_told(tmp_path: Path, body: str, told: str) -> None:
    module = f"""
import numpy as np
from kgenn.conversion.base import Settings


@dataclass(frozen=True)
class Odd(DataNorm):
    name: ClassVar[str] = "odd"

    def settings(self, calibration):
        found = super().settings(calibration).scales
        {body}
"""
    install(tmp_path, "odd", HEAD + module, "converters", "odd = kgenn_odd:Odd")
    (refused,) = kgenn(tmp_path, compilation(tmp_path / "out", "--converter", "odd"))
    assert (refused.code, refused.codes) == (1, ["KG420"])
    assert "converter odd" in refused.err
    assert told in refused.err
