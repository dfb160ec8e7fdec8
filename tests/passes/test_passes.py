"""Every pass leaves what a graph computes, changes nothing when run twice, and says why it declines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from covering import leading
from kgenn.ir.graph import Graph, Input, Layer, Output
from kgenn.ir.text import graph_text
from kgenn.layers.activation import Activation, Identity, ReLU, Softmax
from kgenn.layers.affine import Affine
from kgenn.layers.conv import Conv
from kgenn.layers.merge import Add
from kgenn.layers.pooling import AveragePool
from kgenn.layers.shape import Permute
from kgenn.passes import PASSES, LoweringOptions, Pass, lower
from kgenn.passes.activation import fuse_relus, leave_output_activations_to_host
from kgenn.passes.batch_norm import fold_affine, fold_batch_norm
from kgenn.passes.layout import absorb_into_input, cancel_permutes
from kgenn.passes.noops import drop_identities
from kgenn.passes.pooling import place_pool_populations
from kgenn.passes.residual import insert_identity_populations
from kgenn.passes.signs import non_negative
from looped import looped
from networks import RECIPES, Build, build, samples

DEFAULT = LoweringOptions()
OPTIONS = {
    "default": DEFAULT,
    "fold": LoweringOptions(pooling="fold"),
    "populations": LoweringOptions(residual="identity", pooling="population"),
}
each_network = looped("name", RECIPES)
each_options = pytest.mark.parametrize("options", leading(OPTIONS.values()), ids=OPTIONS)


def each_stage(graph: Graph, options: LoweringOptions) -> Iterator[tuple[Pass, Graph, Graph]]:
    """Yield (pass, graph, graph after it): each pass on the graph as built, and on what those before it left."""
    staged = graph
    for apply in PASSES:
        yield apply, graph, apply(graph, options)
        after = apply(staged, options)
        yield apply, staged, after
        staged = after


@pytest.mark.quick
@each_options
@each_network
def test_every_pass_leaves_what_the_graph_computes(name: str, options: LoweringOptions) -> None:
    graph = build(name)
    x = samples(graph, 4, -1.0, 1.0)
    expected = graph.predict(x)
    for apply, _, after in each_stage(graph, options):
        np.testing.assert_allclose(after.predict(x), expected, rtol=1e-4, atol=1e-6, err_msg=apply.__name__)


@each_options
@each_network
def test_every_pass_changes_nothing_when_run_twice(name: str, options: LoweringOptions) -> None:
    for apply, _, after in each_stage(build(name), options):
        assert graph_text(apply(after, options)) == graph_text(after), apply.__name__
        assert apply(after, options).outputs == after.outputs


@each_options
@each_network
def test_lowering_twice_changes_nothing(name: str, options: LoweringOptions) -> None:
    once = lower(build(name), options)
    assert graph_text(lower(once, options)) == graph_text(once)


@each_network
def test_no_pass_changes_its_input(name: str) -> None:
    graph = build(name)
    before = graph_text(graph)
    for apply in PASSES:
        apply(graph, DEFAULT)
    assert graph_text(graph) == before


def layers(graph: Graph, kind: type) -> list[str]:
    return [node.name for node in graph.nodes if isinstance(node.layer, kind)]


def test_identities_are_dropped() -> None:
    assert layers(build("softmax"), Identity) == ["identity_3"]
    assert layers(drop_identities(build("softmax"), DEFAULT), Identity) == []


def test_a_final_softmax_is_left_to_the_host_with_a_note() -> None:
    graph = leave_output_activations_to_host(build("softmax"), DEFAULT)
    assert (graph.ends, [type(layer) for layer in graph.outputs[0].postprocessing]) == (("dense_4",), [Softmax])
    assert graph.notes == ("softmax_5: runs on the host, after the readout",)


def test_a_chain_of_activations_leaves_in_its_order_through_a_transposition() -> None:
    b = Build("chain", (4, 5, 2))
    x = b.add(Permute((1, 0, 2)), b.add(Activation("tanh"), b.conv("input", 3)))
    graph = b.graph(b.add(Softmax(-2), b.add(Activation("sigmoid"), b.add(ReLU(2.0, 0.1), x))))
    left = leave_output_activations_to_host(graph, DEFAULT)
    kinds = [getattr(layer, "function", type(layer).__name__) for layer in left.outputs[0].postprocessing]
    assert kinds == ["tanh", "ReLU", "sigmoid", "Softmax"]
    x_in = samples(graph, 3, -1.0, 1.0)
    np.testing.assert_allclose(left.predict(x_in), graph.predict(x_in), rtol=1e-6)


@pytest.mark.parametrize("layer", [Softmax(), Activation("sigmoid"), ReLU(None, 0.3)])
def test_an_activation_that_others_read_is_kept_without_a_note(layer: Layer) -> None:
    b = Build("inner activation", (7,))
    inner = b.add(layer, b.dense("input", 4))
    b.dense(inner, 2)
    graph = leave_output_activations_to_host(b.graph(inner), DEFAULT)
    assert graph.ends == (inner,)
    assert graph.notes == ()


def test_a_softmax_before_a_transposition_is_kept() -> None:
    b = Build("softmax inside", (4, 5, 2))
    graph = b.graph(b.add(Permute((1, 0, 2)), b.add(Softmax(), b.conv("input", 3))))
    assert leave_output_activations_to_host(graph, DEFAULT).outputs == graph.outputs


def test_batch_normalisation_disappears_into_the_weights_before_it() -> None:
    graph = lower(build("batch_norm_after_conv"), DEFAULT)
    assert layers(graph, Affine) == []
    assert graph.notes == ()


def test_folding_multiplies_the_kernel_and_shifts_the_bias() -> None:
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(3, 5)), rng.normal(size=5)
    scale, shift = rng.normal(size=5), rng.normal(size=5)
    x = rng.normal(size=(4, 3))
    folded, new_bias = fold_affine(kernel, bias, scale, shift)
    assert new_bias is not None
    np.testing.assert_allclose(x @ folded + new_bias, (x @ kernel + bias) * scale + shift)


def test_folding_without_bias_and_shift_makes_no_bias() -> None:
    assert fold_affine(np.ones((3, 5)), None, np.full(5, 2.0), np.zeros(5))[1] is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("batch_norm_after_pool", "not folded into averagepool_3, which has no weights"),
        ("batch_norm_after_add", "not folded into add_4, which has no weights"),
        ("batch_norm_before_conv_same", "not folded into relu_2, which has no weights"),
        ("batch_norm_after_flatten", "not folded into reshape_2, which has no weights"),
    ],
)
def test_a_batch_normalisation_that_cannot_be_folded_is_kept_and_says_why(name: str, reason: str) -> None:
    graph = lower(build(name), DEFAULT)
    (kept,) = layers(graph, Affine)
    assert graph.notes == (f"{kept}: {reason}; it joins the connections after it",)


def test_a_batch_normalisation_of_a_shared_convolution_is_not_folded() -> None:
    b = Build("shared", (5, 5, 2))
    x = b.conv("input", 3)
    graph = b.graph(b.add(Add(), b.relu(b.batch_norm(x)), x))
    after = fold_batch_norm(graph, DEFAULT)
    assert len(layers(after, Affine)) == 1
    assert "which others read too" in after.notes[0]


def test_a_batch_normalisation_of_an_output_is_not_folded() -> None:
    b = Build("tapped", (5, 5, 2))
    x = b.conv("input", 3)
    y = b.batch_norm(x)
    graph = Graph("tapped", tuple(b.nodes), (Output("x", x), Output("y", y)))
    after = fold_batch_norm(graph, DEFAULT)
    assert after.ends == (x, y)
    assert "which is an output" in after.notes[0]


def test_two_batch_normalisations_in_a_row_both_fold() -> None:
    b = Build("twice", (5, 5, 2))
    graph = b.graph(b.relu(b.batch_norm(b.batch_norm(b.conv("input", 3)))))
    assert layers(fold_batch_norm(graph, DEFAULT), Affine) == []


def test_relus_in_a_row_become_one_with_the_lower_cap() -> None:
    graph = fuse_relus(build("relu_relu"), DEFAULT)
    (left,) = layers(graph, ReLU)
    layer = graph.by_name[left].layer
    assert isinstance(layer, ReLU)
    assert layer.max_value == 0.6


def test_a_relu_that_others_read_keeps_its_population() -> None:
    b = Build("shared relu", (7,))
    x = b.relu(b.dense("input", 9))
    graph = b.graph(b.add(Add(), b.relu(x), x))
    assert len(layers(fuse_relus(graph, DEFAULT), ReLU)) == 2


@pytest.mark.parametrize("name", ["rescaling", "normalization", "channels_first"])
def test_what_only_the_input_feeds_runs_on_the_host(name: str) -> None:
    graph = absorb_into_input(build(name), DEFAULT)
    (node,) = (n for n in graph.nodes if isinstance(n.layer, Input))
    assert isinstance(node.layer, Input)
    assert len(node.layer.preprocessing) == 1
    assert graph.notes[0].endswith(": runs on the host, before the encoder")


@pytest.mark.parametrize(("name", "left"), [("channels_first", 1), ("channels_first_residual", 1)])
def test_a_channels_first_model_keeps_one_transposition_before_its_flatten(name: str, left: int) -> None:
    graph = absorb_into_input(cancel_permutes(build(name), DEFAULT), DEFAULT)
    assert len(layers(graph, Permute)) == left


def test_a_large_pooling_window_gets_neurons_of_its_own() -> None:
    graph = place_pool_populations(build("global_pool"), DEFAULT)
    assert "averagepool_3/population" in graph.by_name
    assert graph.notes == ("averagepool_3: kept as a population of its own",)


@pytest.mark.parametrize("name", ["pool_conv", "pool_dense", "pool_pool", "pool_add"])
def test_small_pooling_windows_fold_into_the_next_connection(name: str) -> None:
    graph = place_pool_populations(build(name), DEFAULT)
    assert graph_text(graph) == graph_text(build(name))


def test_pooling_can_be_forced_either_way() -> None:
    forced = place_pool_populations(build("pool_pool"), LoweringOptions(pooling="population"))
    assert len(layers(forced, ReLU)) == len(layers(build("pool_pool"), ReLU)) + 2
    folded = place_pool_populations(build("global_pool"), LoweringOptions(pooling="fold"))
    assert len(layers(folded, ReLU)) == 1


def test_pooling_of_what_can_be_negative_folds_and_says_why() -> None:
    graph = place_pool_populations(build("bias_before_pool_conv"), LoweringOptions(pooling="population"))
    (pool,) = layers(graph, AveragePool)
    assert graph.notes == (f"{pool}: folded, since it can be negative",)


def test_pooling_before_a_relu_needs_no_second_population() -> None:
    graph = place_pool_populations(build("pool_relu"), LoweringOptions(pooling="population"))
    assert graph_text(graph) == graph_text(build("pool_relu"))


def test_identity_populations_follow_sums_without_a_relu() -> None:
    graph = build("residual_plain")
    after = insert_identity_populations(graph, LoweringOptions(residual="identity"))
    added = set(after.by_name) - set(graph.by_name)
    assert added == {f"{name}/identity" for name in layers(graph, Add)}
    assert graph_text(insert_identity_populations(graph, DEFAULT)) == graph_text(graph)


def test_no_identity_population_where_a_relu_follows_or_a_branch_can_be_negative() -> None:
    options = LoweringOptions(residual="identity")
    graph = build("residual_relu")
    assert graph_text(insert_identity_populations(graph, options)) == graph_text(graph)
    after = insert_identity_populations(build("skip_to_readout"), options)
    assert after.notes[0].endswith("no identity population, since a branch can be negative")


@each_network
def test_values_called_non_negative_never_are_negative(name: str) -> None:
    graph = build(name)
    positive = non_negative(graph)
    for node, value in graph.forward(samples(graph, 8, -1.0, 1.0)):
        assert node not in positive or value.min() >= 0
    sloping = {n.name for n in graph.nodes if isinstance(n.layer, ReLU) and n.layer.negative_slope}
    assert positive.issuperset({*layers(graph, ReLU)} - sloping)


@each_network
def test_a_lowered_graph_has_no_layer_left_that_only_keras_needs(name: str) -> None:
    graph = lower(build(name), DEFAULT)
    assert layers(graph, Identity) + layers(graph, Softmax) == []
    convolutions = [n for n in graph.nodes if isinstance(n.layer, Conv)]
    assert all(n.origin for n in convolutions)
