"""Let the tests import the folder benchmarks, and leave out what needs Keras where it is not installed."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.append(str(Path(__file__).parents[2]))  # at the end: an installed kgenn stays before the folder's

collect_ignore_glob = [] if find_spec("keras") else ["test_engine_*.py", "test_zoo_*.py"]
