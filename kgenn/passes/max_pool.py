"""Bring max pooling where neurons can do it: after a population, and in windows that a neuron can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

from kgenn.ir.graph import Graph, Node
from kgenn.ir.windows import Padding, Pads, added
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.layers.shape import ZeroPad
from kgenn.passes.inserted import inserted
from kgenn.passes.options import LoweringOptions
from kgenn.passes.settled import settled
from kgenn.passes.signs import non_negative


def rectify_before_max_pool(graph: Graph, options: LoweringOptions) -> Graph:
    """Move a ReLU that follows a max pooling before it: max and relu are monotonic, and so they commute.

    Declines where something else reads the pooled values too.
    """
    return settled(graph, _rectified)


def _rectified(graph: Graph) -> Graph:
    """Move each such ReLU over one max pooling; return the graph itself where there is none."""
    moved: dict[str, Node] = {}
    for node in graph.nodes:
        if isinstance(node.layer, MaxPool) and graph.has_one_reader(node.name):
            relu = graph.by_name[graph.consumers[node.name][0]]
            if isinstance(relu.layer, ReLU) and not relu.layer.negative_slope and not relu.layer.threshold:
                moved[node.name] = relu
    relus = {relu.name for relu in moved.values()}

    def change(node: Node) -> Sequence[Node] | str | None:
        if node.name in relus:
            return node.inputs[0]
        relu = moved.get(node.name)
        if relu is None:
            return None
        return replace(relu, inputs=node.inputs), replace(node, inputs=(relu.name,))

    return graph.edit(change) if moved else graph


def fold_padding_into_max_pool(graph: Graph, options: LoweringOptions) -> Graph:
    """Let a max pooling pad its image itself, where it pools what zeros were put around.

    Among values that are not negative a zero more changes no maximum.

    Declines where a value can be negative, where something else reads the padded values too, and where a window
    would see nothing but zeros.
    """
    return settled(graph, _padding_folded)


def _padding_folded(graph: Graph) -> Graph:
    """Fold one padding into each such max pooling; return the graph itself where there is none."""
    positive = non_negative(graph)
    pads: dict[str, Pads] = {}
    folded: set[str] = set()
    for node in graph.nodes:
        layer, source = node.layer, graph.by_name.get(node.inputs[0]) if node.inputs else None
        if not isinstance(layer, MaxPool) or source is None or not isinstance(source.layer, ZeroPad):
            continue
        own = layer.pads(graph.shapes[source.name][:-1])
        both = added(source.layer.pads, own)
        if (
            graph.has_one_reader(source.name)
            and source.name in positive
            and all(max(pad) < n for pad, n in zip(both, layer.size, strict=True))
        ):
            pads[node.name] = both
            folded.add(source.name)

    def change(node: Node) -> Sequence[Node] | str | None:
        if node.name in folded:
            return node.inputs[0]
        if node.name not in pads:
            return None
        assert isinstance(node.layer, MaxPool)
        return (replace(node, layer=replace(node.layer, padding=pads[node.name])),)

    return graph.edit(change) if pads else graph


def place_max_pool_sources(graph: Graph, options: LoweringOptions) -> Graph:
    """Insert a ReLU before each max pooling of values that are no population but cannot be negative.

    A sum or a concatenation of non-negative branches is its own ReLU, so that the function stays. Declines where
    the values can be negative; see `kgenn.passes.offsets`.
    """
    positive = non_negative(graph)

    def change(node: Node) -> Sequence[Node] | None:
        if not isinstance(node.layer, MaxPool):
            return None
        (source,) = node.inputs
        old = graph.by_name.get(source)
        if old is None or is_population(old):
            return None
        if source not in positive:
            return None
        population = inserted(node, source, "source")
        return population, replace(node, inputs=(population.name,))

    return graph.edit(change)


def split_max_pools(graph: Graph, most_sources: int) -> Graph:
    """Split each max pooling of more than so many values into smaller ones, one after the other.

    A window is split along its axes first. Along one axis a window of k = a + b − 1 is a window of a at every
    position, padded as the whole was, and then a window of b at the old stride; where windows do not overlap and a
    divides k, a window of a at stride a and then one of k / a.
    """

    def change(node: Node) -> Sequence[Node] | None:
        layer = node.layer
        if not isinstance(layer, MaxPool) or prod(layer.size) <= most_sources:
            return None
        chain, source = [], node.inputs[0]
        pads = layer.pads(graph.shapes[source][:-1])
        parts = _parts(replace(layer, padding=pads if any(map(any, pads)) else "valid"), most_sources)
        for number, part in enumerate(parts):
            name = node.name if number == len(parts) - 1 else f"{node.name}/{number}"
            chain.append(Node(name, part, (source,), node.origin))
            source = name
        return chain

    return graph.edit(change)


def _parts(layer: MaxPool, limit: int) -> list[MaxPool]:
    if prod(layer.size) <= limit:
        return [layer]
    wide = [axis for axis, size in enumerate(layer.size) if size > 1]
    if len(wide) > 1:
        first = tuple(n if axis == wide[0] else 1 for axis, n in enumerate(layer.size))
        steps = tuple(s if axis == wide[0] else 1 for axis, s in enumerate(layer.strides))
        rest = tuple(1 if axis == wide[0] else n for axis, n in enumerate(layer.size))
        rest_steps = tuple(1 if axis == wide[0] else s for axis, s in enumerate(layer.strides))
        one = MaxPool(first, steps, _padding_along(layer, lambda axis: axis == wide[0]))
        two = MaxPool(rest, rest_steps, _padding_along(layer, lambda axis: axis != wide[0]))
        return [*_parts(one, limit), *_parts(two, limit)]
    return _along(layer, wide[0], limit)


def _padding_along(layer: MaxPool, chosen: Callable[[int], bool]) -> Padding | Pads:
    """Return a layer's padding, along some of the axes where it is in numbers."""
    if isinstance(layer.padding, str):
        return layer.padding
    pads = tuple(pad if chosen(axis) else (0, 0) for axis, pad in enumerate(layer.padding))
    return pads if any(map(any, pads)) else "valid"


def _along(layer: MaxPool, axis: int, limit: int) -> list[MaxPool]:
    size, stride = layer.size[axis], layer.strides[axis]

    def first(window: int, step: int) -> MaxPool:
        """Return what comes first; all padding is its own, and no other axis is strided yet."""
        sizes, steps = list(layer.size), [1] * len(layer.strides)
        sizes[axis], steps[axis] = window, step
        return MaxPool(tuple(sizes), tuple(steps), layer.padding)

    def rest(window: int, step: int) -> list[MaxPool]:
        sizes, steps = list(layer.size), list(layer.strides)
        sizes[axis], steps[axis] = window, step
        return _parts(MaxPool(tuple(sizes), tuple(steps), "valid"), limit)

    divisors = [a for a in range(2, limit + 1) if size % a == 0]
    if size == stride and divisors and layer.padding == "valid":
        a = divisors[-1]
        return [first(a, a), *rest(size // a, size // a)]
    return [first(limit, 1), *rest(size - limit + 1, stride)]
