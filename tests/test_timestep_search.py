"""The search for the fewest timesteps: what it finds is what trying every T by hand finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from covering import covering, leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.baseline import Baseline
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import Converter
from kgenn.conversion.burst import Burst
from kgenn.conversion.convert import Conversion
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.diagnostics import KgennError, fail
from kgenn.encoders import encoders_of
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.ir.text import network_text
from kgenn.timestep_search import SearchResult, TimestepSearch, doubling, fewest_timesteps
from networks import build, samples, with_caps
from recordings import conversion, converted

GRAPH = build("conv_same")
X = samples(GRAPH, 40)
PREDICTIONS = np.asarray(GRAPH.predict(X)).argmax(axis=1)
# right for three samples in four, so that the model itself loses some
LABELS = np.where(np.arange(40) % 4 == 0, (PREDICTIONS + 1) % 4, PREDICTIONS)


def losses(converter: Converter, most: int, labels: Array | None) -> Array:
    """Return the points lost at each T from 1 to the most and two standard errors, each T run on the reference."""
    wanted = PREDICTIONS if labels is None else labels
    lost = []
    for steps in range(1, most + 1):
        network = kgenn.convert(GRAPH, calibration=X, timesteps=steps, converter=converter)
        scores = ReferenceSimulator(network).run(network.drive(X), 0).scores[:, -1]
        change = (wanted == PREDICTIONS).astype(float) - (scores.argmax(axis=1) == wanted)
        lost.append(100 * (change.mean() + 2 * change.std() / np.sqrt(len(X))))
    return np.array(lost)


@pytest.mark.parametrize(
    ("labels", "converter"), covering([None, LABELS], [DataNorm(), DataNorm(initial_potential=0.0), Burst()])
)
def test_a_rate_coded_network_is_cut_where_the_loss_first_comes_within_the_limit(
    converter: Converter, labels: Array | None
) -> None:
    lost = losses(converter, 24, labels)
    for limit in (0.0, 2.5, 8.0, 20.0):
        within = [t for t in range(1, 25) if lost[t - 1] <= limit]
        options = {"calibration": X, "converter": converter, "labels": labels}
        if not within:
            own = (
                r"KG405.*the model itself has accuracy \d" if labels is not None else "KG405(?!.*the model itself)"
            )
            with pytest.raises(KgennError, match=own):
                kgenn.convert(GRAPH, timesteps="auto", loss=limit, most_timesteps=24, **options)
            continue
        network = kgenn.convert(GRAPH, timesteps="auto", loss=limit, most_timesteps=24, **options)
        assert network.num_timesteps == within[0]
        assert network_text(network) == network_text(kgenn.convert(GRAPH, timesteps=within[0], **options))


@pytest.mark.slow
@pytest.mark.parametrize("converter", leading([FewSpike(), TimeToFirstSpike()]), ids=lambda c: c.name)
def test_a_network_that_works_in_stages_is_converted_for_each_t_it_tries(converter: Converter) -> None:
    lost = losses(converter, 12, LABELS)
    network = kgenn.convert(
        GRAPH, calibration=X, timesteps="auto", converter=converter, labels=LABELS, loss=2.5, most_timesteps=12
    )
    found = network.num_timesteps
    assert lost[found - 1] <= 2.5
    assert found == 1 or lost[found - 2] > 2.5
    whole = kgenn.convert(GRAPH, calibration=X, timesteps=found, converter=converter)
    assert network_text(network) == network_text(whole)


FREE = [
    (name, encoder)
    for name in CONVERTERS.names()
    for encoder in ("direct", "if", "poisson-signed")
    if not CONVERTERS.get(name).depends_on_timesteps and encoder in encoders_of(CONVERTERS.get(name).code)
]


@pytest.mark.parametrize(("name", "encoder"), FREE)
@pytest.mark.parametrize("graph", ["bias_conv", "residual_plain", "max_pool_conv"])
def test_a_method_that_does_not_depend_on_t_says_so_rightly(name: str, encoder: str, graph: str) -> None:
    converter = CONVERTERS.get(name)()
    short, long = (converted(graph, encoder, converter, num_timesteps=t) for t in (3, 50))
    assert network_text(short) == network_text(replace(long, num_timesteps=3, levels=converter.levels(3)))


def surely(lost: int) -> float:
    """Return the loss with two standard errors of a network that loses so many of 100 samples."""
    return lost + 2 * float(np.sqrt(lost * (100 - lost) / 100))


def stand_in(lost: list[int], silent: int = 0) -> tuple[list[int], SearchResult | KgennError]:
    """Return what a search tries, and its outcome, over networks of given losses at T = 1, 2, …, in 100 samples.

    Below `silent`, the conversion fails as it does for a layer without spikes.
    """
    whole = conversion("dense", "direct", FewSpike(), num_timesteps=4)
    graph, tried = build("dense"), []
    against = Baseline.of(graph, graph.samples(samples(graph, 100)))

    def convert(timesteps: int) -> Conversion:
        tried.append(timesteps)
        if timesteps < silent:
            raise fail("KG403", "dense", "is silent")
        return replace(whole, network=replace(whole.network, num_timesteps=timesteps))

    def simulate(
        network: Network, x: Array, record: RecordingOptions, *, once: bool = False
    ) -> Iterator[Recording]:
        right = np.eye(4, dtype=np.float32)[next(iter(against.predictions.values()))]
        right[: lost[network.num_timesteps - 1]] *= -1  # the largest score is another's
        yield Recording(right[:60, None], {})
        yield Recording(right[60:, None], {})

    search = TimestepSearch(loss=10.0, most_timesteps=len(lost))
    try:
        return tried, fewest_timesteps(convert, recipe_of(TimeToFirstSpike()), against, search, simulate)
    except KgennError as error:
        return tried, error


def codes(outcome: SearchResult | KgennError) -> list[str]:
    return [d.code for d in outcome.diagnostics] if isinstance(outcome, KgennError) else []


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.integers(0, 12))
def test_of_falling_losses_the_first_within_the_limit_is_found(values: list[int], silent: int) -> None:
    lost = sorted(values, reverse=True)
    silent = min(silent, len(lost))
    tried, found = stand_in(lost, silent)
    assert len(tried) == len(set(tried)) <= 2 * (len(lost).bit_length() + 1)
    within = [t for t, loss in enumerate(lost, start=1) if surely(loss) <= 10 and t >= silent]
    if within:
        assert isinstance(found, SearchResult)
        assert found.timesteps == within[0]
        assert found.loss == pytest.approx(lost[within[0] - 1])
    else:
        assert codes(found) == ["KG405"]
        least = min(lost[t - 1] for t in tried if t >= silent)
        assert f"does best: it loses {least:.2f} points" in str(found)
        assert ("more samples, a larger loss" in str(found)) == (least <= 10)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40))
def test_of_any_losses_one_within_the_limit_is_found_or_none_that_was_tried_is(lost: list[int]) -> None:
    tried, found = stand_in(lost)
    if isinstance(found, SearchResult):
        assert surely(lost[found.timesteps - 1]) <= 10
        assert found.timesteps == 1 or surely(lost[found.timesteps - 2]) > 10
    else:
        assert codes(found) == ["KG405"]
        assert tried == doubling(len(lost))
        assert all(surely(lost[t - 1]) > 10 for t in tried)


def test_a_layer_silent_at_the_most_timesteps_too_is_the_error() -> None:
    assert codes(stand_in([0, 0, 0], silent=4)[1]) == ["KG403"]


def test_threshold_relu_takes_part() -> None:
    graph = with_caps(GRAPH)
    converter = CONVERTERS.get("threshold-relu")()
    network = kgenn.convert(
        graph, calibration=X, timesteps="auto", converter=converter, loss=20, allow=["relu-cap"]
    )
    assert 1 <= network.num_timesteps <= 256


@pytest.mark.parametrize(("loss", "most"), [(-0.1, None), (101, None), (float("nan"), None), (1, 0), (1, -3)])
def test_a_loss_or_a_limit_out_of_range_is_kg401(loss: float, most: int | None) -> None:
    with pytest.raises(KgennError, match="KG401"):
        kgenn.convert(GRAPH, calibration=X, timesteps="auto", loss=loss, most_timesteps=most)


def test_more_timesteps_than_the_method_takes_are_kg401_before_any_conversion() -> None:
    with pytest.raises(KgennError, match=r"KG401.*at most 12"):
        kgenn.convert(GRAPH, calibration=X, timesteps="auto", converter=FewSpike(), most_timesteps=17)


@pytest.mark.parametrize("labels", [LABELS[:5], LABELS + 9])
def test_odd_labels_are_kg607(labels: Array) -> None:
    with pytest.raises(KgennError, match="KG607"):
        kgenn.convert(GRAPH, calibration=X, timesteps="auto", labels=labels)


@pytest.mark.slow
@pytest.mark.parametrize("labelled", [True, False])
def test_a_search_of_values_is_in_points_of_r2(labelled: bool) -> None:
    graph, x = build("one_class"), samples(build("one_class"), 64)
    y = np.asarray(graph.predict(x)).ravel()
    labels = y + np.random.default_rng(1).normal(0, 0.1 * y.std(), len(y)) if labelled else None
    network = kgenn.convert(graph, calibration=x, labels=labels, timesteps="auto", loss=2.0, check=False)
    search = network.origin["search"]
    assert search["measured"] == ("R²" if labelled else "agreement")

    def r2(values: Array) -> float:
        against = y if labels is None else labels
        return float(1 - ((values - against) ** 2).sum() / ((against - against.mean()) ** 2).sum())

    said = kgenn.compile(network, "reference").evaluate(x).scores.ravel()
    assert search["loss"] == pytest.approx(100 * (r2(y) - r2(said)), abs=0.01)
    assert network.num_timesteps > 1
    assert search["loss"] <= 2
