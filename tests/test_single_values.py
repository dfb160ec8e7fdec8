"""Outputs that are one value for each sample, of shape (N,), from Keras to every target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kgenn
from covering import leading
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.network import Network

L = keras.layers


def dense(x: Any, units: int, activation: str | None = None) -> Any:
    return L.Dense(units, activation, use_bias=False)(x)


# how a hidden layer of 8 values becomes one value without an axis
ENDS: dict[str, Callable[[Any], Any]] = {
    "squeezed": lambda h: ops.squeeze(dense(h, 1), -1),
    "taken": lambda h: dense(h, 3)[:, 1],
    "mean": lambda h: ops.mean(h, axis=1),
    "largest": lambda h: ops.max(h, axis=1),
    "sigmoid of one": lambda h: ops.sigmoid(dense(h, 1)[:, 0]),
    "scaled difference": lambda h: (dense(h, 1)[:, 0] - dense(h, 1)[:, 0]) * 2.0,
    "with an axis again": lambda h: dense(ops.expand_dims(ops.sum(h, axis=-1), -1), 2),
}


def model_of(end: str) -> keras.Model:
    keras.utils.set_random_seed(7)
    x = keras.Input((6,), name="x")
    return keras.Model(x, ENDS[end](dense(x, 8, "relu")))


def samples() -> Array:
    return np.random.default_rng(0).random((60, 6)).astype(np.float32)


def few_spike(model: keras.Model) -> Network:
    options: dict[str, Any] = {"converter": "few-spike", "allow": "all", "timesteps": 10, "check": False}
    return kgenn.convert(model, calibration=samples(), **options)


@pytest.mark.parametrize("end", leading(ENDS))
def test_a_network_gives_what_keras_gives_in_its_shape(end: str) -> None:
    model, x = model_of(end), samples()
    wanted = model.predict(x, verbose=0)
    predicted = np.asarray(kgenn.compile(few_spike(model), "reference").predict(x))
    assert predicted.shape == wanted.shape
    assert np.corrcoef(predicted.ravel(), wanted.ravel())[0, 1] > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_a_generated_program_gives_the_same(end: str) -> None:
    network, x = few_spike(model_of(end)), samples()
    one, two = (np.asarray(kgenn.compile(network, target).predict(x)) for target in ("cpu", "reference"))
    assert np.array_equal(one, two)


def test_a_directory_and_a_stream_keep_the_shape(tmp_path: Path) -> None:
    model, x = model_of("squeezed"), samples()
    network = kgenn.convert(model, calibration=x, timesteps=64, check=False)
    kgenn.compile(network, "reference").save(tmp_path / "net")
    opened = kgenn.open_directory(tmp_path / "net")
    assert np.asarray(opened.predict(x)).shape == (60,)
    assert np.shape(opened.stream().step(x[0])) == ()
    y = model.predict(x, verbose=0)
    result = opened.evaluate(x, y)
    assert result.metric == "mse"
    assert result.value < 0.01 * y.var() + 1e-3


def test_an_input_without_an_axis_is_refused() -> None:
    value = keras.Input((), name="age")
    model = keras.Model(value, dense(ops.expand_dims(value, -1), 2))
    (problem,) = kgenn.check(model)
    assert problem.code == "KG209"
    with pytest.raises(KgennError, match=r"KG209\] age \(InputLayer\): .*without an axis.*\n.*shape \(1,\)"):
        kgenn.convert(model, calibration=np.ones(20, np.float32))
