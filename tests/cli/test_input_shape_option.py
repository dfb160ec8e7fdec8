"""`--input-shape` of check, compile and inspect: the size of an input that a model file leaves open."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

from commands import MODEL, Kgenn
from kgenn.artifact.directory import read_directory

X = np.random.default_rng(0).random((40, 6, 4), np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of sequences of any length."""
    keras.utils.set_random_seed(0)
    x = keras.Input((None, 4), name="bases")
    y = keras.layers.Conv1D(5, 3, padding="same", activation="relu")(x)
    path = tmp_path_factory.mktemp("models") / "any.keras"
    keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(y))).save(path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    np.savez(tmp_path / "train.npz", x=X)
    return tmp_path / "train.npz"


@pytest.mark.parametrize("written", ["6,4", "6x4", "6×4", "(6, 4)", " 6 , 4 "])
def test_a_shape_is_written_as_on_a_command_line_or_as_keras_prints_it(
    kgenn: Kgenn, model: Path, written: str
) -> None:
    done = kgenn("check", model, "--allow", "bias", "--input-shape", written)
    assert (done.code, done.err) == (0, "")
    assert "bases: takes samples of 6×4, as given" in done.out


@pytest.mark.parametrize("written", ["six", "6,,4", "6;4", "6,-4", "", "None,6,4", "6,4,99999999999"])
def test_what_is_no_shape_is_a_mistake_in_the_command_line(kgenn: Kgenn, model: Path, written: str) -> None:
    done = kgenn("check", model, "--input-shape", written)
    assert done.code == 2
    assert "such as 64,64,3" in done.err


@pytest.mark.parametrize("command", ["check", "inspect"])
def test_a_model_of_any_size_names_the_option_and_takes_it(kgenn: Kgenn, model: Path, command: str) -> None:
    allow = ("--allow", "all") if command == "check" else ()
    refused = kgenn(command, model, *allow)
    assert (refused.code, refused.codes) == (1, ["KG109"])
    advice = next(word for word in shlex.split(refused.err) if word.startswith("100,"))
    done = kgenn(command, model, *allow, "--input-shape", advice.rstrip(";"))
    assert done.code == 0
    assert "100×4" in done.out


def test_a_shape_that_the_file_contradicts_is_refused(kgenn: Kgenn, model: Path) -> None:
    assert kgenn("check", model, "--input-shape", "6,5").codes == ["KG112"]
    assert kgenn("check", MODEL, "--input-shape", "32,32,1").codes == ["KG112"]
    assert kgenn("check", MODEL, "--input-shape", "28,28,1").out == kgenn("check", MODEL).out
    assert kgenn("check", model, "--input-shape", "0,4").codes == ["KG401"]


def test_the_command_that_admits_features_keeps_the_shape(kgenn: Kgenn, model: Path) -> None:
    done = kgenn("check", model, "--input-shape", "6,4")
    assert done.codes == ["KG201"]
    (line,) = [line for line in done.err.splitlines() if "kgenn check" in line]
    again = kgenn(*shlex.split(line.partition("kgenn ")[2]))
    assert (again.code, again.err) == (0, "")


def test_calibration_data_decide_the_size_and_the_manifest_has_it(
    kgenn: Kgenn, model: Path, data: Path, tmp_path: Path
) -> None:
    options = ("--calibration", data, "--allow", "all", "--target", "reference", "--timesteps", 8)
    done = kgenn("compile", model, *options, "-o", tmp_path / "out")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if "train.npz" in line] == [
        f"note: bases: takes samples of 6×4, as in {data.name}; the model leaves a size open"
    ]
    assert read_directory(tmp_path / "out").network.input_shape == (6, 4)
    record = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert record["input_shapes"] == {"bases": [6, 4]}
    assert kgenn("compile", model, *options, "--input-shape", "6,4", "-o", tmp_path / "same").code == 0
    assert kgenn("run", tmp_path / "same", "--data", data, "--split", "train", "--json").code == 0


def test_data_of_another_shape_are_refused(kgenn: Kgenn, model: Path, data: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", x=X[..., :3])
    options = ("--allow", "all", "--target", "reference", "-o", tmp_path / "out")
    assert kgenn("compile", model, "--calibration", tmp_path / "odd.npz", *options).codes == ["KG602"]
    assert kgenn("compile", model, "--calibration", data, "--input-shape", "7,4", *options).codes == ["KG602"]
    assert not (tmp_path / "out").exists()


def test_a_compiled_network_takes_no_input_shape(kgenn: Kgenn, compiled: Path) -> None:
    done = kgenn("inspect", compiled, "--input-shape", "28,28,1")
    assert done.code == 2
    assert "--input-shape is for model files" in done.err


def test_all_features_are_admitted_by_one_word_in_a_compilation(
    kgenn: Kgenn, model: Path, data: Path, tmp_path: Path
) -> None:
    options = ("--calibration", data, "--target", "reference", "--timesteps", 8, "-o", tmp_path / "out")
    assert kgenn("compile", model, *options, "--allow", "all").code == 0


@pytest.mark.slow
def test_a_sweep_has_the_shape_in_its_key_its_record_and_its_command(
    kgenn: Kgenn, model: Path, data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "any.toml"
    text = f"""title = "any size"
models = "{model}"
data = "{data}"
calibration = {{ split = "train" }}
split = "train"
converter = "data-norm"
timesteps = 4
target = "reference"
allow = "all"
"""
    config.write_text(text)
    assert kgenn("bench", config, "--workers", 1, "-o", tmp_path / "open").codes == ["KG109"]
    config.write_text(text + "input-shape = [6, 4]\n")
    assert kgenn("bench", config, "--workers", 1, "-o", tmp_path / "results").code == 0
    (line,) = (tmp_path / "results/results.jsonl").read_text().splitlines()
    rerun = json.loads(line)["rerun"]
    assert rerun["model"]["input_shape"] == [6, 4]
    assert "any.keras --input-shape 6,4 --calibration train.npz" in rerun["command"][0]
