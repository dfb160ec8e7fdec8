"""Put relays where linear layers that follow one another would need far more synapses than weights.

A chain of linear layers becomes one connection. That is cheap where its kernels merge into one of their size, as
a convolution of single pixels and the one behind it do. But a 7×7 convolution of each channel behind a dense layer
of D channels is 49·D² weights, where the two have 49·D + D². A 3×3 convolution and a resizing of what it gives
have no kernel at all, and each sum of a residual network of linear blocks doubles the chains. Neurons that stand
for the value in between, a relay, need the weights of both sides and no more.

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
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.populations import is_population
from kgenn.layers.relay import Relay
from kgenn.passes.inserted import unused

# Weights of one kernel for several layers: so many times theirs, or as few as this.
MOST_TIMES, FEW_WEIGHTS = 8, 1 << 18
# Synapses of a chain without structure, at most; the weights of layers of that size are far fewer.
MOST_SEARCHED = 4_000_000
# Linear chains that meet in a sum: each is a connection.
MOST_CHAINS = 64


def relayed(graph: Graph) -> Graph:
    """Return a lowered graph with relays in it, and a note for each."""
    found = _Walk(graph)
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
        paths: the chains, by node.
        cut: nodes behind which a relay is put, in order.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.paths: dict[str, tuple[Path, ...]] = {}
        self.cut: dict[str, None] = {}

    def visit(self, node: Node) -> None:
        """Follow the chains through a node, with relays behind its inputs where they are too costly."""
        if is_population(node) or not node.layer.linear or isinstance(node.layer, Relay):
            self._begin(node.name)
            return
        chains = node.layer.shares(*(self.graph.shapes[source] for source in node.inputs))
        for source, chain in zip(node.inputs, chains, strict=True):
            if any(not _is_cheap(path, chain) for path in self.paths[source]):
                self._cut(source)
        while sum(len(self.paths[source]) for source in node.inputs) > MOST_CHAINS:
            longest = max(node.inputs, key=lambda source: len(self.paths[source]))
            if len(self.paths[longest]) == 1:
                break
            self._cut(longest)
        self.paths[node.name] = tuple(
            path.then(*chain)
            for source, chain in zip(node.inputs, chains, strict=True)
            for path in self.paths[source]
        )

    def _begin(self, name: str) -> None:
        self.paths[name] = (Path(name, self.graph.shapes[name]),)

    def _cut(self, name: str) -> None:
        self.cut[name] = None
        self._begin(name)


def _is_cheap(path: Path, chain: tuple[Layer, ...]) -> bool:
    """Tell whether a path may go on through a chain as one connection."""
    if not path.layers or not any(map(_weights, path.layers)):
        return True
    whole = path.then(*chain)
    limit = max(FEW_WEIGHTS, MOST_TIMES * sum(map(_weights, whole.layers)))
    return structured(whole, limit) is not None or estimated(whole) <= MOST_SEARCHED


def _weights(layer: Layer) -> int:
    match layer:
        case Conv() | Dense() | Pointwise():
            return int(layer.kernel.size)
        case Along():
            return int(layer.matrix.size)
    return 0
