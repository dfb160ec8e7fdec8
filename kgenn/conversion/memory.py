"""What conversions of one model on one calibration set share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Memory:
    """What conversions of one model on one calibration set computed, by key."""

    values: dict[Hashable, Any] = field(default_factory=dict)

    def memoise(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the value of a key, computing it the first time."""
        if key not in self.values:
            self.values[key] = compute()
        return self.values[key]
