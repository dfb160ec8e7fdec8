"""How many examples the property tests try: few, always the same, unless more are asked for.

`KGENN_EXAMPLES=100` tries a hundred times as many, other ones on each run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("KGENN_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """Return the settings of a test that tries so many examples."""
    many = FACTOR > 1
    return settings(
        max_examples=count * FACTOR,
        derandomize=not many,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
