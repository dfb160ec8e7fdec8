"""Output activations: what the host computes of a network's outputs, written once and rendered to each target.

A readout gives the value that the model's last weights give. The model's final activation is no neuron's work: it
runs on the host, after the network, in float64. An element-wise one is an expression in `x` and its parameters, of
`+ - * /`, one comparison, `a if c else b` and the functions of a `Spelling`; a softmax, its logarithm and a
sparsemax run along an axis.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from kgenn.ir.graph import Array, Shape

SOFTMAX = "softmax"
LOG_SOFTMAX = "log_softmax"
SPARSEMAX = "sparsemax"
# A cap that no float32 exceeds.
NO_CAP = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Formula:
    """An element-wise function.

    Attributes:
        code: an expression in `x` and the parameters.
        params: with their default values.
        increasing: a larger x gives a larger value, where every parameter is above 0.
        bends: of a piecewise linear function, expressions for where its straight parts meet, ascending; None for
            one that is curved.
        jumps: the function is not continuous at its bends.
    """

    code: str
    params: Mapping[str, float] = field(default_factory=dict)
    increasing: bool = True
    bends: tuple[str, ...] | None = None
    jumps: bool = False


_HARD_SIGMOID = "min(max(slope * x + offset, 0), 1)"
_HARD = {"slope": 1 / 6, "offset": 0.5}

FORMULAS: dict[str, Formula] = {
    "abs": Formula("abs(x)", increasing=False, bends=("0",)),
    "arctan": Formula("atan(x)"),
    "celu": Formula("max(x, 0) + alpha * expm1(min(x, 0) / alpha)", {"alpha": 1.0}),
    "clip": Formula("min(max(x, low), high)", {"low": -1.0, "high": 1.0}, increasing=False, bends=("low", "high")),
    "cos": Formula("cos(x)", increasing=False),
    "elu": Formula("x if x > 0 else alpha * expm1(min(x, 0))", {"alpha": 1.0}),
    "erf": Formula("erf(x)"),
    "exponential": Formula("exp(x)"),
    "exponential_share": Formula("exp(min(x, 0))", increasing=False),
    "gelu": Formula("0.5 * x * (1 + erf(x / 1.4142135623730951))", increasing=False),
    "gelu_tanh": Formula(
        "0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))", increasing=False
    ),
    "hard_shrink": Formula(
        "x if abs(x) > threshold else 0",
        {"threshold": 0.5},
        increasing=False,
        bends=("-threshold", "threshold"),
        jumps=True,
    ),
    "hard_sigmoid": Formula(
        _HARD_SIGMOID, _HARD, increasing=False, bends=("-offset / slope", "(1 - offset) / slope")
    ),
    "hard_silu": Formula(f"x * {_HARD_SIGMOID}", _HARD, increasing=False),
    "hard_tanh": Formula("min(max(x, -1), 1)", increasing=False, bends=("-1", "1")),
    "log": Formula("log(x)"),
    "log_sigmoid": Formula("min(x, 0) - log1p(exp(-abs(x)))"),
    "mish": Formula("x * tanh(max(x, 0) + log1p(exp(-abs(x))))", increasing=False),
    "reciprocal": Formula("1 / x", increasing=False),
    "relu": Formula(
        "min(x if x > threshold else negative_slope * (x - threshold), max_value)",
        {"max_value": NO_CAP, "negative_slope": 0.0, "threshold": 0.0},
        increasing=False,
        bends=("threshold", "max_value"),
        jumps=True,
    ),
    "rsqrt": Formula("1 / sqrt(x)", increasing=False),
    "selu": Formula("1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * expm1(min(x, 0)))"),
    "sigmoid": Formula("1 / (1 + exp(-x))"),
    "silu": Formula("x / (1 + exp(-x))", increasing=False),
    "sin": Formula("sin(x)", increasing=False),
    "soft_shrink": Formula(
        "x - min(max(x, -threshold), threshold)",
        {"threshold": 0.5},
        increasing=False,
        bends=("-threshold", "threshold"),
    ),
    "softplus": Formula("max(x, 0) + log1p(exp(-abs(x)))"),
    "softsign": Formula("x / (1 + abs(x))"),
    "sparse_plus": Formula(
        "0.25 * (min(max(x, -1), 1) + 1) * (min(max(x, -1), 1) + 1) + max(x - 1, 0)", increasing=False
    ),
    "sparse_sigmoid": Formula("min(max(0.5 * x + 0.5, 0), 1)", increasing=False, bends=("-1", "1")),
    "sqrt": Formula("sqrt(x)"),
    "square": Formula("x * x", increasing=False),
    "squareplus": Formula("0.5 * (x + sqrt(x * x + b)) if x > 0 else 0.5 * b / (sqrt(x * x + b) - x)", {"b": 4.0}),
    "tanh": Formula("tanh(x)"),
    "tanh_shrink": Formula("x - tanh(x)"),
    "threshold": Formula(
        "x if x > threshold else value",
        {"threshold": 0.0, "value": 0.0},
        increasing=False,
        bends=("threshold",),
        jumps=True,
    ),
}


# Functions of values above zero alone.
POSITIVE = frozenset({"log", "reciprocal", "rsqrt", "sqrt"})


@dataclass(frozen=True)
class Spelling:
    """How a language writes what formulas hold.

    Attributes:
        functions: each function, with {0}, {1} for its arguments.
        choice: `a if c else b`, with {0} for a, {1} for c and {2} for b.
    """

    functions: Mapping[str, str]
    choice: str


PYTHON = Spelling(
    {
        "abs": "np.abs({0})",
        "atan": "np.arctan({0})",
        "cos": "np.cos({0})",
        "erf": "np.vectorize(math.erf, otypes=[float])({0})",
        "exp": "np.exp({0})",
        "expm1": "np.expm1({0})",
        "log": "np.log({0})",
        "log1p": "np.log1p({0})",
        "max": "np.maximum({0}, {1})",
        "min": "np.minimum({0}, {1})",
        "sin": "np.sin({0})",
        "sqrt": "np.sqrt({0})",
        "tanh": "np.tanh({0})",
    },
    "np.where({1}, {0}, {2})",
)
CPP = Spelling(
    {
        "abs": "std::fabs({0})",
        "atan": "std::atan({0})",
        "cos": "std::cos({0})",
        "erf": "std::erf({0})",
        "exp": "std::exp({0})",
        "expm1": "std::expm1({0})",
        "log": "std::log({0})",
        "log1p": "std::log1p({0})",
        "max": "std::fmax({0}, {1})",
        "min": "std::fmin({0}, {1})",
        "sin": "std::sin({0})",
        "sqrt": "std::sqrt({0})",
        "tanh": "std::tanh({0})",
    },
    "({1} ? {0} : {2})",
)


@dataclass(frozen=True)
class OutputActivation:
    """What the host computes of every output, or of all outputs together.

    Attributes:
        name: a key of `FORMULAS` or of `OVER_AXIS`.
        params: of the formula; one over an axis has `axis`, counted from the end.
    """

    name: str
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def axis(self) -> int | None:
        """Return the axis of a softmax and its like, from the end; None for what is element-wise."""
        return int(self.params["axis"]) if self.name in OVER_AXIS else None

    def apply(self, values: Array) -> Array:
        """Return the activation of values of shape (..., *output shape), in their own type."""
        if self.axis is not None:
            return OVER_AXIS[self.name](values, self.axis)
        return elementwise(self.name, values, self.params)

    def code(self, spelling: Spelling) -> str:
        """Return the expression in `x`, with the values of its parameters in place, of an element-wise one."""
        formula = FORMULAS[self.name]
        return spelled(formula.code, spelling, {**formula.params, **self.params})

    def keeps_order(self, shape: Shape) -> bool:
        """Tell whether the largest of the values of a sample stays the only largest one."""
        if self.axis is not None:
            return self.name != SPARSEMAX and shape[self.axis] == math.prod(shape)
        return increases(self.name, self.params)


def increases(name: str, params: Mapping[str, float]) -> bool:
    """Tell whether a larger value always gives a larger one."""
    formula = FORMULAS[name]
    return formula.increasing and all(value > 0 for value in {**formula.params, **params}.values())


def bends_of(name: str, params: Mapping[str, float]) -> tuple[float, ...] | None:
    """Return where the straight parts of a function meet, ascending; None where it is curved."""
    formula = FORMULAS[name]
    if formula.bends is None:
        return None
    names = {**formula.params, **params}
    found = (float(evaluated(bend, names)) for bend in formula.bends)
    return tuple(sorted({bend for bend in found if abs(bend) < NO_CAP}))


def elementwise(name: str, x: Array, params: Mapping[str, float] | None = None) -> Array:
    """Return an element-wise activation of values, in their own type."""
    formula = FORMULAS[name]
    kind = x.dtype.type
    names = {key: kind(value) for key, value in {**formula.params, **(params or {})}.items()}
    with np.errstate(all="ignore"):  # what overflows is infinite, as it is in Keras
        return np.asarray(evaluated(formula.code, {"x": x, **names}), x.dtype)


def softmax(values: Array, axis: int = -1) -> Array:
    """Return exponentials that add up to 1 along an axis."""
    raised = np.exp(values - values.max(axis=axis, keepdims=True))
    shares: Array = raised / raised.sum(axis=axis, keepdims=True)
    return shares


def log_softmax(values: Array, axis: int = -1) -> Array:
    """Return the logarithm of a softmax."""
    lowered = values - values.max(axis=axis, keepdims=True)
    logarithms: Array = lowered - np.log(np.exp(lowered).sum(axis=axis, keepdims=True))
    return logarithms


def sparsemax(values: Array, axis: int = -1) -> Array:
    """Return max(x − τ, 0), with a threshold τ for each group of values along an axis, as Keras 3.15 computes it.

    With s_k the sum of the k largest values x_1 ≥ x_2 ≥ …, and K the set of all k with x_k > (s_k − 1)/k::

        τ = (Σ_K s_k − 1) / |K|

    In the publication τ = (s_|K| − 1)/|K|, so that the results add up to 1. All backends of Keras add up every s_k
    instead, and a model computes what Keras does.
    """
    ordered = np.moveaxis(-np.sort(-values, axis=axis), axis, -1)
    sums = ordered.cumsum(axis=-1)
    kept = ordered > (sums - 1) / np.arange(1, ordered.shape[-1] + 1, dtype=values.dtype)
    thresholds = (np.where(kept, sums, 0).sum(axis=-1) - 1) / kept.sum(axis=-1)
    shares: Array = np.maximum(values - np.expand_dims(thresholds, axis), 0)
    return shares.astype(values.dtype, copy=False)


# What the host computes over an axis.
OVER_AXIS: Mapping[str, Callable[[Array, int], Array]] = {
    SOFTMAX: softmax,
    LOG_SOFTMAX: log_softmax,
    SPARSEMAX: sparsemax,
}


# The functions of formulas, as `PYTHON` writes them.
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "atan": np.arctan,
    "cos": np.cos,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "max": np.maximum,
    "min": np.minimum,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@cache
def _parsed(code: str) -> ast.expr:
    return ast.parse(code, mode="eval").body


def evaluated(code: str, values: Mapping[str, Any]) -> Any:
    """Compute a formula, step by step as the text that `spelled` gives for generated Python programs.

    Args:
        values: numbers or arrays by the names in the formula.
    """

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                return values[name]
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)](value(left), value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
                return value(left) > value(right)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return np.where(value(test), value(body), value(orelse))
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name](*map(value, args))
        raise AssertionError(f"not in the language of formulas: {ast.unparse(node)}")

    return value(_parsed(code))


def spelled(code: str, spelling: Spelling, values: Mapping[str, float]) -> str:
    """Render a formula in a language, with numbers in place of the names in `values`."""

    def sub(node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return f"({values[name]!r})" if name in values else name
            case ast.Constant(value=int() | float() as number):
                return repr(float(number))
            case ast.BinOp(left=left, op=op, right=right):
                return f"({sub(left)} {_OPERATORS[type(op)]} {sub(right)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{sub(operand)})"
            case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
                return f"({sub(left)} > {sub(right)})"
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return spelling.choice.format(sub(body), sub(test), sub(orelse))
            case ast.Call(func=ast.Name(id=name), args=args):
                return spelling.functions[name].format(*map(sub, args))
        raise AssertionError(f"not in the language of formulas: {ast.unparse(node)}")

    return sub(_parsed(code))


_OPERATORS: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
