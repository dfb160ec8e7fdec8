"""Chains of layers that map each axis by itself are one stage of sums, and scores follow the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.compose import compose, structured
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.paths import Path
from kgenn.conversion.recipe import recipe_of
from kgenn.ir.connectivity import DenseConnectivity, OneToOne
from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.spike_sums import MAX_AMOUNT, Resampling, SpikeSums, SumPool
from kgenn.layers.affine import Rescaling
from kgenn.layers.along import Along, Take
from kgenn.layers.conv import Conv
from kgenn.layers.cropping import Crop
from kgenn.layers.dense import Dense
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.pooling import AveragePool
from kgenn.layers.shape import AxisPad, Broadcast, Reshape, ZeroPad
from kgenn.layers.transposed import ZeroStuff
from kgenn.layers.upsampling import UpSample
from networks import ALLOW, build, samples
from recordings import METHODS, on_reference


def kernel(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Shape, list[Layer]]:
    """Draw an image and up to four layers that map its axes."""
    shape = image = (draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 3)))
    layers: list[Layer] = []
    for _ in range(draw(st.integers(1, 4))):
        pairs = st.tuples(st.integers(0, 2), st.integers(0, 2))
        twos = st.tuples(st.integers(1, 3), st.integers(1, 3))
        layer = draw(
            st.one_of(
                st.builds(UpSample, twos, st.sampled_from(("nearest", "bilinear"))),
                st.builds(ZeroStuff, twos),
                st.builds(ZeroPad, st.tuples(pairs, pairs)),
                st.builds(Crop, st.tuples(pairs, pairs)),
                st.builds(AveragePool, twos, twos, st.sampled_from(("same", "valid"))),
            )
        )
        try:
            after = layer.output_shape(image)
        except ValueError:  # nothing would be left
            continue
        if np.prod(after) <= 1000:
            layers.append(layer)
            image = after
    return shape, layers


def computed(path: Path, x: Array) -> Array:
    for layer in path.layers:
        x = layer.forward(x)
    return x.reshape(len(x), -1)


def assert_structured(path: Path) -> SpikeSums | None:
    """Fail where a chain has no structure, or computes something else; return its sums."""
    found = structured(path)
    assert found is not None
    pool, connectivity = found
    x = np.random.default_rng(1).normal(size=(3, *path.shape))
    arriving = x.reshape(3, -1) if pool is None else pool.apply(x.reshape(3, -1))
    np.testing.assert_allclose(connectivity.apply(arriving), computed(path, x), rtol=1e-9, atol=1e-9)
    return pool


END = {
    "alone": lambda image: (),
    "convolution": lambda image: (Conv(kernel(3, 2, image[2], 4), None, (1, 2), "same", (1, 1)),),
    "scale, pads, convolution": lambda image: (
        Rescaling(np.linspace(0.5, 2, image[2]), np.zeros(())),
        ZeroPad(((0, 2), (1, 0))),
        Conv(kernel(1, 1, image[2], 4), None, (1, 1), "valid", (1, 1)),
    ),
    "dense": lambda image: (Reshape((int(np.prod(image)),)), Dense(kernel(int(np.prod(image)), 3), None)),
}


@pytest.mark.parametrize("end", END)
@given(chain=chains())
def test_any_chain_that_maps_axes_keeps_its_structure(end: str, chain: tuple[Shape, list[Layer]]) -> None:
    shape, layers = chain
    image = shape
    for layer in layers:
        image = layer.output_shape(image)
    assert_structured(Path("source", shape, (*layers, *END[end](image))))


@given(chain=chains())
def test_weights_of_single_pixels_may_stand_before_it(chain: tuple[Shape, list[Layer]]) -> None:
    shape, layers = chain
    assert_structured(
        Path("source", shape, (Conv(kernel(1, 1, shape[2], 4), None, (1, 1), "same", (1, 1)), *layers))
    )


def test_sizes_that_come_to_windows_again_are_plain_sums_of_windows() -> None:
    up, pool, conv = (
        UpSample((2, 2)),
        AveragePool((4, 4), (4, 4), "valid"),
        Conv(kernel(1, 1, 2, 3), None, (1, 1), "same", (1, 1)),
    )
    assert isinstance(assert_structured(Path("source", (8, 8, 2), (pool, conv))), SumPool)
    halved = AveragePool((2, 2), (2, 2), "valid")
    assert assert_structured(Path("source", (4, 4, 2), (up, halved, conv))) is None
    again = assert_structured(
        Path("source", (5, 5, 2), (ZeroPad(((1, 1), (1, 1))), Crop(((1, 1), (1, 1))), halved, conv))
    )
    assert isinstance(again, SumPool)


def test_weights_that_are_not_shared_take_the_counts_of_a_pool_with_padding() -> None:
    pool = AveragePool((3, 3), (1, 1), "same")
    stage, one = structured(Path("source", (4, 4, 1), (pool,)))  # type: ignore[misc]
    assert isinstance(stage, Resampling)
    assert isinstance(one, OneToOne)
    assert stage.rows.taps.max() == 1
    assert sorted(set(np.round(1 / one.weights))) == [4, 6, 9]
    flat = (pool, Reshape((16,)), Dense(np.ones((16, 1)), None))
    stage, dense = structured(Path("source", (4, 4, 1), flat))  # type: ignore[misc]
    assert isinstance(dense, DenseConnectivity)
    assert stage.rows.taps.max() == 1


def test_factors_that_32_bits_may_not_hold_are_probed() -> None:
    # seven counts from 4 to 10, whose common multiple is 2,520
    path = Path(
        "source",
        (12, 12, 1),
        (AveragePool((10, 10), (1, 1), "same"), Conv(kernel(2, 2, 1, 1), None, (1, 1), "same", (1, 1))),
    )
    assert structured(path) is None
    assert MAX_AMOUNT < (10 * 2520) ** 2


@pytest.mark.parametrize("method", ["few-spike", "data-norm", "ttfs", "calibrated", "burst"])
@pytest.mark.parametrize("name", ["unet", "transposed_conv", "upsample_bilinear_conv", "pool_same_strided"])
def test_scores_follow_the_model(name: str, method: str) -> None:
    graph, (converter, _) = build(name), METHODS[method]
    steps = 10 if method == "few-spike" else 200
    calibration, x = samples(graph, 256), samples(graph, 16, seed=11)
    recipe = recipe_of(converter, None, ALLOW, None, None, 3)
    network = convert_graph(graph, recipe, calibration, steps, on_reference).network
    found = ReferenceSimulator(network).run(network.drive(x), 0).scores[:, -1]
    wanted = np.asarray(graph.predict(x)).reshape(len(x), -1)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99


@st.composite
def linear_chains(draw: st.DrawFn) -> Path:
    """Draw an image and up to four linear layers of any kind, weights among them."""
    image = (draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 4)))
    shape, layers = image, []
    for _ in range(draw(st.integers(2, 4))):
        layer = draw(st.one_of(*(st.just(kind) for kind in KINDS_OF_LAYERS)))(draw, image)
        try:
            after = layer.output_shape(image)
        except ValueError:  # it does not fit, or nothing would be left
            continue
        if np.prod(after) <= 1000:
            layers.append(layer)
            image = after
    return Path("source", shape, tuple(layers))


def drawn_conv(draw: st.DrawFn, image: Shape) -> Layer:
    channels = image[-1]
    groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    size, twos = draw(st.tuples(*[st.integers(1, 3)] * 2)), st.tuples(st.integers(1, 2), st.integers(1, 2))
    weights = kernel(*size, channels // groups, groups * draw(st.integers(1, 2)))
    strides = draw(twos)
    dilation = draw(twos) if strides == (1, 1) else (1, 1)
    return Conv(weights, None, strides, draw(st.sampled_from(("same", "valid"))), dilation, groups)


def drawn_pointwise(draw: st.DrawFn, image: Shape) -> Layer:
    groups = draw(st.sampled_from([g for g in range(1, image[-1] + 1) if image[-1] % g == 0]))
    return Pointwise(kernel(groups, image[-1] // groups, draw(st.integers(1, 3))))


def drawn_slot(draw: st.DrawFn, image: Shape) -> Layer:
    axis = draw(st.sampled_from((-1, -1, -2, -3)))
    offset = draw(st.integers(0, 2))
    return AxisPad(offset, offset + image[axis] + draw(st.integers(0, 2)), axis)


def drawn_take(draw: st.DrawFn, image: Shape) -> Layer:
    axis = draw(st.sampled_from((-2, -3)))
    return Take(np.array(draw(st.lists(st.integers(0, image[axis] - 1), min_size=1, max_size=6))), axis)


def drawn_along(draw: st.DrawFn, image: Shape) -> Layer:
    axis = draw(st.sampled_from((-2, -3)))
    matrix = np.array(
        draw(
            st.lists(
                st.lists(st.sampled_from((0.0, 0.25, 1 / 3, 1.0)), min_size=6, max_size=6), min_size=1, max_size=5
            )
        )
    )
    return Along(matrix[:, : image[axis]].astype(np.float32), axis)


def drawn_broadcast(draw: st.DrawFn, image: Shape) -> Layer:
    return Broadcast(tuple(n if n > 1 else draw(st.integers(1, 4)) for n in image))


KINDS_OF_LAYERS = (
    drawn_conv,
    drawn_pointwise,
    drawn_slot,
    drawn_take,
    drawn_along,
    drawn_broadcast,
    lambda draw, image: Rescaling(draw(st.sampled_from((0.5, -2.0))), 0.0),
    lambda draw, image: Crop(((draw(st.integers(0, 1)), 1), (1, draw(st.integers(0, 1))))),
    lambda draw, image: ZeroPad(((1, draw(st.integers(0, 1))), (0, 1))),
    lambda draw, image: UpSample((2, draw(st.integers(1, 2))), "nearest"),
    lambda draw, image: AveragePool(
        (2, 2), (draw(st.integers(1, 2)), 2), draw(st.sampled_from(("same", "valid")))
    ),
)


@pytest.mark.slow
@settings(max_examples=300)
@given(linear_chains())
def test_a_chain_of_any_structure_computes_what_its_layers_do(path: Path) -> None:
    pool, connectivity = compose(path, "here")
    x = np.random.default_rng(1).normal(size=(3, *path.shape))
    arriving = x.reshape(3, -1) if pool is None else pool.apply(x.reshape(3, -1))
    np.testing.assert_allclose(connectivity.apply(arriving), computed(path, x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (3, 3)])
@pytest.mark.parametrize("repeated", [(4, 4, 5), (2, 4, 4, 1), (2, 4, 4, 5)])
def test_what_weights_give_is_repeated_along_channels_and_new_axes(size: Shape, repeated: Shape) -> None:
    conv = Conv(kernel(*size, 3, 1), None, (1, 1), "same", (1, 1))
    path = Path("source", (4, 4, 3), (conv, Broadcast(repeated)))
    pool, connectivity = compose(path, "here")
    assert pool is None
    x = np.random.default_rng(1).normal(size=(3, *path.shape))
    np.testing.assert_allclose(connectivity.apply(x.reshape(3, -1)), computed(path, x), rtol=1e-6, atol=1e-6)
