"""Tell which published works a compiled network used, from its manifest and its populations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kgenn.artifact import Artifact
from kgenn.citations import Reference, bibtex, reference
from kgenn.config import make
from kgenn.conversion import CONVERTERS
from kgenn.conversion.neurons import BURST
from kgenn.encoders import ENCODERS
from kgenn.ir.network import Network

GENN = ("yavuz2016genn", "knight2021pygenn")
BY_TARGET = {"genn-cpu": GENN, "genn-cuda": GENN}
# For networks that name no converter: neurons that only one rate-coded method has.
BY_NEURON = {BURST.name: "burst"}


@dataclass(frozen=True)
class Credit:
    """A work, and what of it was used.

    Attributes:
        reference: the work.
        reasons: at least one.
    """

    reference: Reference
    reasons: tuple[str, ...]

    @property
    def bibtex(self) -> str:
        """Return the entry in BibTeX, under a comment with the reasons."""
        return f"% {'; '.join(self.reasons)}\n{bibtex(self.reference)}"


def credits_of(artifact: Artifact) -> tuple[Credit, ...]:
    """Return every work that a compiled network used, each once.

    Where the manifest does not tell the converter, as in a directory that Python wrote, the network's code and
    neurons stand in for it.

    Raises:
        KgennError: KG401 where the converter is not installed, or names an unknown key.
    """
    return _gathered(_uses(artifact))


def method_credits(name: str) -> tuple[Credit, ...]:
    """Return the works of one conversion method.

    Raises:
        KgennError: KG401 for an unknown method.
    """
    return _gathered((key, f"the converter {name}") for key in CONVERTERS.get(name).citations)


def _gathered(uses: Iterator[tuple[str, str]]) -> tuple[Credit, ...]:
    reasons: dict[str, dict[str, None]] = {}
    for key, reason in uses:
        reasons.setdefault(key, {})[reason] = None
    return tuple(Credit(reference(key), tuple(found)) for key, found in reasons.items())


def _uses(artifact: Artifact) -> Iterator[tuple[str, str]]:
    """Yield (key, reason) of each use."""
    network = artifact.network
    yield "kgenn", "the compiler"
    yield from _of_converter(artifact)
    encoder = network.coding.encoder
    yield from ((key, f"the encoder {encoder}") for key in ENCODERS.get(encoder).citations)
    yield from _of_network(network)
    yield from ((key, f"the target {artifact.target}") for key in BY_TARGET.get(artifact.target, ()))
    yield "davidson2021", "the break-even number of spikes per neuron"
    yield "horowitz2014", "the energy of an operation"


def _of_converter(artifact: Artifact) -> Iterator[tuple[str, str]]:
    recorded = artifact.network.origin.get("converter")
    if recorded is None:
        yield from _of_neurons(artifact.network)
        return
    name = recorded["name"]
    options = {option: value for option, value in recorded["options"].items() if value is not None}
    converter = make(CONVERTERS.get(name), f"converter {name}", options)
    yield from ((key, f"the converter {name}") for key in converter.cited)


def _of_neurons(network: Network) -> Iterator[tuple[str, str]]:
    same_code = [name for name in CONVERTERS.names() if CONVERTERS.get(name).code == network.code_name]
    if len(same_code) == 1:
        yield from ((key, f"the {network.code_name} code") for key in CONVERTERS.get(same_code[0]).citations)
    for neuron in dict.fromkeys(p.neuron.name for p in network.populations):
        if neuron in BY_NEURON:
            yield from ((key, f"{neuron} neurons") for key in CONVERTERS.get(BY_NEURON[neuron]).citations)


def _of_network(network: Network) -> Iterator[tuple[str, str]]:
    """Yield what lowering did and the populations show: identities, lateral inhibition, folds and biases."""
    populations, origin = network.populations, network.origin
    if "identity" in origin.get("inserted", ()):
        yield "sengupta2019", "identity populations after residual sums"
    if any(p.neuron.name.startswith("lateral-inhibition-") for p in populations):
        yield "li2022burst", "max pooling by lateral inhibition"
    biased = any(p.bias is not None for p in populations)
    # populations alone cannot tell a model's biases from a fold's or a correction's
    features = origin.get("features", ())
    if "batch-norm" in features:
        yield "rueckauer2017", "batch normalisation folded into weights"
    if biased and "bias" in features:
        yield "rueckauer2017", "biases as constant currents"
