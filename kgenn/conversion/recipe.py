"""How a model is to be converted: everything but the model, the calibration data and the number of timesteps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from kgenn.config import values_of
from kgenn.conversion.base import Converter
from kgenn.conversion.data_norm import DataNorm
from kgenn.diagnostics import fail, known_names
from kgenn.encoders import ENCODERS, encoders_of
from kgenn.encoders.base import Encoder
from kgenn.ir.network import ReadoutKind
from kgenn.passes import LoweringOptions


@dataclass(frozen=True)
class Recipe:
    """A conversion method, an encoder that it works with, and what else decides what the network is.

    Attributes:
        allow: features beyond the strict profile.
        readout: one of the converter's.
        seed: of the encoder's random numbers.

    Raises:
        KgennError: KG401 where the parts do not go together.
    """

    converter: Converter
    encoder: Encoder
    allow: tuple[str, ...]
    lowering: LoweringOptions
    readout: ReadoutKind
    seed: int

    def __post_init__(self) -> None:
        method, encoder = self.converter, self.encoder
        if self.readout not in method.readouts:
            what = f"the converter {method.name} has no readout {self.readout!r}"
            raise fail("KG401", "readout", what, known_names(self.readout, method.readouts))
        if encoder.code not in (None, method.code):
            what = f"does not work with the converter {method.name}"
            known = known_names(encoder.name, encoders_of(method.code))
            raise fail("KG401", f"encoder {encoder.name}", what, known)

    def record(self) -> dict[str, Any]:
        """Return every option, JSON-able, as the manifest of a compiled network keeps it."""
        return {
            "converter": {"name": self.converter.name, "options": values_of(self.converter)},
            "encoder": {"name": self.encoder.name, "options": values_of(self.encoder)},
            "allow": sorted(set(self.allow)),
            "lowering": values_of(self.lowering),
            "readout": self.readout,
            "seed": self.seed,
        }


def recipe_of(
    converter: Converter | None = None,
    encoder: Encoder | None = None,
    allow: Collection[str] = (),
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    seed: int = 0,
) -> Recipe:
    """Return a recipe; what is not given is the method's default, and the default method is `DataNorm()`.

    Raises:
        KgennError: as `Recipe`.
    """
    method = converter or DataNorm()
    return Recipe(
        converter=method,
        encoder=encoder or ENCODERS.get(method.default_encoder)(),
        allow=tuple(allow),
        lowering=lowering or LoweringOptions(),
        readout=readout or method.readouts[0],
        seed=seed,
    )
