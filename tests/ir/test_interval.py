"""Bounds of expressions of the neuron language against values at random points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.ir.interval import Interval, bounds
from kgenn.ir.neuron_code import NeuronModel, evaluate, expression_of

pytestmark = pytest.mark.quick

NAMES = ("a", "b", "c")
LEAVES = st.sampled_from(NAMES) | st.integers(-3, 3).map(lambda n: f"({n})")


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        two.map(lambda t: f"min({t[0]}, {t[1]})"),
        two.map(lambda t: f"max({t[0]}, {t[1]})"),
        st.tuples(st.sampled_from(("abs", "floor", "sign")), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} > {t[2]} else {t[3]})"),
        inner.map(lambda e: f"(-{e})"),
    )


@given(
    st.recursive(LEAVES, grown, max_leaves=8),
    st.lists(st.tuples(st.integers(-8, 8), st.integers(0, 8)), min_size=3, max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_no_value_lies_outside_of_the_bounds(code: str, ends: list[tuple[int, int]], seed: int) -> None:
    names = {n: Interval(low, low + width) for n, (low, width) in zip(NAMES, ends, strict=True)}
    rng = np.random.default_rng(seed)
    points = {n: rng.uniform(i.low, i.high, 50) for n, i in names.items()}
    node = expression_of(code)
    with np.errstate(all="ignore"):
        values = np.broadcast_to(evaluate(node, points, lambda: np.zeros(50), np.float64), 50)
    values = values[np.isfinite(values)]
    found = bounds(node, names)
    assert np.all(values >= found.low - 1e-9 * (1 + abs(values)))
    assert np.all(values <= found.high + 1e-9 * (1 + abs(values)))


@pytest.mark.parametrize(
    ("emit", "threshold", "expected"),
    [
        ("1", "v >= v_thresh", (1, 1)),
        ("sign(i_ext)", "abs(i_ext) > 0.5", (-1, 1)),
        ("min(gamma, floor(v / v_thresh))", "v >= v_thresh", (1, 5)),
        ("floor(v / v_thresh)", "v >= v_thresh", (1, np.inf)),
        ("min(gamma, v)", "v + v >= v_thresh", (-np.inf, 5)),
    ],
)
def test_a_threshold_bounds_what_is_compared_with_it(
    emit: str, threshold: str, expected: tuple[float, float]
) -> None:
    from kgenn.ir.interval import of_emission

    model = NeuronModel(
        "m", {"v_thresh": 2.0, "gamma": 1.0}, {"v": 0.0}, "v += i_syn + i_ext", threshold, "v = 0", emit
    )
    found = of_emission(model, {"gamma": 5.0})
    assert (found.low, found.high) == expected
