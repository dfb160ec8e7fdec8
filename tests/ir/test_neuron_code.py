"""The neuron language: what it takes, how it is rendered, and that C and NumPy compute the same bits."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgenn.backends.cpp_program import CPP
from kgenn.backends.neuron_models import model_context
from kgenn.backends.render import render as render_template
from kgenn.conversion.neurons import (
    ACCUMULATE,
    ACCUMULATE_LATE,
    BURST,
    FEW_SPIKE,
    INTEGRATE_FIRE,
    INTEGRATE_FIRE_TO_ZERO,
    TIME_TO_FIRST_SPIKE,
)
from kgenn.encoders.integrate_fire import IF_ENCODER
from kgenn.encoders.poisson import POISSON, POISSON_SIGNED
from kgenn.encoders.spike import SPIKE
from kgenn.encoders.stage import FEW_SPIKE_SIGNED_INPUT, TTFS_INPUT
from kgenn.ir.graph import Array
from kgenn.ir.neuron_code import NeuronModel, evaluate, expression_of, render, render_statements, statements


@pytest.mark.parametrize(
    "code",
    [
        "v = w",
        "v = v ** 2",
        "v = v // 2",
        "v = v % 2",
        "v = v @ v",
        "v **= 2",
        "v = ~v",
        "v = +v",
        "v = 0 < v < 1",
        "v = v in (1, 2)",
        "v = v is v",
        "v = sqrt(v)",
        "v = abs(v, v)",
        "v = min(v)",
        "v = min(v, v, v)",
        "v = random24(1)",
        "v = random24",
        "v = abs",
        "v = True",
        "v = None",
        "v = 'text'",
        "v = 1j",
        "v = 1e39",
        "v = v.real",
        "v = v[0]",
        "v = (v, v)",
        "v = lambda: 1",
        "v = [v for v in v]",
        "v: float = 1",
        "v = v = 1",
        "v, v = 1",
        "v",
        "if v: v = 1",
        "while v: v = 1",
        "import os",
        "def f(): pass",
        "del v",
        "v = (x := 1)",
        "v = f'{v}'",
        "v = min(v, *v)",
        "v = min(v, x=v)",
        "v = __import__('os')",
    ],
)
def test_what_is_not_in_the_language_is_refused(code: str) -> None:
    with pytest.raises(ValueError):
        NeuronModel("odd", state={"v": 0.0}, update=code)


@pytest.mark.parametrize("field", ["threshold", "emit", "reset", "integrate"])
def test_unknown_names_are_refused_wherever_they_stand(field: str) -> None:
    code = "v = unknown" if field in ("reset", "integrate") else "unknown"
    with pytest.raises(ValueError, match="unknown"):
        NeuronModel("odd", state={"v": 0.0}, **{field: code})  # type: ignore[arg-type]


def test_parameters_cannot_be_assigned() -> None:
    with pytest.raises(ValueError, match="is a parameter"):
        NeuronModel("odd", params={"v_thresh": 1.0}, update="v_thresh = 2")


@pytest.mark.parametrize("field", ["integrate", "reset"])
def test_only_an_update_has_names_of_its_own(field: str) -> None:
    NeuronModel("fine", state={"v": 0.0}, update="w = i_syn + 1\nv = w * w", threshold="w > v", emit="w")
    with pytest.raises(ValueError, match="assigns w, which is not a state variable"):
        NeuronModel("odd", state={"v": 0.0}, **{field: "w = 1"})  # type: ignore[arg-type]


def test_a_name_of_its_own_is_known_only_after_it_is_assigned() -> None:
    with pytest.raises(ValueError, match="unknown name w"):
        NeuronModel("odd", state={"v": 0.0}, update="v = w\nw = 1")


@pytest.mark.parametrize(
    ("code", "rendered"),
    [
        ("v + 1", "(v + 1.0f)"),
        ("v - (u - 2) * 0.5", "(v - ((u - 2.0f) * 0.5f))"),
        ("-v / 3", "((-v) / 3.0f)"),
        ("v >= 1 and not u < 2", "((v >= 1.0f) && (!(u < 2.0f)))"),
        ("u if v == 0 else v", "((v == 0.0f) ? u : v)"),
        ("min(v, max(u, 0))", "smaller(v, larger(u, 0.0f))"),
        ("abs(v) != floor(u)", "(std::fabs(v) != std::floor(u))"),
        ("sign(v)", "sign(v)"),
        ("random24() < u", "(random24(keys[i], key_of_time) < u)"),
        ("0.1", "0.1f"),
        ("1e-5", "1e-05f"),
        ("16777216", "1.6777216e+07f"),
        # halfway between two float32; the shortest decimal of the double lies above
        ("1.00000005960464477539", "1.0f"),
    ],
)
def test_expressions_render_to_c(code: str, rendered: str) -> None:
    assert render(expression_of(code), CPP) == rendered


def test_an_integrate_and_fire_neuron_renders_to_three_lines() -> None:
    context = model_context(INTEGRATE_FIRE, CPP)
    assert context.update == ("v = (v + i_syn);",)
    assert context.threshold == "(v >= v_thresh)"
    assert context.conditional_reset == (("v", "(v - v_thresh)"),)


@pytest.mark.parametrize(
    "model",
    [
        BURST,
        FEW_SPIKE,
        FEW_SPIKE_SIGNED_INPUT,
        INTEGRATE_FIRE,
        INTEGRATE_FIRE_TO_ZERO,
        ACCUMULATE,
        ACCUMULATE_LATE,
        IF_ENCODER,
        POISSON,
        POISSON_SIGNED,
        SPIKE,
        TIME_TO_FIRST_SPIKE,
        TTFS_INPUT,
    ],
    ids=lambda model: model.name,
)
def test_flags_of_a_model_tell_what_its_code_reads(model: NeuronModel) -> None:
    context = model_context(model, CPP)
    text = " ".join((model.update, model.threshold, model.reset, model.emit))
    assert context.uses_random == ("random24" in text)
    assert context.uses_external == ("i_ext" in text)
    assert context.uses_current == ("i_syn" in text)
    assert context.uses_timestep == (re.search(r"\bt\b", text) is not None)


def test_augmented_assignment_is_the_assignment_written_out() -> None:
    for op in "+-*/":
        (short,), (long,) = statements(f"v {op}= u"), statements(f"v = v {op} u")
        assert short[0] == long[0]
        assert render(short[1], CPP) == render(long[1], CPP)


DOUBLING = NeuronModel(
    name="doubling",
    state={"v": 0.0},
    integrate="v = v + v + i_syn",
    update="v = v + v",
    threshold="v >= 1",
    precision="double",
)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_arithmetic_has_the_precision_of_the_model(precision: str) -> None:
    # the largest number of 24 bits doubled 30 times, and one in each step: 54 bits would be one too many
    model = replace(DOUBLING, precision=precision)  # type: ignore[arg-type]
    real, bits = {"single": (np.float32, 24), "double": (np.float64, 53)}[precision]
    assert model_context(model, CPP).real == {"single": "float", "double": "double"}[precision]
    ((_, expression),) = statements(model.integrate)
    v, exact = np.zeros(1, real), 0
    for step in range(bits + 1):
        v = evaluate(expression, {"v": v, "i_syn": real(1)}, lambda: np.zeros(1), real)
        exact = 2 * exact + 1
        assert v.dtype == real
        assert (int(v[0]) == exact) == (step < bits)


def test_constants_are_float32_in_double_precision_too() -> None:
    value = evaluate(expression_of("0.1 + v"), {"v": np.zeros(1)}, lambda: np.zeros(1), np.float64)
    assert value.dtype == np.float64
    assert value[0] == float(np.float32(0.1)) != 0.1
    assert render(expression_of("0.1 + v"), CPP) == "(0.1f + v)"


def test_what_is_run_while_listening_is_rendered_apart() -> None:
    context = model_context(DOUBLING, CPP)
    assert render_statements(DOUBLING.integrate, CPP) == ("v = ((v + v) + i_syn);",)
    assert context.update == ("v = (v + v);",)
    # a step of the neuron's own reads no current
    assert not context.uses_current


NUMBERS = st.floats(-1e3, 1e3, width=32).map(lambda x: float(np.float32(x)))
NAMES = ("a", "b", "c")


def arithmetic(truth: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        # no division by zero: its sign is not part of the language
        st.builds("({} / {})".format, inner, st.sampled_from(["3", "0.7", "-16", "1e3"])),
        st.builds("(-{})".format, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "floor", "sign"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("({} if {} else {})".format, inner, truth, inner),
    )


def truths(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    compared = st.builds("({} {} {})".format, inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner)
    return st.one_of(
        compared,
        st.builds("({} {} {})".format, compared, st.sampled_from(["and", "or"]), compared),
        st.builds("(not {})".format, compared),
    )


LEAVES = st.one_of(st.sampled_from([*NAMES, "random24()"]), NUMBERS.filter(lambda x: x >= 0).map(repr))
EXPRESSIONS = st.recursive(LEAVES, lambda inner: arithmetic(truths(inner), inner), max_leaves=12)

PROGRAM = """
#include "neurons.hpp"
#include <cstdint>
#include <cstdio>
using kgenn::larger, kgenn::sign, kgenn::smaller;
static float random24(float key, float) {{ return key; }}
int main() {{
    const float key_of_time = 0.0f;
    float row[4];
    for (int line = 0; std::fread(row, sizeof(float), 4, stdin) == 4; ++line) {{
        const float a = row[0], b = row[1], c = row[2], keys[1] = {{row[3]}};
        const int i = 0;
        (void)a; (void)b; (void)c; (void)keys; (void)i; (void)key_of_time; (void)random24;
        float value;
{bodies}
    }}
}}
"""
BODY = "        value = {expression}; std::fwrite(&value, sizeof value, 1, stdout);"


def compiled_values(codes: list[str], table: Array, scratch: Path) -> Array:
    """Return what the rendered expressions give in C for each row of a, b, c, random24."""
    bodies = "\n".join(BODY.format(expression=render(expression_of(code), CPP)) for code in codes)
    source, program = scratch / "expressions.cpp", scratch / "expressions"
    source.write_text(PROGRAM.format(bodies=bodies))
    (scratch / "neurons.hpp").write_bytes(render_template("cpp/neurons.hpp.j2", {"function": "inline"}))
    command = ["g++", "-std=c++17", "-O2", "-march=native", "-ffp-contract=off", "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    done = subprocess.run([program], input=table.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(len(table), len(codes))


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_c_and_numpy_compute_the_same_bits(tmp_path: Path) -> None:
    codes: list[str] = []

    @settings(max_examples=150)
    @given(EXPRESSIONS)
    def collect(code: str) -> None:
        codes.append(code)

    collect()
    rng = np.random.default_rng(5)
    table = rng.uniform(-100, 100, (50, 4)).astype(np.float32)
    table[:, 3] = rng.integers(0, 1 << 24, 50)
    table[::7, :2] = 0.0
    found = compiled_values(codes, table, tmp_path)
    names = dict(zip(NAMES, table.T, strict=False))
    for code, column in zip(codes, found.T, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            value = evaluate(expression_of(code), names, lambda: table[:, 3].astype(np.uint32))
        expected = np.broadcast_to(np.asarray(value, np.float32), column.shape)
        assert np.array_equal(expected, column, equal_nan=True), code
