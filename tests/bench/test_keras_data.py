"""Data sets of keras.datasets: found where Keras keeps them, or fetched by Keras."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from kgenn.bench.files import fetched, kept
from kgenn.data.load import load_data
from kgenn.diagnostics import KgennError

# What stands in for keras.datasets.cifar10, so that nothing is fetched.
DATASET = """
import numpy as np
def load_data():
    x = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    return (x, np.array([[1], [2]])), (x[:1], np.array([[3]]))
"""
BROKEN = "def load_data():\n    raise Exception('no such host')\n"


@pytest.fixture
def keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a data set in a Keras of our own, which other processes import."""
    if find_spec("keras") is None:
        pytest.skip("needs Keras")
    module = tmp_path / "fake/keras/datasets/cifar10.py"
    module.parent.mkdir(parents=True)
    (module.parent / "__init__.py").touch()
    (module.parents[1] / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "fake"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("KGENN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return module


def test_a_data_set_is_fetched_once_in_the_layout_of_keras_datasets(keras: Path) -> None:
    keras.write_text(DATASET)
    assert kept("cifar10") is None
    path = fetched("cifar10")
    assert path is not None
    assert path == kept("cifar10")
    train, test = load_data(path, "train"), load_data(path, "test")
    assert (train.x.shape, test.x.shape) == ((2, 2, 2, 3), (1, 2, 2, 3))
    assert train.y is not None
    assert train.y.tolist() == [[1], [2]]


def test_a_data_set_that_keras_cannot_fetch_is_kg621_and_leaves_nothing(keras: Path) -> None:
    keras.write_text(BROKEN)
    with pytest.raises(KgennError, match=r"KG621.*Exception: no such host"):
        fetched("cifar10")
    assert kept("cifar10") is None


def test_other_names_are_no_data_sets_of_keras(keras: Path) -> None:
    assert (kept("imagenet"), fetched("imagenet")) == (None, None)
