"""NIR for Sinabs: integers in the file, and a module that fires kgenn's spikes where Sinabs is installed."""

from __future__ import annotations

import importlib.util
from ast import literal_eval
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kgenn
from kgenn.backends.reference import ReferenceSimulator
from kgenn.cli import invoke
from kgenn.conversion.base import Converter
from kgenn.diagnostics import KgennError
from kgenn.export.nir import Nir
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from recordings import EVERYTHING, changing, converted, drive_of, frames

nir = pytest.importorskip("nir", reason="the package nir is not installed")

NETWORKS = ["residual_relu", "residual_plain", "concat_pool_conv", "conv_groups", "bias_conv", "conv1d_pool"]
METHODS: list[Converter] = [kgenn.DataNorm(), kgenn.DataNorm(reset="zero"), kgenn.Fission()]


def written(network: Network, folder: Path) -> Path:
    for name, content in Nir("sinabs").emit(network, "snn.nir").files.items():
        (folder / name).write_bytes(content)
    return folder / "snn_sinabs.py"


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def channels_first(values: Array, leading: int) -> Array:
    return np.moveaxis(values, -1, leading)


def given_to(network: Network, drive: Array) -> Array:
    """Return what the module takes for a drive: values behind the encoder, or its spikes."""
    first, given = network.populations[0], network.inputs[0]
    if given.coding.analog:
        leading = drive.ndim - 1
        return channels_first(drive.reshape(*drive.shape[:-1], *first.shape) / given.coding.levels, leading)
    raster = ReferenceSimulator(network).run(drive, 0, EVERYTHING).raster
    assert raster is not None
    spikes = raster[first.name]
    return channels_first(spikes.reshape(*spikes.shape[:2], *first.shape), 2)


def assert_same_scores(network: Network, drive: Array, folder: Path) -> None:
    pytest.importorskip("sinabs", reason="Sinabs is not installed: run the tests with an interpreter that has it")
    module = loaded(written(network, folder))
    currents = module.load()(module.steps_of(given_to(network, drive).astype(np.float32)))
    scores = np.cumsum(np.asarray(currents.detach()).reshape(len(drive), network.num_timesteps, -1), axis=1)
    assert np.array_equal(scores, ReferenceSimulator(network).run(drive, 0).scores)
    assert np.any(scores)


@pytest.mark.parametrize("encoder", ["direct", "if"])
@pytest.mark.parametrize("converter", METHODS, ids=["subtract", "zero", "fission"])
@pytest.mark.parametrize("name", NETWORKS)
def test_sinabs_gives_the_scores_of_the_reference(
    name: str, converter: Converter, encoder: str, tmp_path: Path
) -> None:
    network = converted(name, encoder, converter, readout="current", num_timesteps=7)
    assert_same_scores(network, drive_of(network, encoder), tmp_path)


def test_sinabs_gives_them_for_frames(tmp_path: Path) -> None:
    network = changing(converted("dense_deep", "direct", readout="current", num_timesteps=6))
    assert_same_scores(network, network.drive(frames(network, "direct", 3)), tmp_path)


def whole(values: Any) -> bool:
    return bool(np.array_equal(np.asarray(values), np.rint(values)))


@pytest.mark.parametrize("converter", METHODS, ids=["subtract", "zero", "fission"])
def test_the_file_holds_integers_and_the_module_their_unit(converter: Converter, tmp_path: Path) -> None:
    network = converted("residual_plain", "direct", converter, readout="current", num_timesteps=7)
    source = written(network, tmp_path).read_text()
    compile(source, "snn_sinabs.py", "exec")
    assert f"NUM_TIMESTEPS = {network.num_timesteps}" in source
    assert f"UNIT = {network.readouts[0].unit}" in source
    graph = nir.read(tmp_path / "snn.nir", type_check=False)
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    assert "IF" in kinds
    for node in graph.nodes.values():
        if hasattr(node, "weight"):
            assert whole(node.weight)
            assert whole(node.bias)
        if isinstance(node, nir.IF):
            assert whole(node.v_threshold)
            assert whole(node.metadata["v_initial"])
            assert node.v_threshold.max() > 1


def test_the_current_of_a_direct_input_is_rounded_where_its_weights_are(tmp_path: Path) -> None:
    source = written(converted("pool_input", "direct", readout="current"), tmp_path).read_text()
    graph = nir.read(tmp_path / "snn.nir", type_check=False)
    line = next(line for line in source.splitlines() if line.startswith("DIRECT"))
    (name,) = literal_eval(line.removeprefix("DIRECT = "))
    assert hasattr(graph.nodes[name], "weight")
    assert "DIRECT = {}" in written(converted("pool_input", "if", readout="current"), tmp_path).read_text()


def test_several_inputs_are_refused() -> None:
    x, y = kgenn_inputs()
    network = kgenn.convert(x, calibration=y, timesteps=4, encoder="if", readout="current")
    with pytest.raises(KgennError, match="KG410"):
        Nir("sinabs").emit(network, "snn.nir")


def kgenn_inputs() -> tuple[Any, dict[str, Array]]:
    """Return a model of two inputs, and samples of it."""
    keras = pytest.importorskip("keras", reason="Keras is not installed")

    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    dense = keras.layers.Dense(5, activation="relu", use_bias=False)(keras.layers.Concatenate()([a, b]))
    model = keras.Model([a, b], keras.layers.Dense(2, use_bias=False)(dense))
    rng = np.random.default_rng(0)
    return model, {"a": rng.random((64, 4), np.float32), "b": rng.random((64, 3), np.float32)}


def test_a_reader_that_a_format_is_not_written_for_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for target, reader, remedy in (("nir", "norse", "known: sinabs"), ("cpp", "sinabs", "--to nir")):
        assert invoke(["export", "snn", "--to", target, "--for", reader, "-o", str(tmp_path / "x")]) == 1
        error = capfd.readouterr().err
        assert "KG401" in error
        assert remedy in error
