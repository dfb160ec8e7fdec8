"""Families are measured on networks that say something of their images, and rows are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
L = keras.layers


def small(path: Path) -> Path:
    x = i = L.Input((16, 16, 3))
    for filters in (8, 16):
        x = L.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = L.BatchNormalization()(x)
        x = L.Activation("relu6")(x)
        x = L.MaxPooling2D()(x)
    out = L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))
    keras.Model(i, out).save(path)
    return path


def test_a_settled_network_tells_images_apart(tmp_path: Path) -> None:
    from benchmarks.families.architectures import SPREAD, drawn_inputs, logits, settled_file

    path, model = settled_file(str(small(tmp_path / "small.keras")), tmp_path)
    (scores,) = logits(model, drawn_inputs(model, 64, 1))
    assert SPREAD / 2 < scores.std(axis=0).mean() < SPREAD * 2
    assert np.abs(scores.mean(axis=0)).max() < SPREAD
    (x,) = drawn_inputs(model, 4, 2)
    np.testing.assert_allclose(keras.models.load_model(path, compile=False)(x), model(x), atol=1e-6)


@pytest.mark.slow
def test_a_row_says_what_was_read_and_what_came_out(tmp_path: Path) -> None:
    from benchmarks.families.measure import measured
    from benchmarks.families.table import HEAD, family_rows

    row = measured(str(small(tmp_path / "small.keras")), [("few-spike", 8), ("few-spike", 3)], 64, 32)
    assert row["read"] < 1e-9
    assert row["activations"] == 16 * 16 * 8 + 8 * 8 * 8 + 8 * 8 * 16 + 4 * 4 * 16 + 5
    fine, coarse = row["methods"]["few-spike 8"], row["methods"]["few-spike 3"]
    assert fine["correlation"] > coarse["correlation"] > 0.9
    assert fine["correlation"] > 0.999
    (cells,) = family_rows({"small": json.loads(json.dumps(row))})
    assert len(cells) == len(HEAD)
    assert cells[:2] == ("small", "16 × 16 × 3")


def test_more_bits_round_less(tmp_path: Path) -> None:
    from benchmarks.families.architectures import drawn_inputs, logits, settled_file
    from benchmarks.families.measure import read, rows
    from benchmarks.families.rounding import rounded_correlation

    path, model = settled_file(str(small(tmp_path / "small.keras")), tmp_path)
    x = drawn_inputs(model, 48, 5)
    own = logits(model, rows(x, slice(32, None)))
    graph, _ = read(path, None)
    assert graph is not None
    coarse, fine, finest = (rounded_correlation(graph, x, own, 32, bits) for bits in (2, 4, 8))
    assert 0.3 < coarse < fine < finest
    assert 1 - finest < 1e-3


def test_what_does_not_convert_is_a_row_with_the_reason(tmp_path: Path) -> None:
    from benchmarks.families.measure import measured
    from benchmarks.families.table import family_rows

    path = tmp_path / "recurrent.keras"
    keras.Sequential([L.Input((8, 4)), L.SimpleRNN(3), L.Dense(2)]).save(path)
    row = measured(str(path), [("few-spike", 8)], 8, 8)
    ((_, _, _, verdict, reason, *_),) = family_rows({"recurrent": row})
    assert verdict == "refused"
    assert "simple_rnn" in reason.lower() or "SimpleRNN" in reason


def test_rows_of_earlier_runs_are_kept(tmp_path: Path) -> None:
    from benchmarks.families.__main__ import keep
    from benchmarks.families.table import stored

    place = tmp_path / "results.json"
    keep(place, "a", {"read": 1.0, "methods": {"x 1": 1}})
    keep(place, "b", {"read": 2.0})
    keep(place, "a", {"read": 3.0, "methods": {"y 2": 2}})
    assert stored(place) == {"a": {"read": 3.0, "methods": {"x 1": 1, "y 2": 2}}, "b": {"read": 2.0}}


def test_pixels_are_told_from_the_models_own_scaling() -> None:
    from benchmarks.families.architectures import drawn_inputs

    plain = keras.Sequential([L.Input((4,)), L.Dense(2)])
    scaled = keras.Sequential([L.Input((4,)), L.Rescaling(1 / 255), L.Dense(2)])
    centred = keras.Sequential([L.Input((4,)), L.Rescaling(1 / 127.5, -1), L.Dense(2)])
    assert drawn_inputs(plain, 20, 0)[0].max() <= 1
    for model in (scaled, centred):
        assert 128 < drawn_inputs(model, 20, 0)[0].max() <= 255


def test_inputs_that_a_model_normalises_are_drawn_as_it_expects_them() -> None:
    from benchmarks.families.architectures import drawn_inputs

    normalise = L.Normalization(mean=[20.0, -3.0], variance=[49.0, 0.25])
    (x,) = drawn_inputs(keras.Sequential([L.Input((2,)), normalise, L.Dense(2)]), 2000, 0)
    np.testing.assert_allclose(x.mean(axis=0), [20, -3], atol=0.5)
    np.testing.assert_allclose(x.std(axis=0), [7, 0.5], rtol=0.05)


def test_families_stand_before_other_networks() -> None:
    from benchmarks.families.table import families_first

    found = families_first({"b": 1, "Two": 2, "a": 3, "One": 4}, ("One", "Two", "Three"))
    assert [list(rows) for rows in found] == [["One", "Two"], ["a", "b"]]


def test_every_family_is_one_of_keras() -> None:
    from benchmarks.families.architectures import FAMILIES

    for class_name, _, _ in FAMILIES.values():
        assert callable(getattr(keras.applications, class_name))
