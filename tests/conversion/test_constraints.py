"""The profile: every violation is found in one go, in layer order, each with its code and its remedy."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.backends.simulate import simulate
from kgenn.conversion.constraints import FEATURES, violations
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.plan import plan
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.unscaled import Unscaled
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Graph, Layer
from kgenn.layers.activation import Activation, ReLU, Softmax
from kgenn.layers.merge import Dot, Maximum, Multiply
from kgenn.layers.pooling import MaxPool
from kgenn.passes import LoweringOptions, lower
from looped import looped
from networks import ALLOW, RECIPES, Build, build, samples

pytestmark = pytest.mark.quick

# networks that the strict profile does not admit, and the code of each violation
WIDER = {
    "bias_conv": ["KG201", "KG201"],
    "bias_dense": ["KG201", "KG201"],
    "bias_before_pool_conv": ["KG201", "KG201"],
    "batch_norm_after_conv": ["KG204", "KG201", "KG204"],
    "batch_norm_after_pool": ["KG204"],
    "batch_norm_after_add": ["KG204"],
    "batch_norm_before_conv_same": ["KG204"],
    "batch_norm_after_flatten": ["KG204"],
    "dense_block": ["KG204"] * 4,
    "leaky": ["KG202"],
    "zero_padding": ["KG201", "KG206"],
    "zero_padding_1d": ["KG206"],
    "conv1d_causal": ["KG206"],
    "upsample_pad_conv": ["KG206", "KG206"],
    "transposed_conv": ["KG201"],
    "loud_channels": ["KG201"],
    "relu_cap": ["KG205"],
    "relu_relu": ["KG205", "KG205"],
    "max_pool_conv": ["KG203"],
    "max_pool_dense": ["KG201", "KG203"],
    "max_pool_overlapping_same": ["KG203"],
    "max_pool_max_pool": ["KG203", "KG203"],
    "max_pool_relu": ["KG203"],
    "max_pool_add": ["KG203"],
    "max_pool_concat": ["KG203"],
    "max_pool_skip": ["KG203"],
    "max_pool_1d": ["KG203"],
    "max_pool_global": ["KG203"],
    "max_pool_output": ["KG203"],
    "max_pool_twice_then_relu": ["KG203", "KG203"],
    "max_pool_cap": ["KG205", "KG203"],
}


def codes(graph: Graph, *allow: str) -> list[str]:
    return [d.code for d in violations(graph, DataNorm(), allow)]


@looped("name", RECIPES)
def test_the_strict_profile_admits_what_it_says(name: str) -> None:
    assert codes(build(name)) == WIDER.get(name, [])
    assert codes(build(name), *ALLOW) == []


def test_each_allowance_admits_one_feature() -> None:
    graph = build("batch_norm_after_conv")
    assert codes(graph, "bias") == ["KG204", "KG204"]
    assert codes(graph, "batch-norm") == ["KG201"]


@pytest.mark.parametrize(("layer", "code"), [(Multiply(), "KG211"), (Dot((0, 0)), "KG211"), (Maximum(), "KG203")])
def test_products_and_maxima_of_activations_are_beyond_the_strict_profile(layer: Layer, code: str) -> None:
    b = Build("product", (7,))
    x, y = (b.relu(b.dense("input", 5)) for _ in range(2))
    assert codes(b.graph(b.dense(b.add(layer, x, y), 4))) == [code]


def everything_wrong() -> Graph:
    b = Build("wrong", (6, 6, 2))
    x = b.relu(b.conv("input", 3, bias=True), 6.0)
    x = b.add(MaxPool((2, 2), (2, 2), "valid"), b.batch_norm(x))
    x = b.add(Activation("tanh"), x)
    x = b.add(ReLU(None, 0.2, 0.1), b.add(Softmax(), x))
    return b.graph(b.classify(x))


def test_all_violations_are_found_in_layer_order_with_their_layers() -> None:
    found = violations(everything_wrong(), DataNorm(), ())
    assert [d.code for d in found] == ["KG201", "KG205", "KG204", "KG203", "KG202", "KG211", "KG202"]
    assert found[0].where == "conv_1 (Conv)"
    assert str(found[0]).startswith("error[KG201] conv_1 (Conv): has a bias vector of 3 values\n  help: ")
    assert all(d.help for d in found)


def test_every_feature_allowed_admits_all_of_them() -> None:
    assert codes(everything_wrong(), *FEATURES) == []


def test_what_is_allowed_but_not_represented_by_the_converter_is_kg207() -> None:
    found = violations(build("relu_cap"), Unscaled(), ["relu-cap"])
    assert {d.code for d in found} == {"KG207"}
    assert not violations(build("relu_cap"), DataNorm(), ["relu-cap"])


def test_conversion_stops_with_every_violation() -> None:
    graph = everything_wrong()
    with pytest.raises(KgennError) as caught:
        convert_graph(graph, recipe_of(), samples(graph, 2), 4, simulate)
    assert len(caught.value.diagnostics) == 7
    assert caught.value.exit_code == 1


def test_an_unknown_feature_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KgennError, match=r"KG401.*allow=\(.bais.,\)(.|\n)*did you mean 'bias'"):
        violations(build("dense"), DataNorm(), ["bais"])


def test_a_graph_without_an_output_is_refused() -> None:
    assert codes(Graph("none", tuple(Build("none", (7,)).nodes), ())) == ["KG209"]


def test_an_unknown_readout_is_refused() -> None:
    with pytest.raises(KgennError, match="KG401"):
        recipe_of(readout="average")  # type: ignore[arg-type]


@looped("name", RECIPES)
def test_the_plan_names_every_layer_once_with_what_it_becomes(name: str) -> None:
    graph = build(name)
    plans = plan(graph, lower(graph, LoweringOptions()))
    assert [f.layer for f in plans] == list(dict.fromkeys(n.origin for n in graph.nodes))
    assert all(f.becomes for f in plans)
    assert plans[0].becomes == "input population"


def test_a_bias_of_zeros_is_a_bias_too() -> None:
    b = Build("zero bias", (7,))
    x = b.dense("input", 3, bias=True)
    graph = b.graph(x)
    graph.by_name[x].layer.bias[:] = np.float32(0)  # type: ignore[attr-defined]
    assert codes(graph) == ["KG201"]
