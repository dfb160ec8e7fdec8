"""Straight pieces for a smooth function: where the knots lie, and how far off they are."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.output_activation import FORMULAS, POSITIVE, elementwise
from kgenn.passes import LoweringOptions
from kgenn.passes.pieces import fitted
from kgenn.passes.values import NodeValues

SMOOTH = sorted(
    name for name, f in FORMULAS.items() if f.bends is None and name not in POSITIVE and name != "exponential"
)
WAVES = ("cos", "sin")  # bend at every place, so that pieces must be as dense as their periods
NORMAL = np.random.default_rng(2).normal(0, 2, 20_000)


def values(x: Array) -> NodeValues:
    return NodeValues(np.array([x.min()]), np.array([x.max()]), x[:, None])


@pytest.mark.parametrize("name", [name for name in SMOOTH if name not in WAVES])
def test_the_error_falls_with_the_square_of_their_number(name: str) -> None:
    def error(count: int) -> float:
        pieces = fitted(lambda x: elementwise(name, x), values(NORMAL), count)
        return float(np.sqrt(np.mean((pieces(NORMAL[:, None])[:, 0] - elementwise(name, NORMAL)) ** 2)))

    few, many = error(8), error(32)
    assert many < few / 8
    # a square bends everywhere, a hard SiLU bends at once
    bound = 0.05 if name in ("square", "hard_silu") else 0.03
    assert few < bound * np.std(elementwise(name, NORMAL))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("x", [NORMAL, np.full(50, 0.3), np.linspace(-1e-3, 1e-3, 99), 50 * NORMAL], ids=str)
def test_knots_ascend_and_cover_what_was_seen(name: str, x: Array) -> None:
    wild = name in WAVES and np.ptp(x) > 2 * np.pi
    pieces = fitted(lambda v: elementwise(name, v), values(x), 8)
    assert pieces.starts.shape == pieces.steps.shape == (1, 8 + 2)
    knots = np.unique([pieces.starts, pieces.stops])
    assert len(knots) == 8 + 3
    assert knots[1] <= x.min()
    assert knots[-2] >= x.max()
    assert np.isfinite(pieces.steps).all()
    off = pieces(x[:, None])[:, 0] - elementwise(name, x)
    assert wild or np.sqrt(np.mean(off**2)) < 0.05 * np.abs(elementwise(name, x)).max() + 1e-3


@pytest.mark.parametrize("name", WAVES)
def test_a_wave_takes_some_pieces_for_each_period(name: str) -> None:
    def error(periods: float, count: int) -> float:
        x = np.linspace(-periods * np.pi, periods * np.pi, 4001)
        pieces = fitted(lambda v: elementwise(name, v), values(x), count)
        return float(np.sqrt(np.mean((pieces(x[:, None])[:, 0] - elementwise(name, x)) ** 2)))

    assert error(1, 8) < 0.05
    assert error(1, 32) < error(1, 8) / 8
    assert error(4, 32) < 0.05


@pytest.mark.parametrize("name", [name for name in SMOOTH if name not in WAVES])
def test_a_function_goes_straight_on_beyond_what_was_seen(name: str) -> None:
    x = NORMAL[np.abs(NORMAL) < 4]
    pieces = fitted(lambda v: elementwise(name, v), values(x), 8)
    lowest, highest = sorted(np.unique([pieces.starts, pieces.stops]))[1:-1:8]
    for end, at in ((lowest, lowest - 3), (highest, highest + 3)):
        there, further = elementwise(name, np.array([end, at]))
        off = abs(pieces(np.array([[at]]))[0, 0] - further)
        assert off < 0.5 * abs(further - there) + 0.1 * np.ptp(elementwise(name, x))


@pytest.mark.parametrize("name", sorted(POSITIVE))
def test_a_function_of_values_above_zero_goes_on_above_them_alone(name: str) -> None:
    x = np.exp(np.random.default_rng(3).normal(0, 1, 20_000))
    pieces = fitted(lambda v: elementwise(name, v), values(x), 8, positive=True)
    assert pieces.starts.shape == (1, 8 + 1)
    highest = pieces.starts.max()
    at = np.array([[x.min() / 2], [0.0], [-x.max()], [2 * highest]])
    below, zero, negative, above = pieces(at)[:, 0]
    assert below == zero == negative
    there, further = elementwise(name, np.array([highest, 2 * highest]))
    assert abs(above - further) < 0.7 * abs(further - there)


def test_pieces_are_empty_at_the_median() -> None:
    x = np.random.default_rng(4).normal(-3, 1, 20_000)
    pieces = fitted(np.tanh, values(x), 16)
    full = [
        np.clip((x - a) / (b - a), 0, 1).mean() for a, b in zip(pieces.starts[0], pieces.stops[0], strict=True)
    ]
    assert np.sum(full) < 3
    assert pieces.base == pytest.approx(np.tanh(-3), abs=0.02)


def test_knots_gather_where_inputs_are_and_the_function_bends() -> None:
    pieces = fitted(np.tanh, values(np.random.default_rng(0).normal(0, 3, 20_000)), 16)
    assert (np.abs(pieces.starts) < 3).sum() >= 10


@pytest.mark.parametrize(
    ("levels", "pieces"), [(1, 8), (63, 8), (64, 8), (127, 12), (255, 16), (1023, 32), (4095, 32)]
)
def test_a_finer_code_has_more_pieces(levels: int, pieces: int) -> None:
    assert LoweringOptions().pieces_for(levels) == pieces
    assert LoweringOptions(pieces=5).pieces_for(levels) == 5


@pytest.mark.parametrize("name", ["silu", "gelu", "softplus", "sigmoid", "tanh"])
@pytest.mark.parametrize("bits", [6, 8, 10])
def test_pieces_are_about_as_fine_as_the_levels_of_the_code(name: str, bits: int) -> None:
    levels = 2**bits - 1
    pieces = fitted(lambda v: elementwise(name, v), values(NORMAL), LoweringOptions().pieces_for(levels))
    y = elementwise(name, NORMAL)
    off = np.sqrt(np.mean((pieces(NORMAL[:, None])[:, 0] - y) ** 2))
    assert off < 1.5 * np.ptp(y) / levels


@pytest.mark.parametrize("pieces", [0, -1, 1000])
def test_an_odd_number_of_pieces_is_kg401(pieces: int) -> None:
    with pytest.raises(KgennError, match=r"KG401.*pieces"):
        LoweringOptions(pieces=pieces)
