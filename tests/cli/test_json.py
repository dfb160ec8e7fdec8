"""`--json`: every command has it, and an error is an object too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from commands import CALIBRATION, IMAGES, MODEL, ROOT, Kgenn, compile_arguments
from kgenn.cli import COMMANDS, group


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_it(name: str) -> None:
    with group.make_context("kgenn", ["list"]) as context:
        command = group.get_command(context, name)
    assert command is not None
    assert "--json" in {option for parameter in command.params for option in parameter.opts}


def test_a_compilation_tells_what_it_made(kgenn: Kgenn, tmp_path: Path) -> None:
    arguments = compile_arguments(tmp_path / "out", "--target", "reference", "--json")
    report = kgenn(*arguments).json
    assert report["directory"] == str(tmp_path / "out")
    assert report["num_timesteps"] == 8
    assert report["neurons"] == 14682
    inspected = kgenn("inspect", tmp_path / "out", "--json").json
    assert report["weight_bytes"] == inspected["weight_bytes"]
    assert report["record"] == inspected["record"]


def test_a_compilation_tells_how_long_all_of_it_took(
    kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([10.0, 13.0, 17.0] * 2)  # begun, converted, built
    monkeypatch.setattr("kgenn.cli.compile.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    arguments = compile_arguments(tmp_path / "out", "--target", "reference", "--overwrite")
    report = kgenn(*arguments, "--json").json
    assert (report["convert_seconds"], report["build_seconds"]) == (3, 4)
    assert kgenn(*arguments).out.splitlines()[-1].endswith("; converted and built in 7.0 s")


def test_an_export_tells_the_size_of_each_file(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    report = kgenn("export", compiled, "--to", "cpp", "-o", tmp_path / "out", "--json").json
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert report["bytes"] == {str(path): path.stat().st_size for path in files}


def test_the_suffix_of_an_exported_file_may_be_left_out(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    pytest.importorskip("nir", reason="the package nir is not installed")
    for given, written in (("a", "a.nir"), ("b.h5", "b.h5")):
        report = kgenn("export", compiled, "--to", "nir", "-o", tmp_path / given, "--json").json
        assert report["bytes"] == {str(tmp_path / written): (tmp_path / written).stat().st_size}


def test_a_sweep_tells_its_cells(kgenn: Kgenn, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f"title = 'two'\nmodels = [{str(MODEL)!r}]\ndata = {str(IMAGES)!r}\nscale = '1/255'\nlimit = 5\n"
        f"calibration = {{ data = {str(CALIBRATION)!r}, samples = 32 }}\n"
        "[[sweep]]\nconverter = ['data-norm', 'few-spike']\ntimesteps = [4]\ntarget = 'reference'\n"
    )
    planned = kgenn("bench", config, "--dry-run", "--json").json
    assert [cell["state"] for cell in planned["experiments"]["c"]] == ["to run", "to run"]
    report = kgenn("bench", config, "-o", tmp_path / "results", "--workers", 1, "--json").json
    assert [cell["key"] for cell in report["cells"]] == [cell["key"] for cell in planned["experiments"]["c"]]
    assert [cell["result"]["num_samples"] for cell in report["cells"]] == [5, 5]


@pytest.mark.parametrize(
    ("arguments", "code", "codes"),
    [
        (["check", "nowhere.h5"], 1, ["KG101"]),
        (["run", "nowhere", "--data", str(IMAGES)], 1, ["KG605"]),
        (["check", str(ROOT / "benchmarks/models/convnext.keras")], 1, ["KG201", "KG211"]),
        (["check", str(MODEL), "--converter", "poison"], 1, ["KG401"]),
        (["report", "nowhere"], 1, ["KG630"]),
        (["run"], 2, []),
        (["comp"], 2, []),
    ],
)
def test_an_error_is_one_object_and_text_on_stderr(
    kgenn: Kgenn, arguments: list[str], code: int, codes: list[str]
) -> None:
    done = kgenn(*arguments, "--json")
    assert done.code == code
    assert done.json["ok"] is False
    assert list(dict.fromkeys(entry["code"] for entry in done.json["diagnostics"]))[: len(codes)] == codes
    assert done.err
    assert ("usage" in done.json) == (code == 2)


def test_lists_have_commas(kgenn: Kgenn) -> None:
    model = ROOT / "benchmarks/models/convnext.keras"
    one = kgenn("check", model, "--allow", "bias,product,activation", "--json").json
    assert one["allow"] == ["bias", "product", "activation"]
    assert one["ok"] is True


def test_values_out_of_range_are_told_with_the_scale_that_made_them(kgenn: Kgenn, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert kgenn(*compile_arguments(output, "--encoder", "poisson", "--target", "reference")).code == 0
    np.savez(tmp_path / "x.npz", x=np.full((2, 28, 28), 255, np.uint8), y=np.zeros(2, np.int64))
    done = kgenn("run", output, "--data", tmp_path / "x.npz", "--scale", "1/100")
    assert "takes 0 to 1, but the data have values from 2.55 to 2.55 (multiplied by 1/100)" in done.err
