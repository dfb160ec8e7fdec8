"""`kgenn run` and `kgenn compare`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from commands import CALIBRATION, IMAGES, MODEL, Kgenn, compile_arguments
from kgenn import open_directory
from kgenn.api import samples
from kgenn.backends.reference import ReferenceSimulator

FIELDS = {
    "accuracy",
    "num_samples",
    "num_timesteps",
    "latency_steps",
    "num_stages",
    "spikes_per_neuron",
    "synaptic_operations",
    "ann_macs",
    "wall_seconds",
    "cpu_seconds",
}
TIMES = {"wall_seconds", "cpu_seconds"}


def images(count: int) -> np.ndarray:
    with np.load(IMAGES) as archive:
        return samples(archive["x"][:count], (28, 28, 1), "1/255")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Return a file of eight images without labels, in the layout of keras.datasets."""
    with np.load(IMAGES) as archive:
        np.savez(tmp_path / "few.npz", x_test=archive["x"][:8], x_train=archive["x"][8:9])
    return tmp_path / "few.npz"


def test_json_has_the_documented_fields_and_the_scale_is_remembered(kgenn: Kgenn, compiled: Path) -> None:
    done = kgenn("run", compiled, "--data", IMAGES, "--limit", 64, "--json")
    assert (done.code, done.err) == (0, "")
    assert set(done.json) >= FIELDS
    assert (done.json["num_samples"], done.json["num_timesteps"]) == (64, 8)
    assert done.json["accuracy"] > 0.9
    assert "curve" not in done.json
    explicit = kgenn("run", compiled, "--data", IMAGES, "--limit", 64, "--json", "--scale", "1/255").json
    assert {k: v for k, v in explicit.items() if k not in TIMES} == {
        k: v for k, v in done.json.items() if k not in TIMES
    }


@pytest.mark.parametrize("command", ["run", "compare"])
def test_samples_on_disk_give_what_those_in_memory_give(
    kgenn: Kgenn, compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    with np.load(IMAGES) as archive, h5py.File(tmp_path / "images.h5", "w") as file:
        file.create_dataset("x", data=archive["x"][:40], chunks=(7, 28, 28), compression="gzip")
        file["y"] = archive["y"][:40]
    wanted = kgenn(command, compiled, "--data", IMAGES, "--limit", 33, "--json").json
    for module in ("kgenn.ir.data_file", "kgenn.data.load"):
        monkeypatch.setattr(f"{module}.MAX_IN_MEMORY", 1000)
    for path in (IMAGES, tmp_path / "images.h5"):
        found = kgenn(command, compiled, "--data", path, "--limit", 33, "--json").json
        assert {k: v for k, v in found.items() if k not in TIMES} == {
            k: v for k, v in wanted.items() if k not in TIMES
        }


def test_the_curve_ends_at_the_accuracy(kgenn: Kgenn, compiled: Path) -> None:
    report = kgenn("run", compiled, "--data", IMAGES, "--limit", 32, "--json", "--curve").json
    assert len(report["curve"]) == 8
    assert report["curve"][-1] == pytest.approx(report["accuracy"], abs=1e-6)
    table = kgenn("run", compiled, "--data", IMAGES, "--limit", 32, "--curve").out
    steps = [line.split()[0] for line in table.split("steps   accuracy")[1].splitlines()[2:] if line]
    assert steps == ["1", "2", "4", "8"]


def test_the_twin_is_computed_on_as_many_samples_as_are_asked_for(kgenn: Kgenn, compiled: Path) -> None:
    def twin_of(*extra: object) -> object:
        return kgenn("run", compiled, "--data", IMAGES, "--limit", 20, "--json", *extra).json.get("twin")

    few, every = twin_of("--ann-samples", 7), twin_of("--ann-samples", 50)
    assert isinstance(few, dict)
    assert isinstance(every, dict)
    assert (few["num_samples"], every["num_samples"]) == (7, 20)
    assert twin_of("--ann-samples", 0) is None


@pytest.mark.parametrize("extra", [("--target", "reference"), ("--threads", 1), ("--batch-size", 3)])
def test_target_threads_and_batches_do_not_change_the_result(
    kgenn: Kgenn, compiled: Path, extra: tuple[object, ...]
) -> None:
    arguments = ("run", compiled, "--data", IMAGES, "--limit", 10, "--json", "--curve")
    plain, other = kgenn(*arguments).json, kgenn(*arguments, *extra).json
    assert {k: v for k, v in plain.items() if k not in TIMES} == {k: v for k, v in other.items() if k not in TIMES}


@pytest.mark.parametrize("way", ["events", "dense"])
def test_it_explains_how_each_connection_was_computed(kgenn: Kgenn, compiled: Path, way: str) -> None:
    arguments = ("run", compiled, "--data", IMAGES, "--limit", 4, "--synapses", way, "--explain")
    work = kgenn(*arguments, "--json").json["work"]
    assert [(w["source"], w["target"]) for w in work] == [
        ("conv1", "conv2"),
        ("conv2", "dense1"),
        ("dense1", "dense2"),
    ]
    assert all(0 < w["density"] < 1 for w in work)
    assert all((list(w["algorithms"]) == ["events"]) == (way == "events") for w in work)
    shown = kgenn(*arguments).out
    assert ("dense products" in shown) == (way == "dense")
    assert "one synapse algorithm" in kgenn(*arguments, "--target", "reference").out


def test_the_trace_holds_every_spike_of_the_reference(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    trace = tmp_path / "new" / "trace.npz"
    assert kgenn("run", compiled, "--data", IMAGES, "--limit", 5, "--batch-size", 2, "--trace", trace).code == 0
    (recording,) = open_directory(compiled, target="reference").trace(images(5))
    assert recording.raster is not None
    with np.load(trace) as events:
        assert (events["num_samples"], events["num_timesteps"]) == (5, 8)
        assert {name.rpartition("/")[0] for name in events.files} == {"", *recording.raster}
        for name, raster in recording.raster.items():
            where = np.nonzero(raster)
            for column, expected in zip(("sample", "timestep", "neuron"), where, strict=True):
                np.testing.assert_array_equal(events[f"{name}/{column}"], expected)
            np.testing.assert_array_equal(events[f"{name}/value"], raster[where])
            assert raster.shape[2] == np.prod(events[f"{name}/shape"])
    assert [path.name for path in trace.parent.iterdir()] == ["trace.npz"]


def test_a_signed_encoder_s_spikes_keep_their_sign_in_the_trace(kgenn: Kgenn, tmp_path: Path) -> None:
    output, trace = tmp_path / "out", tmp_path / "trace.npz"
    assert kgenn(*compile_arguments(output, "--target", "reference", "--encoder", "poisson-signed")).code == 0
    np.savez(tmp_path / "data.npz", x=-images(2))
    assert kgenn("run", output, "--data", tmp_path / "data.npz", "--trace", trace).code == 0
    with np.load(trace) as events:
        assert set(events["image/value"]) == {-1}


def test_what_is_written_is_no_other_file_of_the_command(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    data, link = tmp_path / "data.npz", tmp_path / "link.npz"
    np.savez(data, x=images(2))
    link.symlink_to(data)
    before = data.read_bytes()
    both = ("--trace", tmp_path / "both.npz", "--predictions", tmp_path / "both.npz")
    for outputs in (("--predictions", data), ("--trace", data), ("--predictions", link), both):
        done = kgenn("run", compiled, "--data", data, *outputs)
        assert (done.code, done.codes) == (1, ["KG606"])
    model = tmp_path / "model.h5"
    model.write_bytes(b"a model")
    assert kgenn("inspect", model, "--picture", model).codes == ["KG606"]
    assert (data.read_bytes(), model.read_bytes()) == (before, b"a model")
    assert not (tmp_path / "both.npz").exists()


def test_a_failed_run_leaves_no_trace(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    done = kgenn("run", compiled, "--data", IMAGES, "--scale", 1, "--trace", tmp_path / "trace.npz")
    assert (done.code, done.codes) == (1, ["KG603"])
    assert list(tmp_path.iterdir()) == []


def test_predictions_are_the_largest_scores(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    report = kgenn("run", compiled, "--data", IMAGES, "--limit", 16, "--predictions", path, "--json").json
    with np.load(path) as archive, np.load(IMAGES) as data:
        np.testing.assert_array_equal(archive["scores"].argmax(axis=1), archive["predictions"])
        assert (archive["predictions"] == data["y"][:16]).mean() == report["accuracy"]


def test_without_labels_there_is_no_accuracy_and_the_test_split_is_taken(
    kgenn: Kgenn, compiled: Path, few: Path
) -> None:
    report = kgenn("run", compiled, "--data", few, "--json", "--curve").json
    assert (report["accuracy"], report["curve"], report["num_samples"]) == (None, None, 8)
    assert kgenn("run", compiled, "--data", few, "--json", "--split", "train").json["num_samples"] == 1
    assert "no labels" in kgenn("run", compiled, "--data", few, "--curve").out


def test_odd_data_are_told(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    def codes(**arrays: object) -> list[str]:
        np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
        return kgenn("run", compiled, "--data", tmp_path / "data.npz").codes

    pixels = np.zeros((2, 28, 28), np.uint8)
    assert kgenn("run", compiled, "--data", tmp_path / "none.npz").codes == ["KG601"]
    assert codes(images=pixels) == ["KG601"]
    assert codes(x=pixels[:0]) == ["KG601"]
    assert codes(x=np.zeros(())) == ["KG601"]
    assert codes(x=pixels[:, 1:]) == ["KG602"]
    assert codes(x=np.full((2, 28, 28), np.nan)) == ["KG603"]
    assert codes(x=pixels, y=np.zeros(3, int)) == ["KG607"]
    assert codes(x=pixels, y=np.array([0, 10])) == ["KG607"]


def test_a_directory_that_is_no_output_is_kg605(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    assert kgenn("run", tmp_path, "--data", IMAGES).codes == ["KG605"]
    shutil.copytree(compiled, tmp_path / "damaged")
    (tmp_path / "damaged/manifest.json").write_text("{}")
    assert kgenn("run", tmp_path / "damaged", "--data", IMAGES, "--edited").codes == ["KG605"]


def test_weights_that_the_program_does_not_take_are_kg504(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    shutil.copytree(compiled, tmp_path / "damaged")
    (tmp_path / "damaged/weights.bin").write_bytes(bytes(400))
    done = kgenn("run", tmp_path / "damaged", "--data", IMAGES, "--edited")
    assert (done.code, done.codes) == (3, ["KG504"])


def test_outputs_that_cannot_be_written_are_kg606_before_anything_runs(
    kgenn: Kgenn, compiled: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file/trace.npz"):
        assert kgenn("run", compiled, "--data", IMAGES, "--trace", path).codes == ["KG606"]
        assert kgenn("run", compiled, "--data", IMAGES, "--predictions", path).codes == ["KG606"]


def test_more_memory_than_there_is_is_kg608(kgenn: Kgenn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out"
    assert kgenn(*compile_arguments(output, "--target", "reference", "--timesteps", 10**15)).codes == ["KG401"]
    assert kgenn(*compile_arguments(output, "--target", "reference")).code == 0

    def run(*_: object) -> None:
        np.empty(1 << 58)  # what NumPy raises where nothing is left

    monkeypatch.setattr(ReferenceSimulator, "run", run)
    done = kgenn("run", output, "--data", IMAGES, "--limit", 1)
    assert (done.code, done.codes) == (3, ["KG608"])


def test_compare_names_the_layer_with_the_largest_error_of_its_own(kgenn: Kgenn, compiled: Path) -> None:
    arguments = ("compare", compiled, "--data", IMAGES, "--limit", 32)
    report = kgenn(*arguments, "--json").json
    own = {layer["population"]: layer["own"] for layer in report["layers"]}
    assert list(own) == ["conv1", "conv2", "dense1"]
    assert report["worst_layer"] == max(own, key=own.__getitem__)
    (marked,) = [line for line in kgenn(*arguments).out.splitlines() if "← largest own" in line]
    assert marked.startswith(report["worst_layer"])


def test_compare_and_run_agree_on_the_accuracy(kgenn: Kgenn, compiled: Path) -> None:
    compared = kgenn("compare", compiled, "--data", IMAGES, "--limit", 32, "--json").json
    run = kgenn("run", compiled, "--data", IMAGES, "--limit", 32, "--json").json
    assert compared["accuracy"] == run["accuracy"]
    assert compared["ann_accuracy"] == 1.0


def test_early_exit_is_reported_beside_the_whole_run(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    arguments = ("run", compiled, "--data", IMAGES, "--limit", 32)
    path = tmp_path / "predictions.npz"
    report = kgenn(*arguments, "--early-exit", 0.99, "--predictions", path, "--json").json
    exits = report.pop("early_exit")
    plain = kgenn(*arguments, "--json").json
    assert {k: v for k, v in plain.items() if k not in TIMES} == {
        k: v for k, v in report.items() if k not in TIMES
    }
    assert exits["confidence"] == 0.99
    assert 1 <= exits["mean_timesteps"] < 8
    assert exits["spikes_per_neuron"] < report["spikes_per_neuron"]
    assert exits["synaptic_operations"] < report["synaptic_operations"]
    with np.load(path) as archive, np.load(IMAGES) as data:
        assert archive["exit_timesteps"].mean() == exits["mean_timesteps"]
        assert (archive["exit_predictions"] == data["y"][:32]).mean() == exits["accuracy"]
    table = kgenn(*arguments, "--early-exit", 0.99).out
    assert f"{exits['mean_timesteps']:.2f} timesteps on average, confidence 0.99" in table


def test_early_exit_leaves_the_trace_whole(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    arguments = ("run", compiled, "--data", IMAGES, "--limit", 5, "--trace")
    assert kgenn(*arguments, tmp_path / "one.npz", "--early-exit", 0.9).code == 0
    assert kgenn(*arguments, tmp_path / "two.npz").code == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_early_exit_of_no_confidence_or_of_stages_is_kg401(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    for confidence in (0, 1.5, "nan"):
        assert kgenn("run", compiled, "--data", IMAGES, "--early-exit", confidence).codes == ["KG401"]
    output = tmp_path / "out"
    assert kgenn(*compile_arguments(output, "--converter", "few-spike", "--target", "reference")).code == 0
    done = kgenn("run", output, "--data", IMAGES, "--early-exit", 0.9)
    assert (done.code, done.codes) == (1, ["KG401"])
    assert "works in stages" in done.err


@pytest.mark.parametrize("command", ["run", "compare"])
@pytest.mark.parametrize(("x", "y", "code"), [(2.0, 0, "KG603"), (0.5, 10, "KG607")])
def test_errors_about_samples_and_labels_name_the_file(
    kgenn: Kgenn, compiled: Path, tmp_path: Path, command: str, x: float, y: int, code: str
) -> None:
    np.savez(tmp_path / "odd.npz", x=np.full((3, 28, 28), x), y=np.full(3, y))
    done = kgenn(command, compiled, "--data", tmp_path / "odd.npz")
    assert (done.code, done.codes) == (1, [code])
    assert f"{tmp_path / 'odd.npz'}, " in done.err


def test_costs_for_neurobench_are_those_of_the_run(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    place = tmp_path / "costs.json"
    done = kgenn("run", compiled, "--data", IMAGES, "--limit", 4, "--json", "--neurobench", place)
    assert done.code == 0
    figures = json.loads(place.read_text())
    assert figures.pop("classification_accuracy") == done.json["accuracy"]
    network = open_directory(compiled)
    assert figures == network.neurobench(images(4))
    # average poolings add spikes up before the weights, so that these are no unit spikes
    operations = figures["synaptic_operations"]
    assert operations["Effective_MACs"] > 0
    assert sum(operations.values()) > operations["Dense"] > operations["Effective_ACs"]


def test_a_file_is_written_once(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    both = ("--trace", tmp_path / "a", "--neurobench", tmp_path / "a")
    done = kgenn("run", compiled, "--data", IMAGES, "--limit", 4, *both)
    assert done.code == 1
    assert "KG606" in done.err


def test_floats_are_scaled_as_the_floats_of_the_calibration_were(kgenn: Kgenn, tmp_path: Path) -> None:
    with np.load(CALIBRATION) as calibration, np.load(IMAGES) as archive:
        bright = {"x": calibration["x"][:300].astype(np.float32) / 128}
        np.savez(tmp_path / "bright.npz", **bright)
        np.savez(tmp_path / "run.npz", x=archive["x"][:40].astype(np.float32) / 128, y=archive["y"][:40])
    options = ("--scale", "128/255", "--timesteps", 8, "--target", "reference", "-o", tmp_path / "snn")
    assert kgenn("compile", MODEL, "--calibration", tmp_path / "bright.npz", *options).code == 0
    found = kgenn("run", tmp_path / "snn", "--data", tmp_path / "run.npz", "--json").json
    named = kgenn("run", tmp_path / "snn", "--data", tmp_path / "run.npz", "--json", "--scale", "128/255").json
    asis = kgenn("run", tmp_path / "snn", "--data", tmp_path / "run.npz", "--json", "--scale", "1")
    assert found["spikes"] == named["spikes"]
    assert asis.code != 0 or asis.json["spikes"] != found["spikes"]
