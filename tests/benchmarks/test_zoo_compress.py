"""Networks made small: what is rounded, and that Keras and kgenn read what is left."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from benchmarks.zoo.compress import main, rounded
from benchmarks.zoo.files import save_model
from benchmarks.zoo.table import variant

FLOATS = st.floats(
    width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False, min_value=-(2.0**99), max_value=2.0**99
)


@given(st.lists(FLOATS, min_size=1, max_size=20), st.integers(2, 23))
def test_rounding_keeps_so_many_bits_and_errs_by_half_a_unit(values: list[float], bits: int) -> None:
    x = np.array(values, np.float32)
    found = rounded(x, bits).astype(np.float64)
    exact = x.astype(np.float64)
    assert np.all(np.abs(found - exact) <= 2.0**-bits * np.abs(exact))
    fraction, _ = np.frexp(found)
    assert np.array_equal(fraction * 2.0**bits, np.rint(fraction * 2.0**bits))


@pytest.mark.slow
def test_a_small_network_is_read_as_keras_reads_it(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = variant("fast-vgg-bn").build(0.5, 0.0)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (8, 32, 32, 3), np.uint8), rng.integers(0, 10, 8).astype(np.uint8)
    data = tmp_path / "data.npz"
    np.savez(data, x_train=images, y_train=labels, x_test=images, y_test=labels)
    save_model(model, tmp_path / "net.h5")
    (tmp_path / "net.json").write_text(json.dumps({"seed": 1, "test_accuracy": 0.5}), encoding="utf-8")
    small = tmp_path / "small.h5"
    arguments = [str(tmp_path / "net.h5"), "--data", str(data), "-o", str(small)]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    assert small.stat().st_size < 0.7 * (tmp_path / "net.h5").stat().st_size
    x = images[:4].astype(np.float32) / 255
    read = keras.models.load_model(small, compile=False)
    assert np.allclose(kgenn.load(small).predict(x), read.predict(x, verbose=0), atol=1e-5)
    assert np.allclose(read.predict(x, verbose=0), model.predict(x, verbose=0), atol=0.05)
    assert not np.array_equal(read.get_weights()[0], model.get_weights()[0])
    facts = json.loads(small.with_suffix(".json").read_text(encoding="utf-8"))
    assert facts["significant_bits"] == 8
    assert facts["seed"] == 1
    assert facts["test_accuracy"] in [n / 8 for n in range(9)]


@pytest.mark.parametrize("bits", ["1", "24"])
def test_bits_that_a_float32_has_not_are_refused(bits: str, tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"")
    arguments = [str(tmp_path / "net.h5"), "--data", str(tmp_path / "net.h5"), "-o", "x.h5", "--bits", bits]
    assert CliRunner().invoke(main, arguments).exit_code == 2
