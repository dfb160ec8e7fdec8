"""How a model is to be converted: everything but the model, the calibration data and the number of timesteps."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from kgenn.config import values_of
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import Converter
from kgenn.conversion.constraints import admitted
from kgenn.conversion.data_norm import DataNorm
from kgenn.diagnostics import fail, known_names
from kgenn.encoders import ENCODERS, encoders_of
from kgenn.encoders.base import Encoder
from kgenn.ir.network import ReadoutKind
from kgenn.passes import LoweringOptions
from kgenn.registry import Registry

T = TypeVar("T")


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
    converter: Converter | str | None = None,
    encoder: Encoder | str | None = None,
    allow: Collection[str] = (),
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    seed: int = 0,
) -> Recipe:
    """Return a recipe; what is not given is the method's default, and the default method is `DataNorm()`.

    Args:
        converter, encoder: with their options, or a name, which stands for default options.
        allow: features, or the only one; "all" stands for every one.

    Raises:
        KgennError: as `Recipe`; KG401 for what is no converter or encoder.
    """
    method = _named(converter or DataNorm(), lambda given: isinstance(given, Converter), CONVERTERS)
    return Recipe(
        converter=method,
        encoder=_named(encoder or method.default_encoder, lambda given: isinstance(given, Encoder), ENCODERS),
        allow=admitted((allow,) if isinstance(allow, str) else allow),
        lowering=lowering or LoweringOptions(),
        readout=readout or method.readouts[0],
        seed=seed,
    )


def _named(given: T | str, kind: Callable[[Any], bool], known: Registry[type[T]]) -> T:
    """Return a converter or an encoder, by its name with default options."""
    if isinstance(given, str):
        return known.get(given)()
    if not kind(given):
        raise fail("KG401", known.kind, f"is {given!r}", "pass an object with its options, or a name")
    return given
