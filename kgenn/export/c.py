"""C: a network in integers for microcontrollers, without threads, files, heap, floating point or a library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kgenn.backends.base import Program
from kgenn.backends.render import render
from kgenn.export.base import Exporter, refuse, route
from kgenn.export.c_network import c_context
from kgenn.export.integer_code import NotInteger, arithmetic_of
from kgenn.export.prefix import checked_prefix, renamed
from kgenn.ir.connectivity import Sparse
from kgenn.ir.network import Network

# The files by their templates.
FILES = {"kgenn_network.h": "kgenn_network.h", "network.c": "kgenn_network.c", "weights.c": "kgenn_weights.c"}
ADVICE = "run it on the target cpu, or convert with data-norm, an encoder for rates and single spikes"


class CSources(Exporter):
    """C99 sources with the weights in const arrays; all names begin with the prefix."""

    folder: ClassVar[bool] = True

    def emit(self, network: Network, name: str) -> Program:
        prefix = checked_prefix(name)
        refuse("KG412", ADVICE, obstacles(network))
        context = c_context(network)
        files = {name: render(f"c/{template}.j2", context) for template, name in FILES.items()}
        return Program(renamed(files, prefix))


def obstacles(network: Network) -> Iterator[tuple[str, str]]:
    """Yield where and what keeps a network out of integer C."""
    if network.code.staged:
        yield network.name, "works in stages, whose sums need float64"
        return
    if not network.code.steady:
        yield network.name, "corrects its sums by fractions of a unit"
    for population in network.populations:
        try:
            arithmetic = arithmetic_of(network, population, 0.0)
            for code in (population.neuron.update, population.neuron.reset):
                arithmetic.statements(code)
            for code in filter(None, (population.neuron.threshold, population.neuron.emit)):
                arithmetic.code(code)
        except NotInteger as error:
            yield population.name, str(error)
    for c in network.connections:
        if network.is_analog(c):
            levels = network.input_of[c.source].coding.levels
            if levels & (levels - 1):
                yield route(c), f"injects a current in {levels:,} levels, which are not a power of two"
            if c.pool is not None or isinstance(c.connectivity, Sparse):
                yield route(c), "injects a current through a pooling or through single synapses"
