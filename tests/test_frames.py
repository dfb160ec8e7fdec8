"""A model on frames: calibrated on their mean, run on each, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.backends.cpp import Cpp
from kgenn.backends.cpp_sizes import check_sizes
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.cli import invoke
from kgenn.conversion.base import Converter
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.spike_norm import SpikeNorm
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph
from networks import build
from recordings import EVERYTHING, assert_same, changing, compiled, converted

ROOT = Path(__file__).parents[1]
STEPS = 60


def spikes(graph: Graph, count: int, steps: int = STEPS, seed: int = 0) -> Array:
    """Return spike trains whose rates differ between samples and values."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0, 0.9, (count, 1, *graph.input_shape)) ** 2
    return (rng.uniform(size=(count, steps, *graph.input_shape)) < rates).astype(np.float32)


@pytest.mark.parametrize("encoder", leading(["spike", "direct", "if", "poisson"]))
def test_a_network_of_frames_agrees_with_the_model_of_their_mean(encoder: str) -> None:
    graph = build("conv_same")
    x = spikes(graph, 80)
    network = kgenn.convert(graph, calibration=x, frames=True, encoder=encoder)
    assert network.num_timesteps == STEPS
    assert network.input_shape == (STEPS, *graph.input_shape)
    assert network.origin["changing"] == [network.inputs[0].name]
    assert any("mean of the frames" in note for note in network.origin["notes"])
    assert network.agreement is not None
    assert network.agreement.apart
    assert network.agreement.error < 0.25
    drive = network.drive(spikes(graph, 3, seed=1))
    expected = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    assert_same(expected, compiled(network).run(drive, 0, EVERYTHING))


def test_direct_frames_may_reach_beyond_their_mean() -> None:
    graph = build("dense")
    x = np.zeros((40, 5, *graph.input_shape), np.float32)
    x[np.arange(40), np.arange(40) % 5] = 5.0
    network = kgenn.convert(graph, calibration=x, frames=True, check=False)
    assert network.inputs[0].coding.high >= 5
    assert network.drive(x).max() == 5 * network.inputs[0].coding.levels


def test_spike_norm_takes_frames_too() -> None:
    graph = build("dense")
    converter = SpikeNorm(norm_samples=16, norm_timesteps=20)
    network = kgenn.convert(graph, calibration=spikes(graph, 40), frames=True, converter=converter)
    assert network.num_timesteps == STEPS


@pytest.mark.parametrize("converter", [FewSpike(), Calibrated()])
def test_methods_that_send_one_number_are_refused(converter: Converter) -> None:
    graph = build("dense")
    with pytest.raises(KgennError, match="holds for a whole sample") as error:
        kgenn.convert(graph, calibration=spikes(graph, 40), frames=True, converter=converter)
    assert error.value.diagnostics[0].code == "KG401"


def test_data_without_frames_and_another_t_are_refused() -> None:
    graph = build("dense")
    x = spikes(graph, 40)
    for given, steps, code in (
        (x[:, 0], None, "KG402"),
        (x[:, :0], None, "KG402"),
        (x, 7, "KG401"),
        (x, "auto", "KG401"),
    ):
        with pytest.raises(KgennError) as error:
            kgenn.convert(graph, calibration=given, frames=True, timesteps=steps)  # type: ignore[arg-type]
        assert error.value.diagnostics[0].code == code
        assert error.value.diagnostics[0].help
    with pytest.raises(KgennError, match="KG402"):
        kgenn.convert(graph, calibration=x)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda x: x[:, :-1], "KG602"),
        (lambda x: x[:, 0], "KG602"),
        (lambda x: x - 1, "KG603"),
        (lambda x: x * 0.5, "KG603"),
        (lambda x: np.where(x > 0, np.nan, x), "KG603"),
        (lambda x: x.astype(np.uint8), "KG604"),
    ],
)
def test_odd_frames_of_a_run_are_refused(change: object, code: str) -> None:
    graph = build("dense")
    network = kgenn.convert(graph, calibration=spikes(graph, 40), frames=True, encoder="spike", check=False)
    with pytest.raises(KgennError) as error:
        kgenn.compile(network, "reference").evaluate(change(spikes(graph, 2)))  # type: ignore[operator]
    assert error.value.diagnostics[0].code == code


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_sample_of_an_odd_frame_is_named(batch_size: int) -> None:
    graph = build("dense")
    network = kgenn.convert(graph, calibration=spikes(graph, 40), frames=True, check=False)
    x = spikes(graph, 4)
    x[2, STEPS - 1, 0] = np.nan
    with pytest.raises(KgennError, match=r"KG603(.|\n)*is sample 2,"):
        kgenn.compile(network, "reference").evaluate(x, batch_size=batch_size)


@pytest.mark.slow
def test_compile_run_compare_and_verify_take_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(ROOT / "benchmarks" / "data" / "mnist_1000.npz") as images:
        rates, y = images["x"][:96, None] / 255, images["y"][:96]
    # without the channel axis, as images of one channel come
    x = np.random.default_rng(0).uniform(size=(96, 30, 28, 28)) < rates
    np.savez(tmp_path / "frames.npz", x=x, y=y)
    data, directory = str(tmp_path / "frames.npz"), str(tmp_path / "net")
    model = str(ROOT / "benchmarks" / "models" / "mnist_cnn.h5")
    arguments = [model, "--calibration", data, "--frames", "--encoder", "spike", "-o", directory]
    assert invoke(["compile", *arguments]) == 0
    assert "changes with time, 30 frames a sample" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "net" / "manifest.json").read_text())
    assert (manifest["schema"], manifest["timesteps"]) == (5, 30)
    assert invoke(["run", directory, "--data", data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["num_timesteps"] == 30
    assert found["accuracy"] > 0.9
    assert invoke(["verify", directory]) == 0
    assert invoke(["inspect", directory]) == 0
    assert "30 timesteps, a frame of the input in each" in capsys.readouterr().out
    assert invoke(["compare", directory, "--data", data]) == 0
    np.savez(tmp_path / "short.npz", x=x[:, :10], y=y)
    capsys.readouterr()
    assert invoke(["run", directory, "--data", str(tmp_path / "short.npz")]) == 1
    told = capsys.readouterr().err
    assert "KG602" in told
    assert "samples of 10 frames; the network takes 30" in told
    assert "--timesteps 30" in told
    np.savez(tmp_path / "still.npz", x=x.mean(axis=1), y=y)
    assert invoke(["run", directory, "--data", str(tmp_path / "still.npz")]) == 1
    assert "samples of shape (28, 28); the network takes 30 frames of that shape" in capsys.readouterr().err
    assert invoke(["compile", model, "--calibration", data, "-o", str(tmp_path / "other")]) == 1
    assert "compile with --frames" in capsys.readouterr().err


def test_a_program_for_inputs_that_hold_is_not_run_on_frames() -> None:
    network = converted("dense", "spike")
    program = Cpp().emit(network)
    for one, other in ((network, changing(network)), (changing(network), network)):
        files = Cpp().emit(one).files
        check_sizes(one, files, WEIGHTS)
        with pytest.raises(KgennError, match="KG504"):
            check_sizes(other, files, WEIGHTS)
    assert b"KGENN_INPUT_CHANGES" not in program.files["kgenn_network.h"]


def test_a_direct_input_costs_its_products_in_each_frame() -> None:
    still = converted("dense", "direct")
    network = changing(still)
    x = np.zeros((1, *network.input_shape), np.float32)
    results = [kgenn.compile(n, "reference").evaluate(x[:, 0] if n is still else x) for n in (still, network)]
    assert results[1].direct_macs == network.num_timesteps * results[0].direct_macs > 0


def test_frames_with_the_channels_first_are_told_how_to_move_them() -> None:
    graph = build("conv_same")
    x = np.zeros((8, 5, *graph.input_shape), np.float32)
    assert graph.input_shape[0] != graph.input_shape[2]
    with pytest.raises(KgennError, match=r"(?s)KG402.*channels first.*x.transpose\(0, 1, 3, 4, 2\)"):
        kgenn.convert(graph, calibration=x.transpose(0, 1, 4, 2, 3), frames=True, encoder="spike")
    kgenn.convert(graph, calibration=spikes(graph, 40), frames=True, encoder="spike", check=False)


@pytest.mark.parametrize(("shape", "frames"), [((0, 5, 6), True), ((0, 6), False)])
def test_calibration_data_without_samples_are_told_so(shape: tuple[int, ...], frames: bool) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, use_bias=False)])
    with pytest.raises(KgennError, match=r"KG402.*calibration data: hold no samples"):
        kgenn.convert(model, calibration=np.zeros(shape, np.float32), frames=frames)
