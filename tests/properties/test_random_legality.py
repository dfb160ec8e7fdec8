"""A check and a conversion give one verdict: the same diagnostics, or none and a network."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

import keras
import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from keras import layers

import kgenn
from covering import leading
from drawn_graphs import graphs
from drawn_networks import NUM_CALIBRATION, Setup, setups
from examples import examples
from kgenn.conversion import CONVERTERS, legality
from kgenn.conversion.constraints import FEATURES
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.recipe import Recipe, recipe_of
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.graph import Array, Graph, Layer, Node, Shape
from kgenn.layers.activation import Activation, ReLU, Softmax
from kgenn.layers.affine import BatchNorm
from kgenn.layers.pooling import MaxPool
from networks import samples
from recordings import ALL_ENCODERS, on_reference

# What calibration data alone decide: a silent layer, a grid, values that are not finite.
OF_DATA = {"KG402", "KG403", "KG404"}


@st.composite
def disturbed(draw: st.DrawFn) -> Graph:
    """Draw a legal graph, and put up to two layers into it anywhere that keep the shape, legal there or not."""
    graph = draw(graphs(3))
    for number in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from([node.name for node in graph.nodes]))
        shape = graph.shapes[place]
        ones = np.ones(shape[-1], np.float32)
        choices: list[Layer] = [BatchNorm(ones, 0.1 - ones, 0.5 * ones, ones, 1e-3), Activation("tanh"), ReLU()]
        choices += [Softmax(), ReLU(None, 0.1), ReLU(0.7)]
        if len(shape) > 1:
            rank = len(shape) - 1
            choices += [MaxPool((2,) * rank, (1,) * rank, "same"), MaxPool((5,) * rank, (1,) * rank, "same")]
        graph = inserted(graph, place, draw(st.sampled_from(choices)), number)
    return graph


def inserted(graph: Graph, place: str, layer: Layer, number: int) -> Graph:
    """Return a graph with a layer behind a node."""
    name = f"extra{number}"
    extra = Node(name, layer, (place,), f"{name} ({type(layer).__name__})")
    return graph.edit(lambda node: (node, extra) if node.name == place else None)


def checked(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    lowering = recipe.lowering
    return kgenn.check(
        graph,
        recipe.converter,
        recipe.allow,
        encoder=recipe.encoder,
        residual=lowering.residual,
        pooling=lowering.pooling,
        readout=recipe.readout,
    )


def refused(graph: Graph, recipe: Recipe, x: np.ndarray, num_timesteps: int) -> list[Diagnostic]:
    """Return why a conversion refuses a graph, or its calibration data."""
    try:
        convert_graph(graph, recipe, x, num_timesteps, on_reference)
    except KgennError as error:
        return list(error.diagnostics)
    return []


def converted(graph: Graph, recipe: Recipe, x: np.ndarray, num_timesteps: int) -> list[Diagnostic]:
    """Return why a conversion refuses a graph, beside what its calibration data decide."""
    return [d for d in refused(graph, recipe, x, num_timesteps) if d.code not in OF_DATA]


def recipe_with(setup: Setup, allow: Collection[str]) -> Recipe:
    coder, _, _ = ALL_ENCODERS[setup.encoder]
    return recipe_of(setup.converter, coder, allow, setup.lowering, setup.readout, setup.seed)


allowed = st.one_of(st.just(frozenset(FEATURES)), st.frozensets(st.sampled_from(sorted(FEATURES))))


@examples(150)
@given(graph=disturbed(), setup=setups(), allow=allowed)
def test_a_check_and_a_conversion_of_a_random_graph_agree(
    graph: Graph, setup: Setup, allow: frozenset[str]
) -> None:
    recipe = recipe_with(setup, allow)
    found = checked(graph, recipe)
    event(f"{sorted({diagnostic.code for diagnostic in found})}")
    x = samples(graph, NUM_CALIBRATION, *setup.range)
    assert converted(graph, recipe, x, setup.num_timesteps) == found


class Summed(Layer):
    """The running sums of all values: linear, of no structure, so that its synapses are searched for."""

    linear: ClassVar[bool] = True

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return np.cumsum(x.reshape(len(x), -1), axis=1, dtype=x.dtype).reshape(x.shape)


@examples(12)
@given(graph=graphs(3), setup=setups(), place=st.integers(0, 99))
def test_what_a_check_refuses_could_not_be_assembled(graph: Graph, setup: Setup, place: int) -> None:
    graph = inserted(graph, graph.nodes[place % len(graph.nodes)].name, Summed(), 0)
    recipe = recipe_with(setup, FEATURES)
    x = samples(graph, NUM_CALIBRATION, *setup.range)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgenn.conversion.searched.MAX_SYNAPSES", 0)
        found = checked(graph, recipe)
        assume({diagnostic.code for diagnostic in found} == {"KG301"})
        patch.setattr(legality, "refusals", lambda *_: ())
        reasons = refused(graph, recipe, x, setup.num_timesteps)
    assert reasons
    assert {d.code for d in reasons} <= OF_DATA or set(reasons) <= set(found)


# ---- real models


def sequential(*stack: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 2)), *stack, layers.Flatten(), layers.Dense(3)])


def residual() -> keras.Model:
    x = keras.Input((8, 8, 2))
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    z = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
    return keras.Model(x, layers.Dense(3)(layers.GlobalMaxPooling2D()(layers.Add()([y, z]))))


MODELS = {
    "batch norm before a pool": lambda: sequential(
        layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D()
    ),
    "pool of the input": lambda: sequential(layers.MaxPooling2D(), layers.Conv2D(4, 3, activation="relu")),
    "padded pool": lambda: sequential(
        layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(5, 1, padding="same")
    ),
    "strict": lambda: sequential(layers.Conv2D(4, 3, activation="relu", use_bias=False)),
    "capped": lambda: sequential(layers.Conv2D(4, 3), layers.ReLU(6.0)),
    "signed sum": residual,
}
ALLOWS = {"nothing": (), "everything": tuple(FEATURES)} | {
    f"all but {name}": tuple(n for n in FEATURES if n != name) for name in FEATURES
}


@pytest.mark.parametrize("model", leading(MODELS, 2))
def test_a_check_and_a_conversion_of_a_keras_model_agree(model: str) -> None:
    keras.utils.set_random_seed(3)
    graph = kgenn.load(MODELS[model]())
    x = samples(graph, NUM_CALIBRATION)
    for name in CONVERTERS.names():
        for allow in ALLOWS.values():
            recipe = recipe_of(CONVERTERS.get(name)(), allow=allow)
            assert converted(graph, recipe, x, 4) == checked(graph, recipe), (name, allow)


def test_a_batch_normalisation_before_a_max_pooling_needs_what_it_is_made_of() -> None:
    graph = kgenn.load(MODELS["batch norm before a pool"]())
    assert kgenn.check(graph, allow=FEATURES) == []
    assert kgenn.check(graph, allow=["bias"])[0].code in ("KG203", "KG204")


@pytest.mark.parametrize("encoder", [kgenn.Direct(), kgenn.Poisson(), kgenn.PoissonSigned()])
def test_a_pool_of_the_input_converts_with_every_encoder(encoder: kgenn.Direct | kgenn.Poisson) -> None:
    graph = kgenn.load(MODELS["pool of the input"]())
    found = kgenn.check(graph, allow=FEATURES, encoder=encoder)
    assert found == []
