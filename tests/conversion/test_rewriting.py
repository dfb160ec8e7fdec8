"""Smooth activations, leaky ReLUs and maxima of values of both signs, written as what neurons compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import kgenn
from beside import beside
from covering import covering, leading
from kgenn.agreement import agreement_of
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.constraints import FEATURES
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.legality import legalise
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.rewriting import measured, rewritten
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.conversion.unscaled import Unscaled
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph
from kgenn.ir.output_activation import FORMULAS, POSITIVE
from kgenn.ir.text import graph_text
from kgenn.layers.activation import Activation, ReLU
from kgenn.layers.affine import BatchNorm, Rescaling
from kgenn.layers.merge import Add, Divide
from kgenn.layers.pooling import MaxPool
from kgenn.layers.power import Power
from kgenn.passes import LoweringOptions, lower
from networks import Build
from recordings import EVERYTHING, assert_same, compiled, on_reference

FORMS = {name: f for name, f in FORMULAS.items() if name != "relu" and name not in POSITIVE}
SMOOTH = sorted(name for name, formula in FORMS.items() if formula.bends is None)
STRAIGHT = sorted(set(FORMS) - set(SMOOTH))
METHODS: list[tuple[Converter, int]] = [
    (FewSpike(), 8),
    (TimeToFirstSpike(), 64),
    (Calibrated(), 8),
    (DataNorm(), 128),
]


def inputs(graph: Graph, count: int = 200) -> Array:
    """Return images of several brightnesses, or vectors, of both signs."""
    rng = np.random.default_rng(5)
    shape = graph.input_shape
    bright = rng.uniform(-1, 1, (count, *(1 for _ in shape[:-1]), shape[-1]))
    return (bright + 0.5 * rng.normal(size=(count, *shape))).astype(np.float32)


def smooth(name: str) -> Graph:
    """Return a network with an activation after a convolution of stride 2, and after a dense layer."""
    b = Build(f"smooth {name}", (6, 6, 2))
    x = b.add(Activation(name), b.conv("input", 4, strides=(2, 2), bias=True))
    return b.graph(b.dense(b.add(Activation(name), b.dense(b.global_pool(x), 6)), 3))


def signed_pool(b: Build) -> str:
    return b.classify(b.max_pool(b.conv("input", 3, bias=True)))


def signed_pool_same(b: Build) -> str:
    x = b.add(MaxPool((3, 3), (2, 2), "same"), b.conv("input", 3))
    return b.classify(b.conv_relu(x, 4))


def pool_after_norm(b: Build) -> str:
    gains = np.array([0.7, -1.2, 0.4])
    norm = BatchNorm(gains, np.array([0.1, 0.2, -0.3]), np.zeros(3), np.ones(3), 1e-3)
    return b.classify(b.max_pool(b.add(norm, b.conv_relu("input", 3))))


def leaky(b: Build) -> str:
    x = b.add(ReLU(negative_slope=0.2), b.conv("input", 4))
    x = b.add(ReLU(negative_slope=0.1), b.conv(b.max_pool(x), 4))
    return b.classify(x)


def leaky_capped(b: Build) -> str:
    return b.classify(b.add(ReLU(1.0, negative_slope=0.3), b.conv("input", 4)))


def residual(b: Build) -> str:
    x = b.conv("input", 3)
    y = b.conv(b.add(Activation("silu"), x), 3)
    return b.classify(b.add(Activation("silu"), b.add(Add(), x, y)))


BUILDS: dict[str, Callable[[Build], str]] = {
    f.__name__: f for f in (signed_pool, signed_pool_same, pool_after_norm, leaky, leaky_capped, residual)
}


def built(name: str) -> Graph:
    if name in FORMS:
        return smooth(name)
    b = Build(name, (6, 6, 2))
    return b.graph(BUILDS[name](b))


def made(graph: Graph, converter: Converter, timesteps: int, pieces: int = 8) -> Conversion:
    recipe = recipe_of(converter, None, FEATURES, LoweringOptions(pieces=pieces))
    return convert_graph(graph, recipe, inputs(graph)[:160], timesteps, on_reference)


def error(graph: Graph, converter: Converter, timesteps: int, pieces: int = 8) -> float:
    """Return the error of the outputs on samples that set nothing."""
    conversion = made(graph, converter, timesteps, pieces)
    found = agreement_of(conversion.network, conversion.exact, inputs(graph)[160:], True, on_reference)
    assert found is not None
    return found.error


@pytest.mark.parametrize(("name", "method"), covering([*SMOOTH, *STRAIGHT, *BUILDS], METHODS))
def test_every_method_converts_it_within_what_its_code_can_say(name: str, method: tuple[Converter, int]) -> None:
    converter, timesteps = method
    # an exponential's largest values are far from the others
    assert error(built(name), converter, timesteps) < (1.0 if name == "exponential" else 0.2)


@pytest.mark.parametrize("name", leading(SMOOTH, 6))
def test_more_pieces_are_closer(name: str) -> None:
    graph = built(name)
    coarse, fine = (error(graph, FewSpike(), 12, pieces) for pieces in (3, 32))
    assert fine < 0.1 * coarse
    assert fine < (0.05 if name == "exponential" else 0.01)


@pytest.mark.parametrize("name", [*BUILDS])
def test_what_needs_no_pieces_is_exact_in_the_limit(name: str) -> None:
    if name != "residual":
        assert error(built(name), FewSpike(), 12) < 0.02


@pytest.mark.parametrize("name", ["silu", "tanh", *BUILDS])
def test_structure_does_not_depend_on_the_data(name: str) -> None:
    graph = built(name)
    lowered = legalise(graph, recipe_of(None, None, FEATURES)).accepted()
    assumed, known = (rewritten(lowered, 8, "never", x) for x in (None, inputs(graph)))
    assert [(n.name, n.inputs, type(n.layer)) for n in assumed.nodes] == [
        (n.name, n.inputs, type(n.layer)) for n in known.nodes
    ]
    assert assumed.shapes == known.shapes
    assert kgenn.check(graph, allow=tuple(FEATURES)) == []
    again = rewritten(known, 8, "never", inputs(graph))
    assert graph_text(again) == graph_text(known)


@pytest.mark.parametrize("name", ["leaky", "leaky_capped", "signed_pool", "pool_after_norm"])
def test_lowering_alone_changes_no_value(name: str) -> None:
    graph = built(name)
    x = inputs(graph, 20)
    after = lower(graph, LoweringOptions())
    np.testing.assert_allclose(np.asarray(after.predict(x)), np.asarray(graph.predict(x)), rtol=1e-4, atol=1e-5)
    if name == "leaky":
        assert all(node.layer.is_plain for node in after.nodes if isinstance(node.layer, ReLU))


def test_a_gain_above_zero_and_an_increasing_activation_wait_for_the_pool() -> None:
    b = Build("waiting", (6, 6, 2))
    norm = BatchNorm(np.array([0.5, 2.0, 1.0]), np.ones(3), np.zeros(3), np.ones(3), 1e-3)
    x = b.max_pool(b.add(norm, b.conv_relu("input", 3)))
    x = b.max_pool(b.add(Activation("tanh"), b.conv(x, 3)))
    after = lower(b.graph(b.classify(x)), LoweringOptions())
    kinds = [type(after.by_name[n.inputs[0]].layer) for n in after.nodes if isinstance(n.layer, MaxPool)]
    assert kinds[0] is ReLU
    (tanh,) = (n for n in after.nodes if isinstance(n.layer, Activation))
    assert isinstance(after.by_name[tanh.inputs[0]].layer, MaxPool)
    rewritten_too = rewritten(after, 8, "always")
    assert (
        sum(isinstance(n.layer, ReLU) for n in rewritten_too.nodes)
        == sum(isinstance(n.layer, ReLU) for n in after.nodes) + 2
    )


@pytest.mark.parametrize(
    ("converter", "timesteps"), leading(METHODS[:3]), ids=lambda x: getattr(x, "name", str(x))
)
def test_generated_programs_give_the_spikes_of_the_reference(converter: Converter, timesteps: int) -> None:
    graphs = {name: built(name) for name in ("silu", "leaky", "pool_after_norm")}
    networks = {name: made(graph, converter, timesteps).network for name, graph in graphs.items()}
    network = beside(networks)
    drives = [networks[name].drive(inputs(graph)[160:176]) for name, graph in graphs.items()]
    drive = np.concatenate(drives, axis=-1)
    assert_same(ReferenceSimulator(network).run(drive, 0, EVERYTHING), compiled(network).run(drive, 0, EVERYTHING))


def quotient(sign: Array, offset: float) -> tuple[Graph, Array]:
    """Return a network that divides by values of a sign for each channel, and 400 samples."""
    b = Build("quotient", (6,))
    below = b.add(Rescaling(sign, sign * offset), b.relu(b.dense("input", 4)))
    graph = b.graph(b.dense(b.add(Divide(), b.dense("input", 4), below), 3))
    return graph, np.random.default_rng(4).normal(size=(400, 6)).astype(np.float32)


@pytest.mark.parametrize("sign", [np.full(4, -1.0), np.array([1.0, -1.0, -1.0, 1.0])], ids=["below zero", "both"])
@pytest.mark.filterwarnings("error")
def test_channels_that_are_divided_by_may_lie_below_zero(sign: Array) -> None:
    graph, x = quotient(sign, 0.5)
    network = kgenn.convert(graph, calibration=x[:300], converter="few-spike", timesteps=10, allow="all")
    scores, expected = kgenn.compile(network, "reference").evaluate(x[300:]).scores, graph.predict(x[300:])
    assert np.sqrt(np.mean((scores - expected) ** 2)) < 0.03 * np.std(expected)


def test_a_value_that_is_divided_by_and_changes_its_sign_is_kg402() -> None:
    graph, x = quotient(np.ones(4), -0.5)
    assert kgenn.check(graph, "few-spike", "all") == []
    with pytest.raises(KgennError, match=r"KG402.*reciprocal: divides by values from -0\.5 to"):
        kgenn.convert(graph, calibration=x, converter="few-spike", allow="all")


def test_a_power_of_a_channel_that_is_always_zero_has_pieces() -> None:
    b = Build("power", (6,))
    silent = b.add(Rescaling(np.ones(4), np.array([0.0, 0.0, 0.0, -50.0])), b.dense("input", 4))
    graph = b.graph(b.dense(b.add(Power(1.5), b.relu(silent)), 3))
    x = np.random.default_rng(4).normal(size=(400, 6)).astype(np.float32)
    network = kgenn.convert(graph, calibration=x[:300], converter="few-spike", timesteps=10, allow="all")
    scores, expected = kgenn.compile(network, "reference").evaluate(x[300:]).scores, graph.predict(x[300:])
    assert np.sqrt(np.mean((scores - expected) ** 2)) < 0.03 * np.std(expected)


def test_a_sigmoid_on_the_host_needs_no_allowance() -> None:
    b = Build("final", (7,))
    graph = b.graph(b.add(Activation("sigmoid"), b.dense(b.relu(b.dense("input", 5)), 3)))
    assert kgenn.check(graph) == []


def test_values_are_those_of_all_samples_and_channels() -> None:
    graph = built("tanh")
    x = inputs(graph)
    (name,) = (n.inputs[0] for n in graph.nodes if isinstance(n.layer, Activation) and "conv" in n.inputs[0])
    seen = measured(graph, frozenset([name]), x)[name]
    value = next(v for n, v in graph.forward(x) if n == name).reshape(-1, 4)
    np.testing.assert_allclose(seen.low, value.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(seen.high, value.max(axis=0), rtol=1e-6)
    assert abs(seen.some.mean() - value.mean()) < 0.1 * value.std()


def test_a_method_without_caps_cannot_have_pieces() -> None:
    with pytest.raises(kgenn.KgennError, match="KG207"):
        made(built("silu"), Unscaled(), 4)
