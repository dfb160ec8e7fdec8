"""The profile: what a model may contain, by default and with each `--allow`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from kgenn.conversion.base import Converter
from kgenn.diagnostics import Diagnostic, fail, known_names
from kgenn.ir.graph import Graph, Input, Node
from kgenn.layers.activation import Identity
from kgenn.layers.affine import Affine, Normalization, Rescaling
from kgenn.layers.shape import Permute
from kgenn.passes.activation import output_activations


@dataclass(frozen=True)
class Feature:
    """Something beyond the strict profile that `--allow NAME` admits."""

    name: str
    code: str
    help: str


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            "bias", "KG201", "retrain with use_bias=False, or pass --allow bias to inject it as a constant current"
        ),
        Feature("batch-norm", "KG204", "pass --allow batch-norm to fold it into the weights before it"),
        Feature(
            "max-pool",
            "KG203",
            "retrain with average pooling, or pass --allow max-pool with a converter that has it",
        ),
        Feature("relu-cap", "KG205", "pass --allow relu-cap to keep the cap as the layer's largest rate"),
        Feature(
            "activation",
            "KG202",
            "retrain with ReLU, or pass --allow activation to use straight pieces with neurons of their own",
        ),
        Feature(
            "product",
            "KG211",
            "retrain without products of activations, or pass --allow product to compute them as squares",
        ),
        Feature("zero-padding", "KG206", "use padding='same', or pass --allow zero-padding"),
    )
}


# Stands for every feature.
ALL = "all"


def admitted(allow: Collection[str]) -> tuple[str, ...]:
    """Return names of features with "all" written out."""
    return tuple(FEATURES) if ALL in allow else tuple(allow)


def mended_by(problems: Collection[Diagnostic]) -> tuple[str, ...]:
    """Return the features that some problems ask for, in the order of `FEATURES`."""
    codes = {problem.code for problem in problems}
    return tuple(name for name, feature in FEATURES.items() if feature.code in codes)


def violations(graph: Graph, converter: Converter, allow: Collection[str]) -> list[Diagnostic]:
    """Return everything in a graph, as read, that the profile does not admit, in layer order.

    Args:
        allow: names of `FEATURES`.

    Raises:
        KgennError: KG401 for a name in `allow` that is no feature.
    """
    known_features(allow)
    found = list(_ends(graph))
    on_host = {node.name for end in graph.ends for node in output_activations(graph, end)}
    for node in graph.nodes:
        for name, what in () if node.name in on_host else _features(graph, node):
            feature = FEATURES[name]
            if name not in allow:
                found.append(Diagnostic(feature.code, node.origin, what, feature.help))
            elif name not in converter.represents:
                can = ", ".join(sorted(converter.represents)) or "nothing beyond the strict profile"
                cannot = f"{what}, which the converter {converter.name} cannot represent exactly"
                found.append(Diagnostic("KG207", node.origin, cannot, f"it can represent: {can}"))
    # a layer that is called twice is found twice
    return list(dict.fromkeys(found))


def known_features(allow: Collection[str]) -> None:
    """Raise KG401 for a name in `allow` that is no feature."""
    for name in allow:
        if name not in FEATURES:
            raise fail("KG401", f"--allow {name}", "unknown feature", known_names(name, (*FEATURES, ALL)))


def features_of(graph: Graph, converter: Converter) -> tuple[str, ...]:
    """Return what a model has beyond the strict profile, as `--allow` names it, in order."""
    return tuple(sorted(mended_by(violations(graph, converter, ()))))


def _features(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    """Yield the features a node needs, with what was found."""
    if not (isinstance(node.layer, Rescaling | Normalization) and _at_input(graph, node)):
        yield from node.layer.features()


def _at_input(graph: Graph, node: Node) -> bool:
    """Tell whether a node only prepares the input, and so will run on the host."""
    sources = [graph.by_name[name] for name in node.inputs]
    prepares = isinstance(node.layer, Input | Identity | Permute | Affine)
    return prepares and all(_at_input(graph, source) for source in sources)


def _ends(graph: Graph) -> Iterator[Diagnostic]:
    for kind, names in (("input", graph.inputs), ("output", graph.outputs)):
        if not names:
            yield Diagnostic("KG209", graph.name, f"has no {kind}", "convert a model from samples to outputs")
    for name, shape in graph.input_shapes.items():
        if shape == ():
            what = "is an input of single values, without an axis of channels"
            yield Diagnostic(
                "KG209", graph.by_name[name].origin, what, "build the model on an Input of shape (1,)"
            )
