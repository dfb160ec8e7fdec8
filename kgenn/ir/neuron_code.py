"""Neuron dynamics as data: a few lines in restricted Python syntax, rendered to C dialects or run by NumPy.

Grammar: lines `name = expression` or `name op= expression`; expressions of names, numbers, `+ - * /`, one
comparison, `and`, `or`, `not`, `a if c else b`, and the functions of `FUNCTIONS`. All arithmetic is float32,
or float64 in a model of double precision, with one rounding for each operation, so that every target computes
the same bits. Constants are float32.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from kgenn.ir.graph import Array

FUNCTIONS: dict[str, np.ufunc] = {
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "floor": np.floor,
    "sign": np.sign,
}
# A uniform integer in [0, 2**24), a hash of (seed, sample, neuron, timestep): supplied by each target.
RANDOM = "random24"
# What a population reads besides its own parameters and state.
SIGNALS = ("i_syn", "i_ext", "t")

_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_BOOLEAN = {ast.And: "&&", ast.Or: "||"}
_UNARY = {ast.USub: "-", ast.Not: "!"}


@dataclass(frozen=True)
class Dialect:
    """How a target spells what C dialects spell differently.

    Attributes:
        functions: the target's spelling of each of `FUNCTIONS`, with {0}, {1} for its arguments.
        random: the target's expression for `random24()`.
        names: how a signal is spelled where not by its own name.
    """

    functions: Mapping[str, str]
    random: str
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NeuronModel:
    """A neuron model: each timestep runs `update`, tests `threshold`, and on a spike runs `reset`.

    In a staged network a population listens first: each step of its sources' stage runs `integrate`.

    Attributes:
        name: the model's name in the generated code.
        params: parameters with their default values, one value for a whole population.
        state: state variables with their initial values, one value for each neuron.
        update: statements run at every timestep; they read `i_syn`, `i_ext` or `t`. A name that is no state
            variable lasts until the step ends.
        threshold: the condition for a spike; empty for a model that never fires.
        reset: statements run after a spike.
        emit: the value that a spike carries, an integer.
        integrate: statements run at every step in which a staged population listens; they read `i_syn` or `t`.
        graded: a spike counts as one whatever its value: it stands for a group of neurons that share v, one for
            each value, with synapses of that strength.
        precision: of the state and of all arithmetic; sums over a stage can need more than float32 holds.
    """

    name: str
    params: Mapping[str, float] = field(default_factory=dict)
    state: Mapping[str, float] = field(default_factory=dict)
    update: str = ""
    threshold: str = ""
    reset: str = ""
    emit: str = "1"
    integrate: str = ""
    precision: Literal["single", "double"] = "single"
    graded: bool = False

    def __post_init__(self) -> None:
        known = {*self.params, *self.state, *SIGNALS}
        for code in (self.integrate, self.update, self.reset):
            for target, expression in statements(code):
                if target in self.params:
                    raise ValueError(f"{self.name}: assigns {target}, which is a parameter")
                if target not in self.state and code != self.update:
                    raise ValueError(f"{self.name}: assigns {target}, which is not a state variable")
                _check(expression, known)
                known.add(target)
        for code in filter(None, (self.threshold, self.emit)):
            _check(expression_of(code), known)

    @property
    def real(self) -> type[np.floating[Any]]:
        """Return the NumPy type of the state and of all arithmetic."""
        return np.float64 if self.precision == "double" else np.float32

    @property
    def locals(self) -> tuple[str, ...]:
        """Return the names that a step assigns for its own use, in order: they are no state."""
        assigned = (name for name, _ in statements(self.update))
        return tuple(dict.fromkeys(name for name in assigned if name not in self.state))

    @property
    def valued(self) -> bool:
        """Tell whether spikes carry values other than 1."""
        return self.emit != "1"

    @property
    def used(self) -> frozenset[str]:
        """Return every name that a step of the neuron's own reads."""
        expressions = [e for code in (self.update, self.reset) for _, e in statements(code)]
        expressions += [expression_of(code) for code in (self.threshold, self.emit) if code]
        return frozenset(n.id for e in expressions for n in ast.walk(e) if isinstance(n, ast.Name))


@lru_cache(maxsize=256)
def statements(code: str) -> tuple[tuple[str, ast.expr], ...]:
    """Parse statements into (assigned name, expression) pairs; `v += x` becomes (v, v + x)."""
    pairs: list[tuple[str, ast.expr]] = []
    for statement in ast.parse(code).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pairs.append((name, value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                pairs.append((name, ast.BinOp(ast.Name(name), op, value)))
            case _:
                raise ValueError(f"not an assignment: {ast.unparse(statement)}")
    return tuple(pairs)


@lru_cache(maxsize=256)
def expression_of(code: str) -> ast.expr:
    """Parse one expression."""
    return ast.parse(code, mode="eval").body


def _check(expression: ast.expr, known: set[str]) -> None:
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and node.id not in {*known, *FUNCTIONS, RANDOM}:
            raise ValueError(f"unknown name {node.id}")
    render(expression, Dialect(functions=dict.fromkeys(FUNCTIONS, "{0}"), random=RANDOM))


def render(node: ast.expr, dialect: Dialect) -> str:
    """Render an expression in a C dialect, in float32."""

    def sub(child: ast.expr) -> str:
        return render(child, dialect)

    match node:
        case ast.Name(id=name) if name not in (*FUNCTIONS, RANDOM):
            return dialect.names.get(name, name)
        case ast.Constant(value=int() | float() as number) if _is_number(number):
            # rounded to float32 here, as `evaluate` does; a compiler would round the decimal instead
            return f"{shortest(np.float32(number))}f"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return f"({sub(left)} {_BINARY[type(op)]} {sub(right)})"
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return f"({_UNARY[type(op)]}{sub(operand)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return f"({sub(left)} {_COMPARE[type(op)]} {sub(right)})"
        case ast.BoolOp(op=op, values=values):
            return "(" + f" {_BOOLEAN[type(op)]} ".join(map(sub, values)) + ")"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({sub(test)} ? {sub(body)} : {sub(orelse)})"
        case ast.Call(func=ast.Name(id="random24"), args=[], keywords=[]):
            return dialect.random
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if _takes(name, len(args)):
            return dialect.functions[name].format(*map(sub, args))
    raise ValueError(f"not in the neuron language: {ast.unparse(node)}")


def render_statements(code: str, dialect: Dialect) -> tuple[str, ...]:
    """Render statements in a C dialect, one line each."""
    return tuple(f"{name} = {render(expression, dialect)};" for name, expression in statements(code))


def shortest(value: np.float32) -> str:
    """Return the shortest decimal number that is a value in float32; numpy's own text differs by its version."""
    if value == 0 or 1e-4 <= abs(float(value)) < 1e6:
        return np.format_float_positional(value, unique=True, trim="0")
    return np.format_float_scientific(value, unique=True, trim="-", exp_digits=2)


def _is_number(value: float) -> bool:
    """Tell whether a constant is a number that float32 can hold; True and False are none."""
    return not isinstance(value, bool) and abs(value) <= float(np.finfo(np.float32).max)


def _takes(function: str, num_arguments: int) -> bool:
    return function in FUNCTIONS and FUNCTIONS[function].nin == num_arguments


def evaluate(
    node: ast.expr,
    names: Mapping[str, Any],
    random: Callable[[], Array],
    real: type[np.floating[Any]] = np.float32,
) -> Any:
    """Evaluate an expression over arrays or scalars.

    Args:
        names: the value of every name, arrays of type `real` that broadcast together.
        random: returns the `random24()` of every neuron.
        real: the type of all arithmetic.
    """
    return evaluator(node, double=real is np.float64)(names, random)


# What gives an expression's value for `names` and `random`, as for `evaluate`.
Evaluator = Callable[[Mapping[str, Any], Callable[[], Array]], Any]


@lru_cache(maxsize=1024)
def evaluator(node: ast.expr, double: bool) -> Evaluator:
    """Return the function that evaluates an expression, so that its text is followed once and not at every step.

    Args:
        double: the arithmetic is float64 and not float32.
    """
    real: type[np.floating[Any]] = np.float64 if double else np.float32

    def operator(function: Callable[..., Any], *children: ast.expr, **options: Any) -> Evaluator:
        parts = [evaluator(child, double) for child in children]
        return lambda names, random: function(*[part(names, random) for part in parts], **options)

    match node:
        case ast.Name(id=name):
            return lambda names, random: names[name]
        case ast.Constant(value=int() | float() as number):
            constant = real(np.float32(number))
            return lambda names, random: constant
        case ast.BinOp(left=left, op=op, right=right):
            return operator(_ARITHMETIC[type(op)], left, right, dtype=real)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return operator(np.negative, operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operator(np.logical_not, operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return operator(_COMPARISONS[type(op)], left, right)
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return operator(lambda *given: combine.reduce(np.broadcast_arrays(*given)), *values)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return operator(lambda *given: np.where(*given).astype(real), test, body, orelse)
        case ast.Call(func=ast.Name(id="random24")):
            return lambda names, random: random().astype(real)
        case ast.Call(func=ast.Name(id=name), args=args):
            return operator(FUNCTIONS[name], *args)
    raise ValueError(f"not in the neuron language: {ast.unparse(node)}")


_ARITHMETIC: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_COMPARISONS: dict[type[ast.cmpop], np.ufunc] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
