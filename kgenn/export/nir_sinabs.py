"""A NIR file for Sinabs: a Python module beside it builds the network from layers of Sinabs.

`sinabs.nir.from_nir` (3.1.3) reads an IF node as a neuron that may fire several times in a step and whose
potential never falls below minus its threshold. It knows no potentials at the start, fails on groups, Conv1d and
Scale, and computes graphs with branches wrongly. The module has neurons that fire once in a step, and adds up what
leads to a node. Weights are integers, so that sums in float64 are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from kgenn import __version__
from kgenn.backends.render import label, render
from kgenn.export.channels_first import moved
from kgenn.ir.network import Network


def on_grid(network: Network) -> Network:
    """Return the network with weights and thresholds in its integers, not in units of the threshold."""
    return replace(network, populations=tuple(replace(p, unit=1.0) for p in network.populations))


def obstacles(network: Network) -> Iterator[tuple[str, str]]:
    """Yield where and what of a network Sinabs would compute otherwise, whatever the file says."""
    if len(network.inputs) > 1 or len(network.outputs) > 1:
        yield network.name, "has several inputs or outputs; the loader takes one of each"


def loader(network: Network, graph: Any, name: str) -> tuple[str, bytes]:
    """Return the name and the source of the module that loads a graph.

    Args:
        network: as it was before `on_grid`.
        graph: the nir.NIRGraph on the grid.
        name: of its file.
    """
    stem = PurePath(name).stem
    (given,), (readout,) = network.inputs, network.readouts
    carriers = [target for source, target in graph.edges if source == "input"] if given.coding.analog else []
    direct = {_weighted(graph, node): given.coding.levels for node in carriers}
    context = {
        "version": __version__,
        "title": label(network.name),
        "graph": label(name),
        "graph_name": ascii(name),
        "module": f"{stem}_sinabs",
        "encoder": given.coding.encoder,
        "changing": given.changing,
        "framed": given.changing or not given.coding.analog,
        "shape": ", ".join(map(str, moved(network.by_name[given.name].shape))),
        "num_timesteps": network.num_timesteps,
        "unit": readout.unit,
        "direct": direct,
    }
    return f"{stem}_sinabs.py", render("nir/sinabs.py.j2", context)


def _weighted(graph: Any, node: str) -> str:
    """Return the first node with weights on the way from one."""
    while not hasattr(graph.nodes[node], "weight"):
        (node,) = (target for source, target in graph.edges if source == node)
    return node
