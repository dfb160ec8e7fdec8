"""Give copies of model files; quieten TensorFlow, and leave out what needs Keras where it is not installed."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from model_files import FIXTURES

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_NEED_KERAS = (
    *("test_against_keras.py", "test_every_class.py", "test_input_shapes.py", "test_operations.py"),
    "test_quantised.py",
)
collect_ignore = [] if find_spec("keras") else list(_NEED_KERAS)


@pytest.fixture
def h5(tmp_path):
    """Return a copy of a functional model with Add and batch normalisation."""
    return Path(shutil.copy(FIXTURES / "residual-2.15.0.h5", tmp_path / "residual.h5"))


@pytest.fixture
def archive(tmp_path):
    """Return a copy of an archive with nested models."""
    return Path(shutil.copy(FIXTURES / "nested-2.15.0.keras", tmp_path / "nested.keras"))
