"""Convolutions are computed in parts of bounded memory, which changes nothing."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from kgenn.ir import windows
from kgenn.ir.graph import Shape
from kgenn.ir.windows import Pads, convolved

CASES: dict[str, tuple[Shape, Shape, Shape, Shape, Pads, Shape | None]] = {
    "plain": ((9, 8, 3), (3, 3, 3, 5), (1, 1), (1, 1), ((0, 0), (0, 0)), None),
    "strides and padding": ((9, 8, 3), (3, 2, 3, 4), (2, 1), (1, 1), ((1, 1), (0, 1)), None),
    "dilation in groups": ((9, 8, 4), (2, 3, 2, 6), (1, 2), (3, 2), ((2, 0), (1, 1)), None),
    "depthwise, fewer windows": ((9, 8, 4), (3, 3, 1, 4), (1, 1), (1, 1), ((1, 1), (1, 1)), (7, 5)),
    "one axis": ((20, 4), (5, 4, 3), (2,), (1,), ((2, 2),), None),
}


def case_of(name: str) -> tuple[np.ndarray, np.ndarray, Shape, Shape, Pads, Shape | None]:
    shape, kernel, *others = CASES[name]
    rng = np.random.default_rng(5)
    x, w = (rng.integers(-9, 10, s).astype(np.float64) for s in ((7, *shape), kernel))
    return x, w, *others  # type: ignore[return-value]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("patch_bytes", [1, 300, 2000, 9000])
def test_parts_of_any_size_give_the_same(name: str, patch_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, strides, dilation, pads, counts = case_of(name)
    whole = convolved(x, w, strides, dilation, pads, counts)
    monkeypatch.setattr(windows, "PATCH_BYTES", patch_bytes)
    np.testing.assert_array_equal(convolved(x, w, strides, dilation, pads, counts), whole)


def test_a_convolution_is_the_sum_over_its_windows() -> None:
    x, w, strides, dilation, pads, _ = case_of("dilation in groups")
    y = convolved(x, w, strides, dilation, pads)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    for row, column, out in np.ndindex(*y.shape[1:]):
        patch = padded[:, row : row + 4 : 3, 2 * column : 2 * column + 5 : 2, 2 * (out // 3) : 2 * (out // 3) + 2]
        np.testing.assert_array_equal(y[:, row, column, out], (patch * w[..., out]).sum(axis=(1, 2, 3)))


@pytest.mark.parametrize("shape", [(16, 64, 64, 16), (1, 1024, 64, 16)], ids=["many images", "a large image"])
def test_memory_is_that_of_the_result_and_a_few_patches(shape: Shape) -> None:
    x, w = np.ones(shape, np.float32), np.ones((7, 7, 16, 4), np.float32)  # all patches take 205 MB
    tracemalloc.start()
    try:
        y = convolved(x, w, (1, 1), (1, 1), ((3, 3), (3, 3)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < y.nbytes + 2 * x.nbytes + 3 * windows.PATCH_BYTES
