"""Few-spike and time-to-first-spike: each neuron sends exactly the number that its layer computes, quantised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from covering import covering, slow
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.quantisation import least_squares_scales, quantised
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.staged import Staged
from kgenn.conversion.time_to_first_spike import MAX_TIMESTEPS, TimeToFirstSpike
from kgenn.diagnostics import KgennError
from kgenn.encoders import encoders_of
from kgenn.ir.graph import Array, Graph, Input, Node, Output
from kgenn.ir.network import Network
from kgenn.ir.spike_code import MAX_BINARY_STEPS
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.readout import fit_readout
from networks import ALLOW, build, samples
from recordings import ALL_ENCODERS, EVERYTHING, conversion, converted, drive_of, inputs_of

PLAIN = {"correction": False, "channelwise": False}
METHODS: dict[str, tuple[Staged, int]] = {
    "few-spike": (FewSpike(), 5),
    "few-spike truncating": (FewSpike(rounding=False, **PLAIN), 5),  # type: ignore[arg-type]
    "few-spike of one step": (FewSpike(), 1),
    "ttfs": (TimeToFirstSpike(), 23),
    "ttfs truncating": (TimeToFirstSpike(rounding=False, scale_rule="percentile"), 23),
}
ENCODERS = ("direct", "few-spike", "few-spike-signed", "ttfs")
# sums, concatenations, links over several depths, biases, caps and poolings
GRAPHS = (
    "dense_deep",
    "bias_conv",
    "bias_before_pool_conv",
    "residual_relu",
    "residual_shortcut",
    "residual_input",
    "skip_to_readout",
    "concat_pool_conv",
    "pool_add",
    "relu_cap",
    "max_pool_overlapping_same",
    "max_pool_add",
    "max_pool_skip",
)


def cases() -> Iterator[Any]:
    """Yield every network with every method and each of its encoders; by default with the next one in turn."""
    for (i, name), (j, method) in product(enumerate(GRAPHS), enumerate(METHODS)):
        able = encoders_of(METHODS[method][0].code)
        encoders = [encoder for encoder in ENCODERS if encoder in able]
        for encoder in encoders:
            case = (method, name, encoder)
            yield case if encoder == encoders[(i + j) % len(encoders)] else slow(case)


def levels_of(network: Network) -> int:
    """Return the largest number that a neuron can send."""
    steps = network.num_timesteps
    return 2**steps - 1 if network.code_name == "binary" else steps


def quantised_ann(made: Conversion, x: Array, rounding: bool) -> dict[str, Array]:
    """Return the number of every neuron, and the score of every class, from weights alone: no spike, no time.

    n = min(max(floor(z + 1/2), 0), L) with z the weighted sum of the sources' numbers and of the constants, in
    units; the largest number of the window where a layer pools. All in float64, which holds every sum.
    """
    network, graph = made.network, made.lowered
    full = levels_of(network)
    first, *others = network.populations
    flat = network.inputs[0].transform.apply(x).reshape(len(x), -1)
    drive = np.rint(flat * np.float32(network.inputs[0].coding.levels)).astype(np.float64)
    numbers: dict[str, Array] = {} if network.inputs[0].coding.analog else {first.name: drive}
    for p in others:
        node = graph.by_name.get(p.name)
        if node is not None and isinstance(node.layer, MaxPool):
            source = network.incoming[p.name][0].source
            image = numbers[source].reshape(len(x), *graph.shapes[node.inputs[0]])
            numbers[p.name] = node.layer.forward(image).reshape(len(x), -1)
            continue
        total = np.zeros((len(x), p.size)) if p.bias is None else np.tile(p.bias.astype(np.float64), (len(x), 1))
        for c in network.incoming[p.name]:
            if network.is_analog(c):
                total += np.floor(c.apply(drive) / network.inputs[0].coding.levels + 0.5)
            else:
                total += c.apply(numbers[c.source])
        if p.neuron.threshold:
            total = np.clip(np.floor(total / p.unit + (0.5 if rounding else 0.0)), 0, full)
        numbers[p.name] = total
    return numbers


@pytest.mark.parametrize(("method", "name", "encoder"), [*cases()])
def test_every_neuron_sends_its_quantised_activation(method: str, name: str, encoder: str) -> None:
    converter, steps = METHODS[method]
    made = conversion(name, encoder, converter, num_timesteps=steps)
    network = made.network
    x = inputs_of(network, encoder, 6)
    expected = quantised_ann(made, x, converter.rounding)
    recording = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert recording.train_values is not None
    for population, value in recording.train_values.items():
        assert np.array_equal(value, expected[population]), population
    assert np.array_equal(recording.scores[:, -1], expected[network.populations[-1].name].astype(np.float32))


@pytest.mark.parametrize("encoder", ["direct", "ttfs"])
@pytest.mark.parametrize("name", ["residual_shortcut", "max_pool_max_pool", "max_pool_global", "concat_conv"])
def test_a_time_to_first_spike_neuron_fires_at_most_once(name: str, encoder: str) -> None:
    network = converted(name, encoder, TimeToFirstSpike(), num_timesteps=17)
    recording = ReferenceSimulator(network).run(drive_of(network, encoder), 0, EVERYTHING)
    for counts in recording.spike_counts.values():
        assert counts.max() == 1


def logits_of(graph: Graph, x: Array) -> Array:
    lowered = fit_readout(lower(graph, LoweringOptions()), "current")
    return dict(lowered.forward(x))[lowered.ends[0]].reshape(len(x), -1)


def score_error(name: str, encoder: str, converter: Staged, steps: int) -> float:
    """Return the mean |score − logit| on the calibration set, relative to the largest logit."""
    graph = build(name)
    _, low, high = ALL_ENCODERS[encoder]
    x = samples(graph, 16, low, high)
    network = converted(name, encoder, converter, num_timesteps=steps)
    logits = logits_of(graph, x)
    scores = kgenn.compile(network, target="reference").evaluate(x).scores
    return float(np.abs(scores - logits).mean() / np.abs(logits).max())


@pytest.mark.parametrize(
    ("name", "encoder"),
    covering(
        [*GRAPHS, "batch_norm_after_add", "channels_first_residual", "max_pool_relu", "max_pool_cap"],
        ["direct", "few-spike", "few-spike-signed"],
    ),
)
def test_twelve_bits_are_the_model_itself(name: str, encoder: str) -> None:
    converter = FewSpike(scale_rule="maximum", correction=False)
    assert score_error(name, encoder, converter, 12) < 1e-3


@pytest.mark.parametrize(
    ("converter", "lengths"), [(FewSpike, (2, 4, 6, 8)), (TimeToFirstSpike, (3, 15, 63, 255))]
)
@pytest.mark.parametrize(
    "name", ["dense_deep", "residual_shortcut", "skip_to_readout", "max_pool_skip", "bias_conv"]
)
def test_four_times_the_levels_bring_the_scores_twice_as_near_to_the_logits(
    name: str, converter: type[Staged], lengths: tuple[int, ...]
) -> None:
    method = converter(scale_rule="maximum", correction=False)
    errors = [score_error(name, "direct", method, steps) for steps in lengths]
    assert all(more > 2 * less for more, less in pairwise(errors))


# ---- scales


def own_error(a: Array, scale: float, levels: int, rounding: bool) -> float:
    """Return Σ (q(a) − a)² over the activations themselves, by rounding to the nearest multiple or downwards."""
    step = scale / levels
    whole = np.rint(a / step) if rounding else np.trunc(a / step)
    return float(((np.minimum(whole, levels) * step - a) ** 2).sum())


def relu_graph(channels: int) -> Graph:
    nodes = (Node("input", Input((channels,)), ()), Node("relu", ReLU(), ("input",), "relu (ReLU)"))
    return Graph("relu", nodes, (Output("relu", "relu"),))


@given(
    st.integers(0, 999),
    st.sampled_from([1, 3, 7, 15, 31, 64]),
    st.booleans(),
    st.sampled_from([0.5, 1.0, 3.0]),
    st.floats(0.01, 100),
)
def test_least_squares_finds_the_scale_of_least_squared_error(
    seed: int, levels: int, rounding: bool, shape: float, size: float
) -> None:
    rng = np.random.default_rng(seed)
    a = (size * rng.gamma(shape, 1.0, (2000, 1)) * (rng.random((2000, 1)) < 0.6)).astype(np.float32)
    graph = relu_graph(1)
    found = {
        channelwise: least_squares_scales(graph, a, levels, rounding, channelwise, clipped=False)["relu"].item()
        for channelwise in (False, True)
    }
    assert found[True] == found[False]
    error = own_error(a, found[True], levels, rounding)
    tried = np.linspace(0.02, 1.05, 400) * float(a.max())
    # candidates for λ lie 5 % apart
    assert error <= 1.15 * min(own_error(a, scale, levels, rounding) for scale in tried)


@given(st.integers(0, 999), st.sampled_from([3, 7, 15, 31]), st.booleans())
def test_least_squares_are_never_worse_than_the_maximum(seed: int, levels: int, rounding: bool) -> None:
    rng = np.random.default_rng(seed)
    a = np.abs(rng.standard_t(3, (500, 1))).astype(np.float32) * rng.lognormal()
    found = float(least_squares_scales(relu_graph(1), a, levels, rounding, False, clipped=False)["relu"])
    assert own_error(a, found, levels, rounding) <= 1.01 * own_error(a, float(a.max()), levels, rounding)


@pytest.mark.parametrize("count", [20, 200])
@pytest.mark.parametrize("spread", ["exponential", "normal", "uniform"])
def test_new_samples_lose_little_to_clipping_however_many_the_levels(count: int, spread: str) -> None:
    rng = np.random.default_rng(5)

    def drawn(number: int) -> Array:
        values = {"exponential": rng.exponential, "normal": rng.standard_normal, "uniform": rng.random}[spread]
        return np.maximum(values(size=(number, 200)), 0).astype(np.float32)

    known, new = drawn(count), drawn(2000)
    least = new.std() / 1000

    def error(levels: int, clipped: bool) -> float:
        scales = least_squares_scales(relu_graph(200), known, levels, True, True, clipped=clipped)["relu"]
        return float(np.sqrt(np.mean((quantised(new, scales, levels, True) - new) ** 2)))

    coarse, fine, closed = error(15, True), error(4095, True), error(4095, False)
    assert coarse < 1.15 * error(15, False)
    assert fine < max(0.75 * closed, least)
    assert fine < 0.6 * coarse


def test_a_layer_s_channels_have_their_own_scales_or_one() -> None:
    rng = np.random.default_rng(3)
    x = (rng.gamma(1.0, 1.0, (3000, 3)) * np.array([1.0, 10.0, 0.1])).astype(np.float32)
    scales = least_squares_scales(relu_graph(3), x, 15, True, True)["relu"]
    for channel in range(3):
        a = x[:, channel : channel + 1]
        alone = float(least_squares_scales(relu_graph(1), a, 15, True, False)["relu"])
        assert own_error(a, scales[channel], 15, True) <= 1.02 * own_error(a, alone, 15, True)
    assert least_squares_scales(relu_graph(3), x, 15, True, False)["relu"].shape == ()


@pytest.mark.parametrize("rule", ["least-squares", "percentile", "maximum"])
@pytest.mark.parametrize("method", [FewSpike, TimeToFirstSpike])
@pytest.mark.parametrize(("name", "cap"), [("relu_cap", 0.6), ("relu_relu", 0.6), ("max_pool_cap", 0.6)])
def test_a_capped_relu_never_sends_more_than_its_cap(
    name: str, cap: float, method: type[Staged], rule: str
) -> None:
    graph = build(name)
    x = 9 * samples(graph, 20)
    converter = method(scale_rule=rule)  # type: ignore[arg-type]
    made = convert_graph(graph, recipe_of(converter, allow=ALLOW), x, 6, simulate)
    train_values = ReferenceSimulator(made.network).run(made.network.drive(x), 0, EVERYTHING).train_values
    assert train_values is not None
    for p in made.network.spiking:
        scale = np.broadcast_to(p.scale, p.shape).ravel()
        sent = train_values[p.name] * scale / levels_of(made.network)
        assert sent.max() <= cap * (1 + 1e-12)
        # and inputs this large reach it
        assert rule == "least-squares" or sent.max() == pytest.approx(cap)


def test_a_correction_leaves_the_mean_output_of_the_calibration_set_where_it_was() -> None:
    name = "residual_relu"
    graph = build(name)
    x = samples(graph, 16, -1.0, 1.0)
    errors = []
    for correction in (False, True):
        converter = FewSpike(channelwise=False, correction=correction, rounding=False)
        scores = (
            kgenn.compile(converted(name, "direct", converter, num_timesteps=3), "reference").evaluate(x).scores
        )
        errors.append(float(np.abs((scores - logits_of(graph, x)).mean(axis=0)).max()))
    assert errors[1] < 1e-3 * errors[0]


# ---- options


@pytest.mark.parametrize(
    ("converter", "most"), [(FewSpike(), MAX_BINARY_STEPS), (TimeToFirstSpike(), MAX_TIMESTEPS)]
)
def test_stages_longer_than_the_method_can_hold_are_refused(converter: Staged, most: int) -> None:
    converter.check(most)
    with pytest.raises(KgennError, match=rf"KG401.*takes at most {most}"):
        converter.check(most + 1)
    graph = build("dense")
    with pytest.raises(KgennError, match="KG401"):
        convert_graph(graph, recipe_of(converter), samples(graph, 4), most + 1, simulate)


@pytest.mark.parametrize("percentile", [0.0, 100.5, -1.0])
@pytest.mark.parametrize("method", [FewSpike, TimeToFirstSpike])
def test_percentiles_out_of_range_are_refused(method: type[Staged], percentile: float) -> None:
    with pytest.raises(KgennError, match=r"KG401.*lies in \(0, 100\]"):
        method(scale_rule="percentile", percentile=percentile)


def test_a_percentile_that_the_rule_would_ignore_is_refused() -> None:
    with pytest.raises(KgennError, match=r"KG401.*least-squares takes no percentile"):
        FewSpike(percentile=99.0)
    with pytest.raises(KgennError, match=r"KG401.*scale_rule is 'max'"):
        FewSpike(scale_rule="max")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("converter", "encoder"),
    [(FewSpike(), "poisson"), (FewSpike(), "ttfs"), (TimeToFirstSpike(), "few-spike"), (None, "few-spike")],
)
def test_an_encoder_whose_spikes_the_method_does_not_understand_is_refused(
    converter: Staged | None, encoder: str
) -> None:
    with pytest.raises(KgennError, match=rf"KG401.*encoder {encoder}.*does not work with the converter") as caught:
        converted("dense", encoder, converter, num_timesteps=4)
    assert all(d.help for d in caught.value.diagnostics)


@pytest.mark.parametrize("readout", ["late-current", "spike-count"])
def test_a_readout_that_a_staged_method_lacks_is_refused(readout: str) -> None:
    with pytest.raises(KgennError, match=r"KG401.*readout"):
        converted("dense", "direct", FewSpike(), readout=readout, num_timesteps=4)  # type: ignore[arg-type]
