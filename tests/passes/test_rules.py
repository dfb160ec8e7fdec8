"""What is no affine map, ReLU or maximum is written as some of these, and the function stays."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.ir.graph import Array, Graph, Layer, Shape
from kgenn.ir.output_activation import FORMULAS, elementwise
from kgenn.layers.activation import Activation, Curve, Gated, PReLU, ReLU, Softmax
from kgenn.layers.affine import Rescaling
from kgenn.layers.attention import AdditiveAttention, Attention, Projection
from kgenn.layers.einsum import Einsum
from kgenn.layers.glu import Glu
from kgenn.layers.merge import Divide, Dot, Maximum, Minimum, Multiply
from kgenn.layers.normalise import Standardise
from kgenn.layers.pooling import MaxPool
from kgenn.layers.power import Power
from kgenn.layers.shape import Reshape
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.pieces import fitted, is_curve
from kgenn.passes.products import factors, squared
from kgenn.passes.straight import exact, narrowed, straight_bends
from kgenn.passes.values import NodeValues
from networks import Build

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(3)
IMAGE, VECTOR = (4, 5, 6), (6,)


def random(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def between(layer: Layer, *shapes: Shape) -> Graph:
    """Return a graph in which a layer reads linear maps of inputs, and a linear layer reads it."""
    b = Build("between", IMAGE)
    reads = []
    for shape in shapes:
        x = b.dense("input", 6, bias=True)
        reads.append(x if shape == IMAGE else b.global_pool(x))
    return b.graph(b.dense(b.add(layer, *reads), 3))


EXACT: dict[str, Graph] = {
    **{
        name: between(Activation(name, {key: 0.7 * value for key, value in f.params.items()}), IMAGE)
        for name, f in FORMULAS.items()
        if f.bends is not None and name != "relu"
    },
    "leaky": between(ReLU(None, 0.2), IMAGE),
    "leaky capped": between(ReLU(0.5, 0.2), IMAGE),
    "steep": between(ReLU(None, 1.5), VECTOR),
    "prelu": between(PReLU(random(6)), IMAGE),
    "prelu of pixels": between(PReLU(random(*IMAGE)), IMAGE),
    "prelu of columns": between(PReLU(random(1, 5, 1)), IMAGE),
    "prelu of all": between(PReLU(random(1)), VECTOR),
    "maximum": between(Maximum(), IMAGE, IMAGE, IMAGE),
    "maximum of one": between(Maximum(), IMAGE),
    "maximum repeated": between(Maximum(), VECTOR, IMAGE),
    "minimum": between(Minimum(), IMAGE, IMAGE),
    "minimum repeated": between(Minimum(), IMAGE, VECTOR, IMAGE),
    "product": between(Multiply(), IMAGE, IMAGE, VECTOR),
    "cube": between(Power(3.0), IMAGE),
    "softmax": between(Softmax(), IMAGE),
    "softmax of columns": between(Softmax(-2), IMAGE),
    "softmax of a vector": between(Softmax(), VECTOR),
    "log_softmax": between(Softmax(is_log=True), IMAGE),
    "glu": between(Glu(), IMAGE),
    "glu of rows": between(Glu(-3), IMAGE),
    "layer norm": between(Standardise(IMAGE, (2,), 1e-3), IMAGE),
    "layer norm of rows": between(Standardise(IMAGE, (1, 2), 1e-3), IMAGE),
    "group norm": between(Standardise((4, 5, 3, 2), (0, 1, 3), 1e-3), IMAGE),
    "dot": between(Dot((0, 0)), VECTOR, VECTOR),
    "dot of images": between(Dot((1, 1)), IMAGE, IMAGE),
    "einsum": between(Einsum("hwc", "hvc", "hwv"), IMAGE, IMAGE),
    "einsum that sums one alone": between(Einsum("hwc", "c", "h"), IMAGE, VECTOR),
    "einsum of outer products": between(Einsum("hwc", "hvc", "chwv"), IMAGE, IMAGE),
    "cosine": between(Dot((0, 0), normalize=True), VECTOR, VECTOR),
    "unit norm of a least length": between(
        Standardise(VECTOR, (0,), 0.3, centred=False, total=True, least=True), VECTOR
    ),
    "unit norm": between(Standardise(VECTOR, (0,), 1e-12, centred=False, total=True, least=True), VECTOR),
}


def attention(layer: Attention | AdditiveAttention) -> Graph:
    """Return a graph with an attention of the pixels of an image."""
    b = Build("attention", IMAGE)
    rows = b.add(Reshape((20, 6)), b.dense("input", 6, bias=True))
    return b.graph(b.dense(b.add(layer, rows, b.dense(rows, 6)), 3))


EXACT["attention"] = attention(Attention(0.5))
EXACT["additive attention"] = attention(AdditiveAttention(random(6), 0.7))
EXACT["attention of heads"] = attention(
    Attention(
        0.5,
        *(Projection(random(6, 2, size), random(2, size)) for size in (3, 3, 4)),
        Projection(random(2, 4, 5), None),
    )
)
EXACT["causal attention"] = attention(Attention(2.0, causal=True))
EXACT["attention of columns"] = between(
    Attention(
        0.5,
        *(Projection(random(6, 2, size), random(2, size)) for size in (3, 3, 4)),
        Projection(random(2, 4, 5), None),
        axes=(1,),
    ),
    IMAGE,
    IMAGE,
)
EXACT["attention of an image"] = between(Attention(0.5, axes=(0, 1)), IMAGE, IMAGE)


@pytest.mark.parametrize("name", EXACT)
def test_lowering_and_squares_change_no_value(name: str) -> None:
    graph, x = EXACT[name], random(8, *IMAGE)
    lowered = lower(graph, LoweringOptions())
    np.testing.assert_allclose(lowered.predict(x), graph.predict(x), rtol=1e-4, atol=1e-5)
    ends = {n: RNG.uniform(0.5, 2, lowered.shapes[n][-1]) for n in sorted(factors(lowered))}
    squares = squared(lowered, {n: NodeValues(-end, end, end[None]) for n, end in ends.items()})
    np.testing.assert_allclose(squares.predict(x), graph.predict(x), rtol=1e-3, atol=1e-4)
    known = (Curve, ReLU, MaxPool)
    assert all(n.layer.linear or isinstance(n.layer, known) or not n.inputs for n in squares.nodes)


def test_a_quotient_is_a_product_with_a_reciprocal() -> None:
    b = Build("quotient", VECTOR)
    above = b.add(Rescaling(np.ones(1), np.ones(1)), b.relu(b.dense("input", 6)))
    graph, x = b.graph(b.dense(b.add(Divide(), b.dense("input", 6), above), 3)), random(20, *VECTOR)
    lowered = lower(graph, LoweringOptions())
    np.testing.assert_allclose(lowered.predict(x), graph.predict(x), rtol=1e-4, atol=1e-5)
    assert [type(n.layer) for n in lowered.nodes if not n.layer.linear][-2:] == [Activation, Multiply]


@pytest.mark.parametrize("name", ["abs", "leaky", "steep", "soft_shrink", "prelu", "prelu of pixels"])
def test_a_function_of_two_straight_parts_needs_no_data(name: str) -> None:
    assert not [node for node in lower(EXACT[name], LoweringOptions()).nodes if is_curve(node.layer)]


@pytest.mark.parametrize("name", [n for n, f in FORMULAS.items() if f.bends is not None and not f.jumps])
def test_a_piecewise_linear_function_is_exact_wherever_inputs_were_seen(name: str) -> None:
    layer = Activation(name)
    bends = straight_bends(layer)
    assert bends is not None
    for low, high in ((-9.0, 9.0), (-0.3, 0.2), (0.4, 6.0), (20.0, 21.0)):
        straight = narrowed(exact(layer, bends), np.full(2, low), np.full(2, high), 1e-3)
        x = np.linspace(low - 30, high + 30, 5001)[:, None] * np.ones(2)
        np.testing.assert_allclose(straight(x), layer.forward(x), atol=1e-9)
        assert (np.abs(straight.stops - straight.starts) >= 1e-3).all()


def test_a_product_of_a_value_with_its_own_function_is_one_function() -> None:
    b = Build("swish", VECTOR)
    x = b.dense("input", 6)
    gate = b.add(
        Rescaling(np.full(1, 1 / 6), np.zeros(1)),
        b.add(ReLU(6.0), b.add(Rescaling(np.ones(1), np.full(1, 3.0)), x)),
    )
    graph = b.graph(b.dense(b.add(Multiply(), b.add(Multiply(), x, gate), x), 3))
    lowered = lower(graph, LoweringOptions())
    assert [type(n.layer) for n in lowered.nodes if is_curve(n.layer)] == [Gated]
    v = random(20, *VECTOR)
    np.testing.assert_allclose(lowered.predict(v), graph.predict(v), rtol=1e-4, atol=1e-5)


def test_a_value_times_itself_is_a_square() -> None:
    b = Build("square", VECTOR)
    x = b.dense("input", 6)
    lowered = lower(b.graph(b.dense(b.add(Multiply(), x, x), 3)), LoweringOptions())
    assert [n.layer.role for n in lowered.nodes if is_curve(n.layer)] == ["square"]


@pytest.mark.parametrize(
    "layer",
    [
        ReLU(None, 0.1, 0.4),
        ReLU(2.0, 0.0, 1.0),
        Activation("hard_shrink"),
        Activation("threshold", {"threshold": -1.0, "value": 3.0}),
    ],
    ids=str,
)
def test_a_jump_is_a_ramp_and_exact_beside_it(layer: Layer) -> None:
    bends = straight_bends(layer)
    assert bends is not None
    ramped = exact(layer, bends, width=0.01)
    x = np.linspace(-5, 5, 4001)[:, None]
    away = np.abs(x - np.array(bends)).min(axis=1) > 0.006
    np.testing.assert_allclose(ramped(x)[away], layer.forward(x)[away], atol=1e-9)
    assert not away.all()


@pytest.mark.parametrize("function", ["square", "silu"])
def test_a_channel_of_small_values_has_pieces_of_its_own(function: str) -> None:
    x = RNG.normal(size=(4000, 2)) * np.array([3.0, 0.1])
    pieces = fitted(lambda v: elementwise(function, v), NodeValues(x.min(axis=0), x.max(axis=0), x), 8)
    off = np.sqrt(np.mean((pieces(x) - elementwise(function, x)) ** 2, axis=0)) / elementwise(function, x).std(
        axis=0
    )
    assert (off < 0.06).all()
    shared = fitted(lambda v: elementwise(function, v), NodeValues(np.full(2, x.min()), np.full(2, x.max()), x), 8)
    lost = np.sqrt(np.mean((shared(x) - elementwise(function, x)) ** 2, axis=0)) / elementwise(function, x).std(
        axis=0
    )
    assert lost[1] > 5 * off[1]


def test_functions_of_positive_values_stay_above_zero() -> None:
    for name in ("reciprocal", "rsqrt", "log", "sqrt"):
        x = np.exp(RNG.normal(size=(5000, 1)) * 1.5)
        pieces = fitted(
            lambda v, n=name: elementwise(n, v), NodeValues(x.min(axis=0), x.max(axis=0), x), 16, positive=True
        )
        assert (pieces.starts > 0).all()
        y = elementwise(name, x)
        assert np.sqrt(np.mean((pieces(x) - y) ** 2)) < 0.1 * y.std()
