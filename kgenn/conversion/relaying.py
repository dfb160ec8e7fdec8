"""Put relays where linear layers that follow one another would need far more synapses than weights.

A chain of linear layers becomes one connection. That is cheap where its kernels merge into one of their size, as
a convolution of single pixels and the one behind it do. But a 7×7 convolution of each channel behind a dense layer
of D channels is 49·D² weights, where the two have 49·D + D². A 3×3 convolution and a resizing of what it gives
have no kernel at all, and each sum of a residual network of linear blocks doubles the chains. Neurons that stand
for the value in between, a relay, need the weights of both sides and no more.

Activations that become K pieces count: between two of them, a bottleneck of two convolutions of single pixels has
K² times the weights of their product, and with a relay K times the weights of both. A single layer has K² times
its weights too, and with a relay behind it K times. A large layer behind pieces alone has K times its weights, and
a relay before it leaves them once. That costs a rounding of the value: only a large one gets it.

What decides is the shapes of kernels and images alone, so that a check and a conversion put the same relays.
"""

from __future__ import annotations

from collections.abc import Sequence

from kgenn.conversion.compose import structured
from kgenn.conversion.paths import Path
from kgenn.conversion.searched import estimated
from kgenn.ir.graph import Graph, Layer, Node
from kgenn.layers.along import Along
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Multiply
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.populations import is_population
from kgenn.layers.relay import Relay
from kgenn.passes.inserted import unused
from kgenn.passes.pieces import is_curve

# Weights of one kernel for several layers: so many times theirs, or as few as this. A 3×3 convolution of each
# channel and one of single pixels become one of up to 9 times as many.
MAX_TIMES, FEW_WEIGHTS = 12, 1 << 18
# The same of a kernel between two activations in pieces, beside what it and the pieces need with a relay between.
MAX_BETWEEN, FEW_BETWEEN = 3, 3 << 20
# Weights of a layer behind an activation in pieces, over all pieces, above which a relay stands between.
MAX_BEHIND = 1 << 23
# Synapses of the chains without structure that go on from a value, at most; the weights of layers of that size are
# far fewer.
MAX_SEARCHED = 4_000_000
# Linear chains that meet in a sum: each is a connection.
MAX_CHAINS = 256


def relayed(graph: Graph, pieces: int) -> Graph:
    """Return a lowered graph with relays in it, and a note for each.

    Args:
        pieces: of an activation that is written in pieces.
    """
    found = _Walk(graph, pieces)
    for node in graph.nodes:
        found.visit(node)
    made: set[str] = set()

    def change(node: Node) -> Sequence[Node] | None:
        if node.name not in found.cut:
            return None
        name = unused(f"{node.name}/relay", graph.by_name.keys() | made)
        made.add(name)
        return node, Node(name, Relay(), (node.name,), node.origin)

    notes = (f"{name}: neurons stand for its values, or their synapses would be too many" for name in found.cut)
    return graph.edit(change).noted(*notes) if found.cut else graph


class _Walk:
    """The linear chains that end in each value, and the values that get a relay.

    Attributes:
        copies: how many neurons stand for one value of a node, of those that chains begin at.
        readers: how many neurons read one value of a node, the most over the chains that go on from it.
        paths: the chains, by node.
        cut: nodes behind which a relay is put, in order.
    """

    def __init__(self, graph: Graph, pieces: int) -> None:
        self.graph = graph
        self.copies = {node.name: pieces if _in_pieces(node.layer) else 1 for node in graph.nodes}
        self.readers = dict.fromkeys(graph.by_name, 1)
        for node in reversed(graph.nodes):
            read = self.copies[node.name] if _begins(node) else self.readers[node.name]
            for source in node.inputs:
                self.readers[source] = max(self.readers[source], read)
        self.paths: dict[str, tuple[Path, ...]] = {}
        self.cut: dict[str, None] = {}

    def visit(self, node: Node) -> None:
        """Follow the chains through a node, with relays behind its inputs where they are too costly."""
        if _begins(node):
            self.paths[node.name] = (Path(node.name, self.graph.shapes[node.name]),)
            return
        chains = node.layer.shares(*(self.graph.shapes[source] for source in node.inputs))
        for source, chain in zip(node.inputs, chains, strict=True):
            if self._is_costly(self.paths[source], chain, node.name):
                self._cut(source)
        while sum(len(self.paths[source]) for source in node.inputs) > MAX_CHAINS:
            longest = max(node.inputs, key=lambda source: len(self.paths[source]))
            if len(self.paths[longest]) == 1:
                break
            self._cut(longest)
        self.paths[node.name] = tuple(
            path.then(*chain)
            for source, chain in zip(node.inputs, chains, strict=True)
            for path in self.paths[source]
        )
        if _weights(node.layer) and any(self._wants_relay(path, node.name) for path in self.paths[node.name]):
            self._cut(node.name)

    def _wants_relay(self, path: Path, name: str) -> bool:
        """Tell whether pieces at both ends of a path make its weights so many that a relay shall end it."""
        copies, readers = self.copies[path.source], self.readers[name]
        weights, channels = sum(map(_weights, path.layers)), self.graph.shapes[name][-1]
        needed = MAX_BETWEEN * (copies * weights + readers * channels)
        return copies * readers * weights > max(FEW_BETWEEN, needed)

    def _cut(self, name: str) -> None:
        self.cut[name] = None
        self.copies[name] = 1
        self.paths[name] = (Path(name, self.graph.shapes[name]),)

    def _is_costly(self, paths: Sequence[Path], chain: tuple[Layer, ...], name: str) -> bool:
        """Tell whether paths shall not go on through the chain that is a node, each as one connection."""
        unstructured = 0
        for path in paths:
            unstructured += self._unstructured(path, chain, name)
            if unstructured > MAX_SEARCHED:
                return True
        return False

    def _unstructured(self, path: Path, chain: tuple[Layer, ...], name: str) -> int:
        """Return the synapses of a path that goes on through a chain, and 0 where it keeps a structure."""
        before, after = sum(map(_weights, path.layers)), sum(map(_weights, chain))
        copies, readers = self.copies[path.source], self.readers[name]
        if not before:
            return 0 if copies == 1 or copies * after <= MAX_BEHIND else MAX_SEARCHED + 1
        limit = max(FEW_WEIGHTS, MAX_TIMES * (copies * before + readers * after))
        whole, allowed = path.then(*chain), limit // (copies * readers)
        return 0 if structured(whole, allowed) is not None else copies * readers * estimated(whole)


def _begins(node: Node) -> bool:
    """Tell whether neurons stand for a node's values, so that chains end before it and begin at it."""
    return is_population(node) or not node.layer.linear or isinstance(node.layer, Relay)


def _in_pieces(layer: Layer) -> bool:
    """Tell whether many neurons stand for each value of a layer: pieces, or squares in pieces."""
    return is_curve(layer) or isinstance(layer, Multiply)


def _weights(layer: Layer) -> int:
    match layer:
        case Conv() | Dense() | Pointwise():
            return int(layer.kernel.size)
        case Along():
            return int(layer.matrix.size)
    return 0
