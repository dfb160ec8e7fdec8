"""The comparison with peers: the network that they get, their environments, and the rows of the table."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose

import kgenn
from benchmarks.peers import __main__ as peers
from benchmarks.peers import environment, portable
from benchmarks.peers.inside.measure import measured
from kgenn.ir.graph import Graph, Input, Node, Output
from kgenn.layers.activation import Activation

ROOT = Path(__file__).parents[2]
MODEL, IMAGES = ROOT / "benchmarks/models/mnist_cnn.h5", ROOT / "benchmarks/data/mnist_1000.npz"

needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="PyTorch is not installed")
needs_keras = pytest.mark.skipif(not find_spec("keras"), reason="Keras is not installed")


# ---- the network that the peers get


def test_an_unknown_layer_is_named() -> None:
    nodes = (Node("x", Input((4,))), Node("f", Activation("tanh"), ("x",), origin="squash (Activation)"))
    with pytest.raises(portable.NotPortable, match=r"squash \(Activation\)"):
        portable.described(Graph("net", nodes, (Output("f", "f"),)))


def test_the_kernels_are_those_of_the_model_with_channels_first() -> None:
    graph = kgenn.load(MODEL)
    layers, arrays = portable.described(graph)
    kinds = [layer["kind"] for layer in layers]
    assert kinds.count("conv") == kinds.count("average-pool") == 2
    kernels = [node.layer.kernel for node in graph.nodes if hasattr(node.layer, "kernel")]
    found = [arrays[f"{layer['name']}.kernel"] for layer in layers if layer["kind"] in ("conv", "dense")]
    assert [a.shape for a in found] == [(16, 1, 5, 5), (32, 16, 3, 3), (64, 1152), (10, 64)]
    assert_allclose(found[1][5, 7], kernels[1][:, :, 7, 5])
    maps = np.arange(6 * 6 * 32, dtype=np.float32).reshape(6, 6, 32)
    assert_allclose(found[2] @ maps.transpose(2, 0, 1).ravel(), maps.ravel() @ kernels[2], rtol=1e-4)


def keras_models() -> dict[str, Any]:
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    image = keras.Input((9, 8, 3))
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.BatchNormalization(beta_initializer="random_normal")(x)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.Add()([layers.ReLU(2.0)(x), layers.Conv2D(6, 2, padding="same", groups=2)(y)])
    x = layers.Dense(5, activation="softmax")(layers.Dropout(0.1)(layers.Flatten()(x)))
    branched = keras.Model(image, x)
    chain = keras.Sequential(
        [
            keras.Input((9, 8, 1)),
            layers.Conv2D(4, (3, 2), dilation_rate=2, activation="relu"),
            layers.MaxPooling2D(2),
            layers.AveragePooling2D(2, strides=1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    return {"branched": branched, "chain": chain}


@needs_torch
@needs_keras
@pytest.mark.parametrize("widen", [False, True])
@pytest.mark.parametrize("name", ["branched", "chain"])
def test_pytorch_computes_what_keras_computes(name: str, widen: bool, tmp_path: Path) -> None:
    import torch

    from benchmarks.peers.inside.__main__ import channels_first
    from benchmarks.peers.inside.torch_network import load

    model = keras_models()[name]
    portable.save(kgenn.load(model), tmp_path / "network.npz")
    network = load(tmp_path / "network.npz", softmax=True, widen=widen)
    x = np.random.default_rng(1).random((5, *model.input_shape[1:]), dtype=np.float32)
    with torch.no_grad():
        found = network(channels_first(x)).numpy()
    assert_allclose(found, np.asarray(model(x, training=False)), atol=1e-6)
    assert any(isinstance(m, torch.nn.ZeroPad2d) for m in network.modules()) == (name == "branched" and not widen)


# ---- environments


def test_every_peer_has_requirements_with_exact_versions() -> None:
    for row in peers.ROWS:
        if row.converter is None:
            lines = environment.requirements_of(row.name).read_text(encoding="utf-8").splitlines()
            assert [line for line in lines if "==" not in line and not line.startswith("#")] == []
    assert environment.BASE[0] == "torch==2.13.0"


def test_other_requirements_make_another_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "REQUIREMENTS", tmp_path)
    requirements = tmp_path / "peer.txt"
    requirements.write_text("peer==1\n", encoding="utf-8")
    first = environment.folder_of("peer", tmp_path)
    assert first == environment.folder_of("peer", tmp_path)
    requirements.write_text("peer==2\n", encoding="utf-8")
    assert first != environment.folder_of("peer", tmp_path)


def test_an_environment_is_made_once_and_again_where_it_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def record(command: list[str]) -> None:
        commands.append(command)
        environment.folder_of("ann", tmp_path).mkdir(exist_ok=True)
        if len(commands) == 2:
            raise environment.EnvironmentFailure("does not install: no such package")

    monkeypatch.setattr(environment, "_run", record)
    with pytest.raises(environment.EnvironmentFailure):
        environment.python_of("ann", tmp_path)
    python = environment.python_of("ann", tmp_path)
    assert [command[1:3] for command in commands[2:]] == [["-m", "venv"], ["-m", "pip"], ["-m", "pip"]]
    assert environment.python_of("ann", tmp_path) == python
    assert len(commands) == 5


def test_a_command_that_fails_says_what_it_said() -> None:
    say = "import sys; sys.exit('ERROR: no matching distribution')"
    with pytest.raises(environment.EnvironmentFailure, match="does not install: no matching distribution"):
        environment._run([environment.sys.executable, "-c", say])


# ---- rows


def test_a_measurement_counts_every_image_once_and_warms_up() -> None:
    sizes: list[int] = []

    def classify(images: Any) -> Any:
        sizes.append(len(images))
        return np.eye(3)[images.astype(int)]

    found = measured(classify, np.array([0, 1, 2, 0, 1]), np.array([0, 1, 2, 0, 0]), batch_size=2)
    assert sizes == [2, 2, 2, 1]
    assert (found["images"], found["accuracy"]) == (5, 0.8)
    assert found["images_per_cpu_second"] * found["cpu_seconds"] == pytest.approx(5)
    assert found["peak_mb"] > 1


def test_rounds_take_turns_and_the_fastest_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rates = {"data-norm": iter([3.0, 9.0, 5.0]), "ann": iter([7.0, 6.0, 2.0])}
    order: list[str] = []

    def run(task: peers.Task, row: peers.Row, folder: Path) -> dict[str, Any]:
        order.append(row.name)
        if row.name == "sinabs":
            return {"failure": "no such package"}
        return {"images_per_cpu_second": next(rates[row.name])}

    monkeypatch.setattr(peers.Task, "run", run)
    task = peers.Task(MODEL, tmp_path / "network.npz", IMAGES, 32, 1)
    found = {
        row.name: row_found for row, row_found in peers.run_all(task, ("ann", "data-norm", "sinabs"), tmp_path, 3)
    }
    assert order == ["data-norm", "ann", "sinabs", *["data-norm", "ann"] * 2]
    assert found["data-norm"] == {"images_per_cpu_second": 9.0}
    assert found["ann"] == {"images_per_cpu_second": 7.0}
    assert found["sinabs"] == {"failure": "no such package"}


def test_on_a_gpu_all_run_there_and_rates_are_of_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: dict[str, list[str]] = {}

    def run(command: list[str], **options: Any) -> Any:
        result = Path(next(word for word in command if word.endswith(".json")))
        commands[result.stem] = command
        found = {"accuracy": 0.5, "images_per_second": 20000.4, "images_per_cpu_second": 3.0}
        result.write_text(json.dumps({**found, "wall_seconds": 1.0, "peak_mb": 2.0}), encoding="utf-8")
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(peers.subprocess, "run", run)
    python = tmp_path / "python"
    python.touch()
    arguments = [str(MODEL), str(IMAGES), "--limit", "2", "--device", "cuda", "--python", str(python)]
    for name in ("few-spike", "genn", "spikingjelly"):
        arguments += ["--only", name]
    result = CliRunner().invoke(peers.main, arguments, catch_exceptions=False)
    assert "| images per second |" in result.output
    assert "| kgenn data-norm, run by GeNN | 32 | 50.00 | 20000.4 | 1.0 | 2 |" in result.output
    assert commands["few-spike"][-2:] == ["--target", "cuda"]
    assert commands["genn"][-2:] == ["--target", "genn-cuda"]
    assert commands["spikingjelly"][0] == str(python)
    assert commands["spikingjelly"][-2:] == ["--device", "cuda"]


def test_what_does_not_run_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(peer: str) -> Path:
        raise environment.EnvironmentFailure(f"does not install: {peer} | wants Python 2")

    monkeypatch.setattr(peers, "python_of", refuse)
    arguments = [
        str(MODEL),
        str(IMAGES),
        "--limit",
        "2",
        "--only",
        "sinabs",
        "--json",
        str(tmp_path / "rows.json"),
    ]
    result = CliRunner().invoke(peers.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "| Sinabs from_model | 32 | does not install: sinabs / wants Python 2 | | | |" in result.output
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert rows == {"sinabs": {"failure": "does not install: sinabs | wants Python 2"}}


@pytest.mark.slow
def test_the_rows_of_kgenn_have_the_models_accuracy(tmp_path: Path) -> None:
    arguments = [str(MODEL), str(IMAGES), "--limit", "20", "--only", "few-spike", "-T", "8"]
    json_path = tmp_path / "rows.json"
    result = CliRunner().invoke(peers.main, [*arguments, "--json", str(json_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    row = json.loads(json_path.read_text(encoding="utf-8"))["few-spike"]
    with np.load(IMAGES) as data:
        x, y = data["x"][:20, ..., np.newaxis] / np.float32(255), data["y"][:20]
    assert row["accuracy"] == pytest.approx(np.mean(kgenn.load(MODEL).predict(x).argmax(axis=1) == y))
