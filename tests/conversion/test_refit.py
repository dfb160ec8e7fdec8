"""Weights that are fitted to spike trains: those of least squares, and the old ones where nothing is gained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kgenn
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion import refit
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.fission import Fission
from kgenn.conversion.refit import refitted
from kgenn.ir.graph import Array, Layer
from kgenn.layers.activation import ReLU
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.pooling import AveragePool
from networks import build, samples


def kernel(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


LAYERS: dict[str, tuple[Conv | Dense, tuple[int, ...]]] = {
    "dense": (Dense(kernel(6, 3), np.ones(3, np.float32)), (6,)),
    "dense on channels": (Dense(kernel(4, 3), None), (5, 4)),
    "same": (Conv(kernel(3, 3, 2, 3), np.ones(3), (1, 1), "same", (1, 1)), (5, 5, 2)),
    "strided": (Conv(kernel(3, 2, 2, 3), None, (2, 1), "valid", (1, 2)), (7, 6, 2)),
    "groups": (Conv(kernel(3, 2, 4), None, (1,), "same", (1,), 2), (8, 4)),
    "depthwise": (Conv(kernel(2, 2, 1, 6), None, (1, 1), "same", (1, 1), 3), (4, 4, 3)),
}


def said_for(shape: tuple[int, ...], count: int = 64) -> tuple[Array, Array]:
    """Return activations, half of them zero, and what is said of them: floors of sums over channels too."""
    rng = np.random.default_rng(len(shape))
    exact = np.maximum(rng.normal(size=(count, *shape)), 0).astype(np.float32)
    mixed = 0.8 * exact + 0.15 * np.roll(exact, 1, axis=-1)
    return exact, np.asarray(np.floor(4 * mixed) / 4, np.float32)


def with_kernel(layer: Conv | Dense, kernel: Array) -> Conv | Dense:
    return replace(layer, kernel=kernel.reshape(layer.kernel.shape), bias=None)


def by_hand(layer: Conv | Dense, said: Array, values: Array, ridge: float) -> Array:
    """Return the kernel of least squares for each output on its own, from what each of its weights contributes."""
    size = layer.kernel.size
    units = [with_kernel(layer, unit).forward(said) for unit in np.eye(size, dtype=np.float32)]
    parts = np.stack(units, axis=-1).reshape(-1, layer.kernel.shape[-1], size).astype(np.float64)
    errors = (values - layer.forward(said)).reshape(-1, layer.kernel.shape[-1])
    change = np.zeros(size)
    outputs = layer.kernel.shape[-1]
    for o in range(outputs):
        own = np.arange(size).reshape(-1, outputs)[:, o]
        x = parts[:, o, own] - parts[:, o, own].mean(axis=0)
        r = errors[:, o] - errors[:, o].mean()
        alpha = ridge * np.mean(np.square(x).mean(axis=0))
        change[own] = np.linalg.solve(x.T @ x / len(x) + alpha * np.eye(len(own)), x.T @ r / len(x))
    return layer.kernel + change.reshape(layer.kernel.shape)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("patch_bytes", [1, 1 << 26])
def test_weights_are_those_of_least_squares(name: str, patch_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, shape = LAYERS[name]
    monkeypatch.setattr(refit, "RIDGES", (0.05,))
    monkeypatch.setattr(refit, "PATCH_BYTES", patch_bytes)
    exact, said = said_for(shape)
    values = layer.forward(exact)
    found = refitted(layer, said, values, 10)
    assert isinstance(found, Conv | Dense)
    np.testing.assert_allclose(found.kernel, by_hand(layer, said, values, 0.05), rtol=1e-3, atol=1e-4)
    assert found.bias is layer.bias


@pytest.mark.parametrize("name", LAYERS)
def test_new_samples_are_met_better_where_what_is_said_is_wrong_in_a_regular_way(name: str) -> None:
    layer, shape = LAYERS[name]
    exact, said = said_for(shape, 512)
    found = refitted(layer, said[:256], layer.forward(exact[:256]), 100)

    def error(of: Layer) -> float:
        missing = layer.forward(exact[256:]) - of.forward(said[256:])
        return float(np.var(missing.reshape(-1, missing.shape[-1]), axis=0).mean())

    assert error(found) < 0.7 * error(layer)


def test_small_deviations_from_a_large_mean_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, shape = LAYERS["dense"]
    monkeypatch.setattr(refit, "RIDGES", (0.05,))
    exact, said = said_for(shape, 256)
    near, far = (refitted(layer, said + mean, layer.forward(exact + mean), 256) for mean in (0, 512))
    assert isinstance(near, Dense)
    assert isinstance(far, Dense)
    np.testing.assert_allclose(far.kernel, near.kernel, atol=0.01)
    assert not np.allclose(near.kernel, layer.kernel, atol=0.05)


def test_of_many_positions_some_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, shape = LAYERS["same"]
    exact, said = said_for(shape)
    whole = refitted(layer, said, layer.forward(exact), 64)
    monkeypatch.setattr(refit, "MAX_PRODUCTS", 1e5)
    some = refitted(layer, said, layer.forward(exact), 64)
    assert isinstance(whole, Conv)
    assert isinstance(some, Conv)
    assert not np.array_equal(whole.kernel, some.kernel)
    np.testing.assert_allclose(some.kernel, whole.kernel, atol=0.3)


def test_weights_stay_where_nothing_is_gained() -> None:
    layer, shape = LAYERS["same"]
    exact, said = said_for(shape)
    values = layer.forward(exact)
    assert refitted(layer, exact, values, 64) is layer, "what is said is right"
    noise = values + np.random.default_rng(1).normal(size=values.shape).astype(np.float32)
    assert refitted(layer, exact, noise, 64) is layer, "what is missing has nothing to do with what is said"
    assert refitted(layer, said[:15], values[:15], 64) is layer, "two halves of so few say nothing"
    assert refitted(layer, np.zeros_like(said), values, 64) is layer, "nothing is said"


def test_layers_without_weights_and_of_very_many_inputs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, said = said_for((6, 6, 2))
    for layer in (ReLU(), AveragePool((2, 2), (2, 2), "valid")):
        assert refitted(layer, said, layer.forward(exact), 64) is layer
    conv, shape = LAYERS["same"]
    exact, said = said_for(shape)
    monkeypatch.setattr(refit, "MAX_INPUTS", 17)  # it has 18
    assert refitted(conv, said, conv.forward(exact), 64) is conv


@pytest.mark.parametrize(("converter", "steps"), [(Fission(extra=0), 2), (Calibrated(quanta=4, members=2), 1)])
@pytest.mark.parametrize("name", ["concat_pool_conv", "residual_relu"])
def test_a_network_with_fitted_weights_is_nearer_to_the_model_on_new_samples(
    name: str, converter: Fission | Calibrated, steps: int
) -> None:
    graph = build(name)
    calibration, x = samples(graph, 256, -1.0, 1.0), samples(graph, 400, -1.0, 1.0, seed=11)

    def error(converter: Fission | Calibrated) -> float:
        network = kgenn.convert(
            graph, calibration=calibration, converter=converter, timesteps=steps, allow="all", check=False
        )
        scores = ReferenceSimulator(network).run(network.drive(x), 0).scores[:, -1]
        both = np.stack([scores.ravel(), np.ravel(graph.predict(x))])
        return float(1 - np.corrcoef(both)[0, 1])

    assert error(converter) < 0.9 * error(replace(converter, refit=False))


@pytest.mark.parametrize("size", [2.0**-80, 2.0**80])
def test_a_fit_is_the_same_for_the_smallest_and_the_largest_values(size: float) -> None:
    layer, shape = LAYERS["dense on channels"]
    layer = replace(layer, bias=None)
    exact, said = said_for(shape)
    found = refitted(layer, said, layer.forward(exact), 16)
    scaled = refitted(layer, said * np.float32(size), layer.forward(exact * np.float32(size)), 16)
    assert found is not layer
    assert isinstance(scaled, Dense)
    assert isinstance(found, Dense)
    assert np.array_equal(scaled.kernel, found.kernel)
