"""The classes that generated C++ and integer C say of an output are what its task predicts of the same scores."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kgenn
from covering import leading
from kgenn.export.c import CSources
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.scores import heads_of
from kgenn.tasks.goal import goal
from kgenn.tasks.labelled_goals import stored
from kgenn.tasks.predict import predictions
from recordings import compiled

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

L = keras.layers
MAP = L.Reshape((4, 4, 3))
# name: (how many classes it says, what the user chose, layers after a hidden one)
ENDS: dict[str, tuple[int, dict[str, Any], list[Any]]] = {
    "classes": (1, {}, [L.Dense(5), L.Softmax()]),
    "yes or no": (1, {}, [L.Dense(1, "sigmoid")]),
    "logit": (1, {"task": "binary", "threshold": 0.0}, [L.Dense(1)]),
    "yes above 0.8": (1, {"threshold": 0.8}, [L.Dense(1, "sigmoid")]),
    "labels": (6, {}, [L.Dense(6, "sigmoid")]),
    "map": (16, {}, [L.Dense(48), MAP, L.Softmax()]),
    "map without an end": (16, {"task": "segmentation"}, [L.Dense(48), L.Reshape((4, 4, 3))]),
    "mask": (16, {}, [L.Dense(16, "sigmoid"), L.Reshape((4, 4, 1))]),
    "values": (0, {"task": "regression"}, [L.Dense(3)]),
    "signal": (0, {}, [L.Dense(8), L.Reshape((8, 1))]),
}
# Integer C has no floating point: a threshold that is not 0 before the activation is the caller's.
NOT_BY_SCORES = ("yes above 0.8",)
each_end = pytest.mark.parametrize("name", ENDS)


@cache
def network_of(name: str) -> Network:
    keras.utils.set_random_seed(5)
    _, chosen, layers = ENDS[name]
    model = keras.Sequential([keras.Input((12,)), L.Dense(9, "relu"), *layers])
    last = next(layer for layer in layers if isinstance(layer, L.Dense))
    kernel, bias = last.get_weights()
    last.set_weights([np.random.default_rng(1).normal(0, 9, kernel.shape), bias])  # sure of what it says
    x = np.random.default_rng(2).uniform(0, 1, (96, 12)).astype(np.float32)
    return kgenn.convert(model, calibration=x, timesteps=16, encoder="if", allow="bias", check=False, **chosen)


def said(network: Network, scores: Array) -> Array:
    """Return what the task of the only output predicts after the last step, shape (N, classes)."""
    (head,) = heads_of(network)
    task = goal(head.end, stored(network.origin).get(head.name)).task
    return predictions(task, head, scores).reshape(len(scores), -1)


def inputs() -> Array:
    return np.eye(12, dtype=np.float32)


@pytest.mark.parametrize("name", leading(ENDS))
def test_cpp_says_the_classes_of_the_task(name: str) -> None:
    network = network_of(name)
    simulator = compiled(network)
    library, handle = simulator.library, simulator.handle  # type: ignore[attr-defined]
    library.kgenn_outputs.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    scores = np.ascontiguousarray(simulator.run(network.drive(inputs()), 0).scores[:, -1])
    outputs = np.zeros((len(scores), network.num_scores), np.float32)
    library.kgenn_outputs(handle, scores.ctypes.data, len(scores), outputs.ctypes.data)
    expected, count = said(network, scores[:, None]), ENDS[name][0]
    assert (library.kgenn_class_count(0), library.kgenn_class_count(1)) == (count, 0)
    for row, right in zip(outputs, expected, strict=True):
        at = ctypes.c_void_p(row.ctypes.data)
        found = [library.kgenn_class_at(at, 0, position) for position in range(count)]
        assert found == (right.tolist() if count else [])
        assert library.kgenn_class(at, 0) == (right[0] if count == 1 else -1)
        assert {library.kgenn_class_at(at, 0, -1), library.kgenn_class_at(at, 0, count)} == {-1}
        assert library.kgenn_class_at(at, 1, 0) == -1
    if count:
        assert len(np.unique(expected)) > 1


@each_end
def test_integer_c_says_the_classes_of_the_task_where_scores_say_them(name: str, tmp_path: Path) -> None:
    network = network_of(name)
    for file, content in CSources().emit(network, "tiny").files.items():
        (tmp_path / file).write_bytes(content)
    (tmp_path / "state.c").write_text('#include "tiny_network.h"\nint size(void) { return sizeof(tiny_state); }\n')
    sources = [str(tmp_path / file) for file in ("tiny_network.c", "tiny_weights.c", "state.c")]
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(tmp_path / "c.so")]
    subprocess.run([*command, *sources], check=True)
    library = ctypes.CDLL(str(tmp_path / "c.so"))
    library.tiny_score_at.restype = ctypes.c_int64
    state = (ctypes.c_uint8 * library.size())()
    count = 0 if name in NOT_BY_SCORES else ENDS[name][0]
    assert library.tiny_class_count(0) == count
    drive = np.ascontiguousarray(network.drive(inputs()), np.int32)
    for sample, values in enumerate(drive):
        library.tiny_reset(state, sample)
        for step in range(network.num_timesteps):
            given = ctypes.c_void_p(values.ctypes.data) if step == 0 else None
            assert library.tiny_step(state, given) == 0
        scores = np.array([library.tiny_score_at(state, i) for i in range(network.num_scores)], np.float32)
        right = said(network, scores[None, None])[0]
        found = [library.tiny_class_at(state, 0, position) for position in range(count)]
        assert found == (right.tolist() if count else [])
        assert library.tiny_class(state, 0) == (right[0] if count == 1 else -1)
