"""How well a network agrees with its model, as a conversion measures it; see `kgenn.agreement`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_type_hints

# Values of outputs whose errors are kept one by one.
MAX_OUTPUTS = 1024


@dataclass(frozen=True)
class Agreement:
    """How well a network agrees with its model.

    Attributes:
        num_samples: that were run.
        apart: they set no scale; else the calibration set was too small to keep any apart.
        agreement: the share for which the network gives the model's class, of every output, 0 to 1; of maps and
            labels the mean share of a sample; None where all outputs are values.
        error: of all outputs together.
        errors: of each value of the outputs, one output after the other, where there are at most `MAX_OUTPUTS`.
        layer: the population in which most of the error arises; empty where there is none.
        layer_error: mean |rate − what the rates that came in would give| there, in units of λ.
    """

    num_samples: int
    apart: bool
    agreement: float | None
    error: float
    errors: tuple[float, ...]
    layer: str
    layer_error: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data."""
        return {**asdict(self), "errors": list(self.errors)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Agreement:
        """Return what `to_dict` gave.

        Raises:
            ValueError: where the data were not written by it.
        """
        kinds = get_type_hints(Agreement) | {"errors": list}
        known = isinstance(values, Mapping) and values.keys() == kinds.keys()
        if not known or not all(isinstance(values[name], kind) for name, kind in kinds.items()):
            raise ValueError("agreement is of another type than kgenn writes")
        if not all(isinstance(error, float) for error in values["errors"]):
            raise ValueError("the errors of an agreement are no numbers")
        return Agreement(**{**values, "errors": tuple(values["errors"])})
