"""Tell which published works a compiled network used, from its manifest and its populations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kgenn.artifact.directory import Artifact
from kgenn.backends import TARGETS
from kgenn.citations import BibliographyEntry, Citation, bibtex, reference
from kgenn.config import make
from kgenn.conversion import CONVERTERS
from kgenn.encoders import ENCODERS
from kgenn.ir.network import Network

# A work, and what it was used for.
Use = tuple[Citation, str]


@dataclass(frozen=True)
class Credit:
    """A work, and what of it was used.

    Attributes:
        reference: the work.
        reasons: at least one.
    """

    reference: BibliographyEntry
    reasons: tuple[str, ...]

    @property
    def bibtex(self) -> str:
        """Return the entry in BibTeX, under a comment with the reasons."""
        return f"% {'; '.join(self.reasons)}\n{bibtex(self.reference)}"


def credits_of(artifact: Artifact) -> tuple[Credit, ...]:
    """Return every work that a compiled network used, each once.

    Of a network whose origin is not known, the converter's works are missing.

    Raises:
        KgennError: KG401 where the converter is not installed, or names an unknown key.
    """
    return _gathered(_uses(artifact))


def method_credits(name: str) -> tuple[Credit, ...]:
    """Return the works of one conversion method.

    Raises:
        KgennError: KG401 for an unknown method.
    """
    return _gathered((citation, f"the converter {name}") for citation in CONVERTERS.get(name).citations)


def _gathered(uses: Iterator[Use]) -> tuple[Credit, ...]:
    found: dict[str, tuple[BibliographyEntry, dict[str, None]]] = {}
    for citation, reason in uses:
        entry = reference(citation)
        found.setdefault(entry.key, (entry, {}))[1][reason] = None
    return tuple(Credit(entry, tuple(reasons)) for entry, reasons in found.values())


def _uses(artifact: Artifact) -> Iterator[Use]:
    network, target = artifact.network, artifact.target
    yield "kgenn", "the compiler"
    yield from _of_converter(network)
    for encoder in dict.fromkeys(i.coding.encoder for i in network.inputs):
        yield from ((citation, f"the encoder {encoder}") for citation in ENCODERS.get(encoder).citations)
    yield from _of_network(network)
    yield from ((citation, f"the target {target}") for citation in TARGETS.get(target).citations)
    yield "davidson2021", "the break-even number of spikes per neuron"
    yield "horowitz2014", "the energy of an operation"
    yield "yan2024", "the comparison with a quantised twin"


def _of_converter(network: Network) -> Iterator[Use]:
    recorded = network.origin.get("converter")
    if recorded is None:
        return
    name = recorded["name"]
    options = {option: value for option, value in recorded["options"].items() if value is not None}
    converter = make(CONVERTERS.get(name), f"converter {name}", options)
    yield from ((citation, f"the converter {name}") for citation in converter.cited)


def _of_network(network: Network) -> Iterator[Use]:
    """Yield what lowering did and the populations show: identities, lateral inhibition, folds and biases."""
    populations, origin = network.populations, network.origin
    if "identity" in origin.get("inserted", ()):
        yield "sengupta2019", "identity populations after residual sums"
    if any(p.maximum for p in populations) and not network.code.staged:
        yield "li2022burst", "max pooling by lateral inhibition"
    # populations alone cannot tell a model's biases from a fold's or a correction's
    features = origin.get("features", ())
    if "batch-norm" in features:
        yield "rueckauer2017", "batch normalisation folded into weights"
    if "bias" in features and any(p.bias is not None for p in populations):
        yield "rueckauer2017", "biases as constant currents"
