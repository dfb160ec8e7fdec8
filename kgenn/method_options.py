"""The converters and encoders whose options are flags and keys: kgenn's own, and those of plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from kgenn.config import DistinctOptions, make, options_of, vetted
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import Converter
from kgenn.diagnostics import fail
from kgenn.encoders import ENCODERS
from kgenn.encoders.base import Encoder
from kgenn.passes import LoweringOptions
from kgenn.registry import REPAIR, Registry
from kgenn.timestep_search import TimestepSearch

T = TypeVar("T")
# What names of flags mean to commands themselves, and names of keys to sweeps.
OWN = frozenset(
    {
        *("allow", "as_json", "calibration", "calibration_samples", "check", "converter", "data", "encoder"),
        *("frames", "metric", "task", "threshold"),
        *("help", "input_shape", "json", "limit", "model", "models", "output", "overwrite", "readout", "samples"),
        *("scale", "seed", "split", "target", "timesteps", "title", "version"),
    }
)
TAKEN = OWN | {option.name for cls in (LoweringOptions, TimestepSearch) for option in options_of(cls)}


@cache
def converters() -> DistinctOptions[Converter]:
    """Return the converters."""
    own = Registry[type[Encoder]](ENCODERS.kind, "", ENCODERS.table)
    return vetted(CONVERTERS, TAKEN | vetted(own).options)


@cache
def encoders() -> DistinctOptions[Encoder]:
    """Return the encoders: their options are other ones than those of converters."""
    return vetted(ENCODERS, TAKEN | converters().options)


def converter_of(name: str, values: Mapping[str, Any]) -> Converter:
    """Return the converter of a name with some options.

    Raises:
        KgennError: KG401 for an unknown name, an option that it has not, or a value out of range; KG420 for a
            plug-in that cannot be used.
    """
    return _made(CONVERTERS, converters(), name, values)


def encoder_of(name: str, values: Mapping[str, Any]) -> Encoder:
    """Return the encoder of a name with some options; errors as of `converter_of`."""
    return _made(ENCODERS, encoders(), name, values)


def encoders_of(
    names: Mapping[str, str], default: str, values: Mapping[str, Any]
) -> tuple[Encoder, dict[str, Encoder]]:
    """Return the encoder of all inputs that have none of their own, and those of some inputs by their names.

    Each takes those of the options that it has; one alone takes all.

    Args:
        names: of encoders, by the names of inputs; "" stands for all others, by default `default`.

    Raises:
        KgennError: as `encoder_of`, and KG401 for an option that none of them has.
    """
    chosen = {"": default, **names}
    known = {name: {option.name for option in options_of(ENCODERS.get(name))} for name in set(chosen.values())}
    used = set().union(*known.values())
    left = {option: value for option, value in values.items() if option not in used}

    def made(name: str) -> Encoder:
        own = {option: value for option, value in values.items() if option in known[name]}
        return encoder_of(name, {**own, **left})

    found = {place: made(name) for place, name in chosen.items()}
    return found.pop(""), found


def _made(registry: Registry[type[T]], known: DistinctOptions[T], name: str, values: Mapping[str, Any]) -> T:
    cls, where = registry.get(name), f"{registry.kind} {name}"
    if name in known.problems:
        raise fail("KG420", where, known.problems[name], REPAIR)
    return make(cls, where, values)
