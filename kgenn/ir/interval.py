"""Bound the value of an expression of the neuron language from the bounds of its names, by interval arithmetic."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import floor, inf, isnan

from kgenn.ir.neuron_code import NeuronModel, expression_of, statements


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`, both included where they are finite."""

    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Tell whether both ends are finite."""
        return self.low > -inf and self.high < inf

    def union(self, other: Interval) -> Interval:
        """Return the least interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


ANY = Interval(-inf, inf)
TRUTH = Interval(0, 1)


def of_emission(model: NeuronModel, params: Mapping[str, float]) -> Interval:
    """Bound the values that the spikes of a neuron model carry.

    State variables and signals may have any value, but for a name that the threshold compares with a lower bound.

    Args:
        params: values of parameters; the model's defaults stand for the others.
    """
    names = {name: Interval(value, value) for name, value in {**model.params, **params}.items()}
    for name, expression in statements(model.update):
        if name not in model.state:
            names[name] = bounds(expression, names)
    condition = expression_of(model.threshold)
    if isinstance(condition, ast.Compare) and isinstance(condition.ops[0], ast.GtE | ast.Gt):
        compared, least = condition.left, bounds(condition.comparators[0], names)
        if isinstance(compared, ast.Name):
            names[compared.id] = Interval(least.low, inf)
    return bounds(expression_of(model.emit), names)


def bounds(node: ast.expr, names: Mapping[str, Interval]) -> Interval:
    """Bound an expression; a name that is not in `names` may have any value."""
    match node:
        case ast.Name(id=name):
            return names.get(name, ANY)
        case ast.Constant(value=int() | float() as number):
            return Interval(number, number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            own = bounds(operand, names)
            return Interval(-own.high, -own.low)
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(op, bounds(left, names), bounds(right, names))
        case ast.IfExp(body=body, orelse=orelse):
            return bounds(body, names).union(bounds(orelse, names))
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
            return TRUTH
        case ast.Call(func=ast.Name(id=function), args=args) if args:
            return _called(function, [bounds(argument, names) for argument in args])
    return ANY


def _combined(op: ast.operator, left: Interval, right: Interval) -> Interval:
    match op:
        case ast.Add():
            return Interval(left.low + right.low, left.high + right.high)
        case ast.Sub():
            return Interval(left.low - right.high, left.high - right.low)
        case ast.Mult():
            ends = [_times(a, b) for a, b in product((left.low, left.high), (right.low, right.high))]
        case ast.Div() if right.low > 0 or right.high < 0:
            ends = [_times(a, 1 / b) for a, b in product((left.low, left.high), (right.low, right.high))]
        case _:
            return ANY
    return Interval(min(ends), max(ends))


def _times(a: float, b: float) -> float:
    """Return a product in which nothing times no limit is nothing."""
    found = a * b
    return 0.0 if isnan(found) else found


def _called(function: str, of: list[Interval]) -> Interval:
    ends = [(interval.low, interval.high) for interval in of]
    match function:
        case "min" | "max":
            choose = min if function == "min" else max
            return Interval(choose(low for low, _ in ends), choose(high for _, high in ends))
        case "abs":
            (low, high) = ends[0]
            return Interval(max(low, -high, 0.0), max(-low, high))
        case "floor":
            return Interval(*(end if abs(end) == inf else floor(end) for end in ends[0]))
        case "sign":
            return Interval(*((end > 0) - (end < 0) for end in ends[0]))
    return ANY
