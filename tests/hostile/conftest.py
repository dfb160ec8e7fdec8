"""Let the tests import the folder benchmarks, which has the seeds and the fuzzer."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # at the end: an installed kgenn stays before the folder's
