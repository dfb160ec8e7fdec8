"""Quieten TensorFlow, and leave out what needs Keras where it is not installed."""

from __future__ import annotations

import os
from importlib.util import find_spec

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

collect_ignore = [] if find_spec("keras") else ["test_against_keras.py"]
