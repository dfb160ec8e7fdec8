"""How a model is to be converted: everything but the model, the calibration data and the number of timesteps."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kgenn.config import make, values_in, values_of, whole
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import Converter
from kgenn.conversion.constraints import admitted
from kgenn.conversion.data_norm import DataNorm
from kgenn.diagnostics import fail, known_names
from kgenn.encoders import ENCODERS, encoders_of
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Graph
from kgenn.ir.network import ReadoutKind
from kgenn.ir.random import LARGEST_SEED
from kgenn.passes import LoweringOptions
from kgenn.registry import Registry

T = TypeVar("T")
# An encoder with its options, or a text, for all inputs, or for some by their names; None for the default.
EncoderLike = Encoder | str | Mapping[str, Encoder | str] | None


@dataclass(frozen=True)
class Recipe:
    """A conversion method, an encoder that it works with, and what else decides what the network is.

    Attributes:
        encoder: of every input that `encoders` does not name.
        allow: features beyond the strict profile.
        readout: one of the converter's.
        seed: of the encoders' random numbers.
        encoders: of some inputs, as (name of the input, encoder).

    Raises:
        KgennError: KG401 where the parts do not go together.
    """

    converter: Converter
    encoder: Encoder
    allow: tuple[str, ...]
    lowering: LoweringOptions
    readout: ReadoutKind
    seed: int
    encoders: tuple[tuple[str, Encoder], ...] = ()

    def __post_init__(self) -> None:
        method = self.converter
        if self.readout not in method.readouts:
            what = f"the converter {method.name} has no readout {self.readout!r}"
            raise fail("KG401", "readout", what, known_names(str(self.readout), method.readouts))
        for encoder in (self.encoder, *(encoder for _, encoder in self.encoders)):
            if encoder.code not in (None, method.code):
                what = f"does not work with the converter {method.name}"
                known = known_names(encoder.name, encoders_of(method.code))
                raise fail("KG401", f"encoder {encoder.name}", what, known)

    def encoders_for(self, graph: Graph) -> dict[str, Encoder]:
        """Return the encoder of each input of a model.

        Raises:
            KgennError: KG401 where one is named that the model lacks.
        """
        named = graph.naming.of_inputs(dict(self.encoders), graph.inputs)
        for name, encoder in named.items():
            if name not in graph.inputs:
                known = known_names(name, graph.inputs)
                raise fail("KG401", f"encoder {name}={encoder.name}", "no such input", known)
        return dict.fromkeys(graph.inputs, self.encoder) | named

    def pieces(self, num_timesteps: int) -> int:
        """Return how many straight pieces an activation gets in a network of so many timesteps."""
        return self.lowering.pieces_for(self.converter.levels(num_timesteps))

    @property
    def depends_on_timesteps(self) -> bool:
        """Tell whether the network for T is not the one for another T that runs longer or shorter."""
        return self.converter.depends_on_timesteps or self.lowering.weight_bits == "auto"

    def record(self) -> dict[str, Any]:
        """Return every option, JSON-able, as the manifest of a compiled network keeps it."""
        return {
            "converter": {"name": self.converter.name, "options": values_of(self.converter)},
            "encoder": _record(self.encoder),
            **({"encoders": {name: _record(e) for name, e in self.encoders}} if self.encoders else {}),
            "allow": sorted(set(self.allow)),
            "lowering": values_of(self.lowering),
            "readout": self.readout,
            "seed": self.seed,
        }


def _record(encoder: Encoder) -> dict[str, Any]:
    return {"name": encoder.name, "options": values_of(encoder)}


def recipe_of(
    converter: Converter | str | None = None,
    encoder: EncoderLike = None,
    allow: Collection[str] = (),
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    seed: int = 0,
    encoders: Mapping[str, Encoder] | None = None,
) -> Recipe:
    """Return a recipe; what is not given is the method's default, and the default method is `DataNorm()`.

    Args:
        converter: with its options, or a text: a name and options as the command line has them.
        encoder: likewise, for all inputs; or a mapping from the names of some, and the others have the default.
        allow: features, or the only one; "all" stands for every one.
        encoders: of some inputs by their names, besides `encoder` for the others.

    Raises:
        KgennError: as `Recipe`; KG401 for what is no converter or encoder.
    """
    chosen = DataNorm() if converter is None else converter
    method = _named(chosen, lambda given: isinstance(given, Converter), CONVERTERS)
    named = {**(encoder if isinstance(encoder, Mapping) else {}), **(encoders or {})}
    common = method.default_encoder if encoder is None or isinstance(encoder, Mapping) else encoder
    if not isinstance(allow, Collection) or not all(isinstance(feature, str) for feature in allow):
        raise fail("KG401", "allow", f"is {allow!r}", 'give names of features, such as ("bias",), or "all"')
    return Recipe(
        converter=method,
        encoder=_encoder(common),
        allow=admitted((allow,) if isinstance(allow, str) else allow),
        lowering=lowering or LoweringOptions(),
        readout=method.readouts[0] if readout is None else readout,
        seed=whole("seed", seed, 0, LARGEST_SEED),
        encoders=tuple((name, _encoder(given)) for name, given in sorted(named.items())),
    )


def _encoder(given: Encoder | str) -> Encoder:
    return _named(given, lambda given: isinstance(given, Encoder), ENCODERS)


def _named(given: T | str, kind: Callable[[Any], bool], known: Registry[type[T]]) -> T:
    """Return a converter or an encoder; a text names it, with options as the command line has them."""
    if isinstance(given, str):
        name, *words = _words(given, known.kind)
        cls, where = known.get(name), f"{known.kind} {name}"
        return make(cls, where, values_in(cls, where, words))
    if not kind(given):
        advice = "pass an object with its options, or a name"
        if isinstance(given, type) and issubclass(given, Converter | Encoder):
            advice = f"call it: {given.__name__}()"
        raise fail("KG401", known.kind, f"is {given!r}", advice)
    return given


def _words(text: str, kind: str) -> list[str]:
    try:
        return shlex.split(text) or [""]
    except ValueError as error:
        raise fail("KG401", kind, f"is {text!r}: {error}", "give a name and options, each once") from error
