"""NIR, the neuromorphic intermediate representation: a network as a graph that other frameworks read.

What is carried: weights and biases (float32), channels first, and sums of spikes over windows. They count in
thresholds, so that the threshold is 1. Where float32 would round that, because the unit is no power of two, they
are kgenn's integers, and so is the threshold. NIR describes continuous time, where a neuron never exceeds its
threshold: setting it to `v_reset` and subtracting the threshold are then the same. A simulator in steps has to
choose, so each IF node says in its metadata which reset the network has ("subtract" or "zero"), and with which
potential its neurons start (`v_initial`, in the units of its threshold: a number, or one for each neuron), for
which NIR has no field. NIR fires above the threshold, kgenn at it.

The graph starts behind the encoders: an Input takes spikes, or with direct input the (preprocessed) values
themselves at every step. An Output is the current of its readout, for the reader to accumulate, or the spikes of
the readout where those are counted. Metadata of an Input hold its encoder and preprocessing, those of an Output
the names of the model's final activations, which the reader is to compute, and those of the graph the readout. A
graph with a single input and output has all of them, and its nodes are called "input" and "output"; those of
several have the names of the model.

`nir` (1.0.8) gets the shapes of grouped convolutions and of rectangular kernels wrong when it checks them: files
with such layers are read by `nir.read(file, type_check=False)`.

Source: Pedersen et al. 2024, doi:10.1038/s41467-024-52259-9.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from kgenn import __version__
from kgenn.backends.base import Program, given_network
from kgenn.export import nir_sinabs
from kgenn.export.base import Exporter, optional, refuse, route
from kgenn.export.channels_first import image, moved
from kgenn.export.nir_layers import chain, holds_bias, refusal
from kgenn.ir.network import POTENTIAL, Connection, Network, Population
from kgenn.ir.network_input import NetworkInput

# The resets of integrate-and-fire neurons, by their code, and what the metadata call them.
RESETS = {"v -= v_thresh": "subtract", "v = 0": "zero"}
ADVICE = "kgenn run and the other targets run this network"
# Where neurons or the schedule are in the way, the method is.
METHODS = "for NIR use data-norm or fission, whose neurons integrate and fire"


class Nir(Exporter):
    """A graph of the neuromorphic intermediate representation; docs/howto/export.md says who reads it rightly.

    For Sinabs weights are integers, and a Python module beside the file loads it; see `kgenn.export.nir_sinabs`.
    """

    suffix: ClassVar[str] = ".nir"
    readers: ClassVar[tuple[str, ...]] = ("sinabs",)

    def emit(self, network: Network, name: str) -> Program:
        if not self.reader:
            return Program({name: self.file(to_nir(network))})
        refuse("KG410", ADVICE, nir_sinabs.obstacles(given_network(network)))
        graph = to_nir(nir_sinabs.on_grid(network))
        loader, source = nir_sinabs.loader(network, graph, name)
        return Program({name: self.file(graph), loader: source})

    def file(self, graph: Any) -> bytes:
        """Return the file of a graph."""
        file = io.BytesIO()
        optional("nir", "pip install nir").write(file, graph)
        return file.getvalue()


def to_nir(network: Network) -> Any:
    """Return a network as a `nir.NIRGraph`; the module's docstring says what that carries.

    Raises:
        KgennError: KG410 with everything that NIR cannot hold, KG508 where `nir` is not installed.
    """
    given = given_network(network)
    foreign = [*foreign_to_nir(given)]
    refuse("KG410", METHODS if foreign else ADVICE, [*foreign, *obstacles(given)])
    nir = optional("nir", "pip install nir")
    network = exact(network)
    names = node_names(network)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    for population in network.populations:
        ends = output_nodes(nir, network, population, names)
        if population.neuron.threshold or not ends:
            nodes[names.populations[population.name]] = neurons(nir, network, population)
            edges += [*_incoming(nir, network, population, names.populations[population.name], names, nodes)]
            edges += [(names.populations[population.name], end) for end in ends]
            nodes |= ends
            continue
        nodes |= ends  # currents that no neuron takes: the first output has the nodes of the connections
        first, *others = ends
        into = [*_incoming(nir, network, population, first, names, nodes)]
        edges += into + [(source, end) for end in others for source, target in into if target == first]
    return nir.NIRGraph(nodes, edges, metadata=metadata(network), type_check=_nir_can_check(nir, nodes))


def exact(network: Network) -> Network:
    """Return the network with the unit 1 for neurons whose weights float32 would round in thresholds."""

    def in_thresholds(p: Population) -> bool:
        return not p.neuron.threshold or math.frexp(p.unit)[0] == 0.5  # a power of two

    kept = (p if in_thresholds(p) else replace(p, unit=1.0) for p in network.populations)
    return replace(network, populations=tuple(kept))


def _incoming(
    nir: Any, network: Network, population: Population, end: str, names: NodeNames, nodes: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Add the nodes of the connections into a population; yield the edges, the last ones into a node.

    Args:
        end: the name of that node.
    """
    holder = bias_holder(network, population)
    for number, c in enumerate(network.incoming[population.name]):
        bias = population.bias if c is holder else None
        at, prefix = names.populations[c.source], f"{end}_{number}"
        for kind, node in chain(nir, c, network.by_name[c.source], population, bias):
            nodes[f"{prefix}_{kind}"] = node
            yield at, f"{prefix}_{kind}"
            at = f"{prefix}_{kind}"
        yield at, end


def output_nodes(nir: Any, network: Network, population: Population, names: NodeNames) -> dict[str, Any]:
    """Return the Output nodes that give what a population reads out, by their names; none of other populations."""
    found, outputs = {}, [o for o in network.outputs if o.population == population.name]
    for output in outputs:
        activations = ", ".join(activation.name for activation in output.activations)
        shape = {"output": np.array(moved(population.shape))}
        words = {"output": output.name, "output_activations": activations}
        found[names.outputs[output.name]] = nir.Output(output_type=shape, metadata=words)
    return found


def foreign_to_nir(network: Network) -> Iterator[tuple[str, str]]:
    """Yield where and what of the method NIR cannot hold: its schedule and its neurons."""
    if network.code.schedule != "synchronous":
        yield network.name, f"has the schedule {network.code.schedule}; NIR has none"
    for p in network.populations[len(network.inputs) :]:
        last = p in network.readouts
        if not is_integrate_fire(p) and not (last and not p.neuron.threshold):
            yield p.name, f"has the neuron model {p.neuron.name}; NIR has integrate-and-fire neurons"


def obstacles(network: Network) -> Iterator[tuple[str, str]]:
    """Yield where and what of the connections and biases NIR cannot hold."""
    by_name = {p.name: p for p in network.populations}
    for p in network.populations[len(network.inputs) :]:
        if p.bias is not None and bias_holder(network, p) is None:
            yield p.name, "has a bias that differs within a channel, or no weights that could hold it"
        for c in network.incoming[p.name]:
            what = refusal(c, by_name[c.source], p)
            if what:
                yield route(c), what


def is_integrate_fire(population: Population) -> bool:
    """Tell whether a population's neurons are integrate-and-fire neurons without a leak."""
    model = population.neuron
    plain = (model.update, model.threshold, model.emit) == ("v += i_syn", "v >= v_thresh", "1")
    return plain and model.reset in RESETS


def bias_holder(network: Network, population: Population) -> Connection | None:
    """Return the connection whose node holds a population's bias, if there is a bias and such a connection."""
    if population.bias is None:
        return None
    by_name = {p.name: p for p in network.populations}
    incoming = network.incoming[population.name]
    return next((c for c in incoming if holds_bias(c, by_name[c.source], population)), None)


def neurons(nir: Any, network: Network, population: Population) -> Any:
    """Return the node of a population."""
    shape = moved(population.shape)
    if population.name in network.input_of:
        words = input_metadata(network.input_of[population.name])
        return nir.Input(input_type={"input": np.array(shape)}, metadata=words)
    params = {**population.neuron.params, **population.params}
    starts = np.asarray(population.starts[POTENTIAL], np.float64) / population.unit
    ones, threshold = np.ones(shape, np.float32), np.float32(params["v_thresh"] / population.unit)
    found = {
        "layer": population.name,
        "reset": RESETS[population.neuron.reset],
        "v_initial": image(starts, population.shape) if starts.ndim else float(starts),
    }
    return nir.IF(r=ones, v_threshold=ones * threshold, v_reset=np.zeros_like(ones), metadata=found)


@dataclass(frozen=True)
class NodeNames:
    """The names of nodes, identifiers, since they become paths in the file, and attributes.

    Attributes:
        populations: by their names; without readouts that do not spike, which are no nodes of their own.
        outputs: by the names of the network's outputs.
    """

    populations: Mapping[str, str]
    outputs: Mapping[str, str]


def node_names(network: Network) -> NodeNames:
    """Return the names of nodes; those of a single input and output are "input" and "output"."""
    inputs, outputs = network.inputs, network.outputs
    taken: set[str] = set()

    def named(name: str) -> str:
        found = re.sub(r"\W", "_", name, flags=re.ASCII)
        while found in taken:
            found += "_"
        taken.add(found)
        return found

    populations = {i.name: named("input" if len(inputs) == 1 else i.name) for i in inputs}
    ends = {o.name: named("output" if len(outputs) == 1 else o.name) for o in outputs}
    summed = {p.name for p in network.readouts if not p.neuron.threshold}
    others = (p.name for p in network.populations if p.name not in populations)
    return NodeNames({**populations, **{name: named(name) for name in others if name not in summed}}, ends)


def metadata(network: Network) -> dict[str, Any]:
    """Return what a reader needs beside the graph to run it as kgenn does."""
    alone: dict[str, Any] = {}
    if len(network.inputs) == 1:
        alone |= input_metadata(network.inputs[0])
    if len(network.outputs) == 1:
        alone["output_activations"] = ", ".join(a.name for a in network.outputs[0].activations)
    return {
        "generator": f"kgenn {__version__}",
        "model": network.name,
        "readout": network.readout,
        "num_timesteps": network.num_timesteps,
        **alone,
    }


def input_metadata(given: NetworkInput) -> dict[str, Any]:
    """Return what a reader needs to drive an Input."""
    coding, transform = given.coding, given.transform
    return {
        "input": given.name,
        "input_changes": given.changing,
        "encoder": coding.encoder,
        "input_low": coding.low,
        "input_high": coding.high,
        "input_axes": np.array(transform.axes, np.int64),
        "input_scale": np.atleast_1d(np.asarray(transform.scale, np.float64)),
        "input_shift": np.atleast_1d(np.asarray(transform.shift, np.float64)),
    }


def _nir_can_check(nir: Any, nodes: dict[str, Any]) -> bool:
    """Tell whether nir derives all shapes right: no groups, no rectangular kernels."""
    convolutions = [n for n in nodes.values() if isinstance(n, nir.Conv1d | nir.Conv2d)]
    square = all(len(set(n.weight.shape[2:])) == 1 for n in convolutions)
    return square and all(n.groups == 1 for n in convolutions)
