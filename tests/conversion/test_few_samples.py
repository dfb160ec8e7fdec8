"""Few calibration samples: channel scales lean on the layer's, corrections are smaller, and the user is told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_samples import ENOUGH, FEW, prior_weight, sample_warnings, trusted
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.recipe import recipe_of
from kgenn.ir.graph import Array
from kgenn.ir.samples import Samples
from networks import ALLOW, build, samples
from recordings import on_reference


def test_doubt_falls_from_most_of_the_scale_to_none() -> None:
    own_warnings = [prior_weight(n) for n in range(1, 2 * ENOUGH)]
    assert 0.8 < own_warnings[0] < 1
    assert all(a >= b for a, b in pairwise(own_warnings))
    assert own_warnings[ENOUGH - 2] > 0
    assert own_warnings[ENOUGH - 1 :] == [0] * ENOUGH


@pytest.mark.parametrize("count", [1, 10, 100, ENOUGH])
@pytest.mark.parametrize("unit", [np.ones(3), np.array([0.01, 1.0, 30.0])])
def test_scales_move_towards_what_their_layer_says_of_them_and_never_beyond(count: int, unit: Array) -> None:
    relative = np.array([0.1, 0.5, 0.8])
    scale = relative * unit
    moved = trusted({"layer": scale, "whole": np.asarray(3.0)}, {"layer": unit}, count, clipped=False)
    assert (moved["layer"] >= scale).all()
    assert (moved["layer"] <= 0.8 * unit).all()
    assert moved["whole"] == 3.0
    assert np.array_equal(moved["layer"], scale) == (count >= ENOUGH)


@pytest.mark.parametrize("count", [1, 10, 100, ENOUGH])
def test_scales_that_clip_have_room_for_what_few_samples_did_not_show(count: int) -> None:
    scales = {"layer": np.array([0.1, 0.5, 2.0]), "whole": np.asarray(3.0)}
    room = 1 + prior_weight(count)
    units = {"layer": np.ones(3)}
    moved, plain = trusted(scales, units, count), trusted(scales, units, count, clipped=False)
    np.testing.assert_allclose(moved["layer"], room * plain["layer"])
    assert (moved["whole"], room > 1) == (3.0, count < ENOUGH)


@pytest.mark.parametrize("converter", [FewSpike(), Calibrated(channelwise=True), DataNorm(channelwise=True)])
@pytest.mark.parametrize("count", [4, FEW - 1, FEW])
def test_few_samples_for_single_channels_are_a_warning(converter: object, count: int) -> None:
    graph = build("dense")
    recipe = recipe_of(converter, None, ALLOW)  # type: ignore[arg-type]
    conversion = convert_graph(graph, recipe, samples(graph, count), 4, on_reference)
    codes = [warning.code for warning in conversion.settings.warnings]
    assert codes == (["KG452"] if count < FEW else [])


def test_no_statistic_of_a_channel_needs_no_warning() -> None:
    assert sample_warnings(Samples({"x": np.zeros((1, 2))}), channelwise=False, correction=False) == ()


@pytest.mark.parametrize("channelwise", [False, True])
def test_samples_that_are_all_equal_are_one_however_many_they_are(channelwise: bool) -> None:
    x = {"a": np.ones((300, 2)), "b": np.zeros((300, 3))}
    (found,) = sample_warnings(Samples(x), channelwise, correction=False)
    assert found.code == "KG452"
    assert "all 300 samples are equal" in found.what
    x["b"][299, 1] = 1
    assert sample_warnings(Samples(x), channelwise, correction=False) == ()
