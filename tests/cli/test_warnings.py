"""Warnings of the command line: on stderr after the result, in `--json` and the manifest, and in `inspect`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import CALIBRATION, IMAGES, MODEL, Kgenn, compile_arguments
from covering import leading


@pytest.fixture
def raw(kgenn: Kgenn, tmp_path: Path) -> Path:
    """Return a network calibrated on pixels from 0 to 255."""
    options = ("--scale", 1, "--calibration-samples", 64, "--timesteps", 8, "--target", "reference")
    done = kgenn("compile", MODEL, "--calibration", CALIBRATION, *options, "-o", tmp_path / "raw")
    assert (done.code, done.err) == (0, "")
    return tmp_path / "raw"


def test_a_run_on_another_scale_warns_after_the_result_and_in_json(kgenn: Kgenn, raw: Path) -> None:
    run = ("run", raw, "--data", IMAGES, "--limit", 8)
    assert kgenn(*run).warnings == []
    done = kgenn(*run, "--scale", "1/255", "--json")
    assert (done.code, done.warnings) == (0, ["KG650"])
    (entry,) = done.json["warnings"]
    assert (entry["code"], entry["severity"]) == ("KG650", "warning")
    assert f"warning[KG650] {entry['where']}: {entry['what']}\n  help: {entry['help']}\n" == done.err
    compared = kgenn("compare", raw, "--data", IMAGES, "--limit", 8, "--scale", "1/255", "--json")
    assert compared.json["warnings"] == [entry]
    assert compared.warnings == ["KG650"]


def test_a_doubtful_scale_is_in_the_output_the_manifest_and_inspect(kgenn: Kgenn, tmp_path: Path) -> None:
    with np.load(CALIBRATION) as archive:
        np.savez(tmp_path / "scaled.npz", x=(archive["x"][:80] / 255).astype(np.float32))
    arguments = [*compile_arguments(tmp_path / "snn"), "--target", "reference"]
    done = kgenn(*(tmp_path / "scaled.npz" if argument == CALIBRATION else argument for argument in arguments))
    assert (done.code, done.warnings) == (0, ["KG651"])
    manifest = json.loads((tmp_path / "snn/manifest.json").read_text())
    assert [entry["code"] for entry in manifest["warnings"]] == ["KG651"]
    assert manifest["network"]["inputs"][0]["calibrated_on"]["high"] == pytest.approx(1 / 255)
    assert kgenn("inspect", tmp_path / "snn").warnings == ["KG651"]
    assert kgenn("inspect", tmp_path / "snn", "--json").json["record"]["warnings"] == manifest["warnings"]


@pytest.mark.parametrize(
    "entries", leading([3, [3], [{}], [{"code": "KG999", "where": "a", "what": "b", "help": "c"}]])
)
def test_a_manifest_whose_warnings_are_none_is_kg605(kgenn: Kgenn, raw: Path, entries: object) -> None:
    manifest = json.loads((raw / "manifest.json").read_text())
    (raw / "manifest.json").write_text(json.dumps({**manifest, "warnings": entries}))
    assert kgenn("inspect", raw).codes == ["KG605"]


def test_a_directory_of_an_earlier_version_has_neither_statistics_nor_warnings(kgenn: Kgenn, raw: Path) -> None:
    manifest = json.loads((raw / "manifest.json").read_text())
    del manifest["warnings"], manifest["network"]["inputs"][0]["calibrated_on"]
    (raw / "manifest.json").write_text(json.dumps(manifest))
    done = kgenn("run", raw, "--data", IMAGES, "--limit", 8, "--scale", "1/255", "--json", "--edited")
    assert (done.code, done.err, done.json["warnings"]) == (0, "", [])
