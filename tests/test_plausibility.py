"""Data on another scale than the model or the network was made for are loud; data that only look odd are not."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from kgenn.data.load import Data
from kgenn.data.plausibility import FACTOR, MIN_SAMPLES, calibration_warnings, run_warnings, scale_warnings
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph, Layer
from kgenn.ir.input_statistics import InputStatistics, StatisticsTally, statistics_of
from kgenn.ir.network import Network
from kgenn.layers.affine import BatchNorm, Normalization, Rescaling
from kgenn.layers.shape import Permute, ZeroPad
from networks import Build, build
from outcome import IMAGES

GRAPH = build("conv_same")
with np.load(IMAGES) as _archive:
    PIXELS = _archive["x"][:200].reshape(200, 28, 28, 1)
DIGITS = (PIXELS / 255).astype(np.float32)
DARK = 20 * FACTOR


def images(low: float = 0.0, high: float = 1.0, count: int = 80) -> Array:
    shape = (count, *GRAPH.input_shape)
    return np.random.default_rng(4).uniform(low, high, shape).astype(np.float32)


@cache
def converted() -> Network:
    """Return a network calibrated on images from 0 to 1."""
    return kgenn.convert(GRAPH, calibration=images(), timesteps=8)


@pytest.fixture
def network() -> Network:
    """Return the same."""
    return converted()


def of_input(x: Array) -> dict[str, InputStatistics | None]:
    """Return the statistics of the samples of the only input."""
    return {"input": statistics_of(x)}


def calibrated_on(network: Network, found: InputStatistics | None) -> Network:
    """Return the network with other statistics of its calibration data."""
    return replace(network, inputs=(replace(network.inputs[0], calibrated_on=found),))


def run_codes(calibration: Array, x: Array) -> list[str]:
    """Return the codes of what contradicts a calibration set in a run."""
    network = kgenn.convert(GRAPH, calibration=images(), timesteps=2)
    seen = calibrated_on(network, statistics_of(calibration))
    return [diagnostic.code for diagnostic in run_warnings(seen, of_input(x))]


# ---- a run against the calibration data


@pytest.mark.parametrize("factor", [1 / 255, 1 / 127.5, 1 / 100, 100, 255])
def test_a_run_on_another_scale_than_the_calibration_is_kg650(factor: float) -> None:
    assert run_codes(DIGITS, factor * DIGITS[:MIN_SAMPLES]) == ["KG650"]


def test_data_in_both_signs_against_data_in_one_are_kg650() -> None:
    assert run_codes(2 * DIGITS - 1, DIGITS) == ["KG650"]
    assert run_codes(DIGITS, 2 * DIGITS - 1) == ["KG650"]


@pytest.mark.parametrize("columns", [1, 10])
def test_columns_that_calibration_never_moved_are_kg650(columns: int) -> None:
    x = np.random.default_rng(1).random((300, 20), np.float32)
    still = x.copy()
    still[:, :columns] = 0
    assert run_codes(still, x) == ["KG650"]
    assert run_codes(still, x[:MIN_SAMPLES]) == ["KG650"]
    assert run_codes(still, still) == run_codes(x, x) == run_codes(x, still) == []


@given(st.sets(st.integers(0, len(DIGITS) - 1), min_size=1), st.integers(0, 99))
def test_pixels_that_calibration_happens_not_to_have_are_no_reason_to_warn(some: set[int], seed: int) -> None:
    flat = DIGITS.reshape(len(DIGITS), -1)
    order = np.random.default_rng(seed).permutation(len(flat))
    assert run_codes(flat[order[: len(order) // 2]], flat[sorted(some)]) == []


@given(st.sets(st.integers(0, len(DIGITS) - 1), min_size=1), st.sets(st.integers(0, len(DIGITS) - 1), min_size=1))
def test_no_two_sets_of_digits_contradict_each_other(one: set[int], other: set[int]) -> None:
    assert run_codes(DIGITS[sorted(one)], DIGITS[sorted(other)]) == []


@pytest.mark.parametrize("count", range(1, MIN_SAMPLES))
def test_a_few_dark_or_black_images_are_no_reason_to_warn(count: int) -> None:
    assert run_codes(DIGITS, DIGITS[:count] / DARK) == []
    assert run_codes(DIGITS, np.zeros_like(DIGITS[:count])) == []
    assert run_codes(DIGITS[:count] / DARK, DIGITS) == []


def test_a_dark_image_among_others_is_no_reason_to_warn() -> None:
    assert run_codes(DIGITS, np.concatenate([DIGITS[:1] / DARK, DIGITS[1:MIN_SAMPLES]])) == []


def test_outliers_are_no_reason_to_warn() -> None:
    outlier = DIGITS.copy()
    outlier[3, 4, 5] = 2 * FACTOR
    assert run_codes(DIGITS, outlier) == []
    assert run_codes(outlier, DIGITS) == []


def test_a_network_without_statistics_and_data_that_are_not_finite_raise_no_doubt(network: Network) -> None:
    unknown = calibrated_on(network, None)
    assert run_warnings(unknown, of_input(255 * images())) == ()
    assert run_warnings(network, of_input(np.full((9, 2), np.nan))) == ()
    assert statistics_of(images()[:0]) is None


@given(st.integers(1, 9))
def test_statistics_are_those_of_all_values_in_any_batches(size: int) -> None:
    x = images(-0.3, 1.7, 20)
    tally = StatisticsTally()
    for start in range(0, 20, size):
        tally.add(x[start : start + size])
    found = tally.statistics()
    assert found is not None
    expected = (x.min(), x.max(), x.mean(dtype=np.float64), x.std(dtype=np.float64), (x < 0).mean())
    assert (found.low, found.high, found.mean, found.std, found.negative) == pytest.approx(expected)
    assert found.num_samples == 20


# ---- calibration data against the model


def scaling(*layers: Layer) -> Graph:
    """Return a graph that begins with some layers."""
    b = Build("scaling", (28, 28, 1))
    x = "input"
    for layer in layers:
        x = b.add(layer, x)
    return b.graph(b.classify(b.conv_relu(x, 3)))


def calibration_codes(graph: Graph, x: Array, scale: Fraction | None = None) -> list[str]:
    return [d.code for d in calibration_warnings(graph, graph.samples(x), of_input(x), scale)]


NORMALISED = Normalization(np.full((1, 1, 1), 33.3), np.full((1, 1, 1), 78.6**2))
FIRST = {
    "rescaling": (Rescaling(np.float64(1 / 255), np.float64(0)),),
    "to both signs": (Rescaling(np.float64(1 / 127.5), np.float64(-1)),),
    "transposed": (Permute((1, 0, 2)), Rescaling(np.float64(1 / 255), np.float64(0))),
    "padded": (ZeroPad(((1, 1), (0, 2))), Rescaling(np.float64(1 / 255), np.float64(0))),
    "normalisation": (NORMALISED,),
    "batch norm": (BatchNorm(None, None, np.array([33.3]), np.array([78.6**2]), 1e-3),),
}


@pytest.mark.parametrize("first", FIRST)
def test_scaled_data_for_a_model_that_scales_itself_are_kg450(first: str) -> None:
    graph = scaling(*FIRST[first])
    assert calibration_codes(graph, DIGITS) == ["KG450"]
    assert calibration_codes(graph, PIXELS.astype(np.float32)) == []
    assert calibration_codes(graph, DIGITS[: MIN_SAMPLES - 1]) == []


def test_raw_pixels_for_a_model_that_does_not_scale_them_are_kg451_unless_a_scale_was_given() -> None:
    pixels = PIXELS.astype(np.float32)
    assert calibration_codes(scaling(), pixels) == ["KG451"]
    assert calibration_codes(scaling(), pixels, Fraction(1)) == []
    assert calibration_codes(scaling(), DIGITS) == []
    assert calibration_codes(scaling(), pixels + np.float32(0.25)) == []
    assert calibration_codes(scaling(), 100 * pixels) == []


def test_a_scale_that_makes_pixels_for_a_model_that_does_not_scale_them_is_kg451() -> None:
    pixels = PIXELS.astype(np.float32)
    assert calibration_codes(scaling(), pixels, Fraction(255)) == ["KG451"]
    assert calibration_codes(scaling(*FIRST["rescaling"]), pixels, Fraction(255)) == []
    assert calibration_codes(scaling(), DIGITS, Fraction(2, 255)) == []


# ---- a scale against the data


def test_a_scale_that_enlarges_large_data_or_shrinks_small_ones_is_kg651() -> None:
    for x, scale in ((PIXELS, Fraction(255)), (DIGITS, Fraction(1, 255)), (PIXELS // 255, Fraction(1, 255))):
        (doubt,) = scale_warnings(x, scale, "data.npz")
        assert (doubt.code, doubt.severity, doubt.where) == ("KG651", "warning", "data.npz")
    for x, fitting in ((PIXELS, Fraction(1, 255)), (DIGITS, Fraction(255)), (PIXELS, Fraction(1)), (DIGITS, None)):
        assert scale_warnings(x, fitting, "data.npz") == ()
    assert scale_warnings(DIGITS[: MIN_SAMPLES - 1] / 255, Fraction(1, 255), "data.npz") == ()


def test_doubts_of_a_scale_go_with_the_samples() -> None:
    data = Data(DIGITS, None).prepared({"input": (28, 28, 1)}, Fraction(1, 255), "data.npz")
    assert [doubt.code for doubt in data.limited(3).warnings] == ["KG651"]
    with pytest.warns(kgenn.KgennWarning, match="KG651"):
        kgenn.samples(DIGITS, (28, 28, 1), "1/255")


# ---- the Python interface


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_integers_are_kg604_in_python_and_as_floats_they_are_taken(network: Network, kind: type) -> None:
    whole = np.rint(images()).astype(kind)
    compiled = kgenn.compile(network, "reference")
    for use in (compiled.evaluate, compiled.compare, lambda x: next(compiled.trace(x))):
        with pytest.raises(KgennError, match=r"KG604.*\n.*kgenn\.samples"):
            use(whole)
        use(whole.astype(np.float32))
    with pytest.raises(KgennError, match=r"KG604.*calibration data"):
        kgenn.convert(GRAPH, calibration=whole, timesteps=2)


def test_a_conversion_and_a_run_announce_what_they_keep() -> None:
    with pytest.warns(kgenn.KgennWarning, match="KG451"):
        network = kgenn.convert(GRAPH, calibration=np.rint(255 * images()), timesteps=8, check=False)
    assert [warning.code for warning in network.warnings] == ["KG451"]
    with pytest.warns(kgenn.KgennWarning, match="KG650") as caught:
        result = kgenn.compile(network, "reference").evaluate(images(count=MIN_SAMPLES))
    (doubt,) = result.warnings
    assert caught[0].filename == __file__
    assert caught[0].message.diagnostic == doubt  # type: ignore[union-attr]
    assert str(result).endswith(str(doubt))
    assert result.to_dict()["warnings"] == [doubt.to_dict()]


def test_data_of_one_scale_are_silent(network: Network) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kgenn.compile(network, "reference").evaluate(images()).warnings == ()
    assert [warning.code for warning in network.warnings if warning.code != "KG453"] == []
