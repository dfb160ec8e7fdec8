"""Errors about samples and labels name the file or the data, the input, and what to give instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgenn
from commands import Kgenn
from kgenn.compiled import CompiledNetwork
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array

L = keras.layers
STEPS = 5
RNG = np.random.default_rng(3)
MOVING, STILL = RNG.random((24, STEPS, 4), np.float32), RNG.random((24, 6), np.float32)


@cache
def model() -> keras.Model:
    """Return a model with the inputs `moving`, of 4 values, and `still`, of 6."""
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((4,), name="moving"), keras.Input((6,), name="still")]
    joined = L.Concatenate()([L.Dense(4, "relu", use_bias=False)(x) for x in inputs])
    return keras.Model(inputs, L.Dense(3, use_bias=False)(joined))


@cache
def timed() -> CompiledNetwork:
    """Return a network in which one input changes with time, and the other holds."""
    network = kgenn.convert(model(), calibration=[MOVING, STILL], frames=True, check=False)
    return kgenn.compile(network, "reference")


def with_nan(x: Array) -> Array:
    """Return values of which sample 7 has one that is no number."""
    changed = x.copy()
    changed.reshape(len(x), -1)[7, -1] = np.nan
    return changed


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([MOVING, STILL[:, :5]], r"data, still: takes .*\(6,\), got .*\(24, 5\)\n.*or of shape \(N, T, 6\) where"),
        ([MOVING[..., :3], STILL], r"have no frames of.*: .*\(24, 5, 3\) of moving, .*\n.*\(N, T, 4\) of moving"),
        ([MOVING[:, :0], STILL], "calibration data: have 0 frames a sample"),
        ([MOVING, np.ones((24, 3, 6), "f")], "data: have different numbers of frames: 5 of moving, 3 of still"),
        ([MOVING, with_nan(STILL)], "data, still: have values that are not finite, the first in sample 7"),
        ([with_nan(MOVING), STILL], "data, moving: have values that are not finite, the first in sample 7"),
    ],
)
def test_calibration_frames_that_do_not_fit_are_told_of_what_the_user_gave(given: Any, match: str) -> None:
    with pytest.raises(KgennError, match=f"KG402.*{match}"):
        kgenn.convert(model(), calibration=given, frames=True)


def test_an_input_that_holds_is_given_no_frames(tmp_path: Path, kgenn: Kgenn) -> None:
    frames = np.repeat(STILL[:, None], STEPS, axis=1)
    with pytest.raises(KgennError, match=r"KG602.*still: takes.*\n.*\(N, 6\), which holds for all timesteps"):
        timed().evaluate([MOVING, frames])
    timed().save(tmp_path / "net")
    np.savez(tmp_path / "data.npz", moving=MOVING, still=frames)
    found = kgenn("run", tmp_path / "net", "--data", tmp_path / "data.npz")
    assert found.code == 1
    what = "data.npz, still: has samples of 5 frames, but this input holds for all timesteps"
    assert what in found.err
    assert "give each sample without frames" in found.err


@pytest.mark.parametrize(
    "use",
    [
        lambda net, x: net.evaluate(x),
        lambda net, x: net.predict(x),
        lambda net, x: net.compare(x),
        lambda net, x: net.score(x, np.zeros(0, np.int64)),
        lambda net, x: net.neurobench(x),
        lambda net, x: list(net.trace(x)),
    ],
)
def test_no_samples_are_an_error_of_whatever_runs_them(use: Callable[[CompiledNetwork, Any], Any]) -> None:
    with pytest.raises(KgennError, match=r"KG602\] data: hold no samples\n.*give at least one"):
        use(timed(), [MOVING[:0], STILL[:0]])


def test_errors_of_a_compilation_name_the_file(tmp_path: Path, kgenn: Kgenn) -> None:
    model().save(tmp_path / "model.keras")

    def compiled(*options: str, **arrays: Array) -> str:
        np.savez(tmp_path / "train.npz", **arrays)
        data = ("--calibration", tmp_path / "train.npz", "-o", tmp_path / "net")
        found = kgenn("compile", tmp_path / "model.keras", *data, *options)
        assert found.code == 1
        return found.err

    still = MOVING.mean(1)
    error = compiled(moving=still, still=with_nan(STILL))
    assert f"error[KG402] {tmp_path / 'train.npz'}, still: have values that are not finite" in error
    many = np.repeat(STILL, 8, axis=0)
    many[-1] = np.nan
    error = compiled(moving=np.repeat(still, 8, axis=0), still=many)
    assert f"not finite, the first in sample {len(many) - 1}" in error
    error = compiled("--task", "classes", "--timesteps", "auto", moving=still, still=STILL, y=np.full(24, 0.5))
    assert f"error[KG607] {tmp_path / 'train.npz'}, labels: " in error
    error = compiled("--encoder", "still=spike", moving=still, still=STILL)
    assert f"error[KG603] {tmp_path / 'train.npz'}, encoder spike of input still: takes 0 or 1" in error


def test_values_that_are_not_finite_are_called_so() -> None:
    with pytest.raises(
        KgennError, match=r"(?s)KG603.*input still: .*have values that are not finite.*is sample 7, or"
    ):
        timed().evaluate([MOVING, with_nan(STILL)])


def test_masked_values_are_refused_and_wide_floats_are_narrowed() -> None:
    with pytest.raises(KgennError, match=r"KG602.*still: has masked values\n.*x.filled"):
        timed().evaluate([MOVING, np.ma.masked_array(STILL, STILL > 0.5)])
    masks = np.ma.masked_array(STILL, np.zeros(STILL.shape, bool))
    for given in (masks, STILL.astype(np.longdouble)):
        assert np.array_equal(timed().predict([MOVING, given]), timed().predict([MOVING, STILL]))


class Sparse:
    """What a matrix of scipy.sparse is to others."""

    dtype, shape = STILL.dtype, STILL.shape

    def __getitem__(self, rows: Any) -> Sparse:
        return self

    def __len__(self) -> int:
        raise TypeError("sparse array length is ambiguous")

    def toarray(self) -> Array:
        return STILL


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Sparse(), r"still: is a sparse Sparse\n.*x.toarray\(\)"),
        (tf.cast(STILL, tf.bfloat16), r'still: has values of type bfloat16\n.*x.astype\("float32"\)'),
        (tf.sparse.from_dense(STILL), r"still: is a SparseTensor\n.*give an array"),
        ({"a": 1}.values(), r"still: is dict_values\(\[1\]\)\n"),
    ],
)
def test_what_is_no_dense_array_is_told_what_to_give(given: Any, words: str) -> None:
    with pytest.raises(KgennError, match=rf"KG602.*{words}"):
        timed().evaluate([MOVING, given])
