"""Neuron models in integer arithmetic: what float32 computes of integers, bit for bit.

Weights, thresholds and drives are integers, and so are all sums, differences and products of them. Float32 holds
integers of 24 bits; a larger one is rounded to 24 significant bits, halves to even. So each operation is one of
integers and a rounding, which is left out where a bound says that there is nothing to round.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Network, Population
from kgenn.ir.neuron_code import RANDOM, NeuronModel, expression_of, statements

# Models whose state moves by the current alone, and back by a reset.
SUMS = ("v += i_syn", "v += i_ext")
RESETS = ("", "v -= v_thresh", "v = 0")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_TESTS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_FUNCTIONS = {
    "abs": "({0} < 0 ? -{0} : {0})",
    "min": "({1} < {0} ? {1} : {0})",
    "max": "({0} < {1} ? {1} : {0})",
    "floor": "{0}",
    "sign": "(({0} > 0) - ({0} < 0))",
}


class NotInteger(ValueError):
    """What keeps a neuron model out of integer arithmetic, in words."""


@dataclass(frozen=True)
class Arithmetic:
    """How a population computes.

    Attributes:
        real: the C type of its state and of all arithmetic.
        rounds: whether results may need more than 24 bits.
    """

    real: str
    rounds: bool

    def statements(self, code: str) -> list[str]:
        """Return statements in C."""
        return [f"{name} = {self.expression(expression)};" for name, expression in statements(code)]

    def code(self, code: str) -> str:
        """Return an expression in C."""
        return self.expression(expression_of(code))

    def expression(self, node: ast.expr) -> str:
        """Return an expression in C.

        Raises:
            Unfit: where it gives fractions.
        """
        sub: Callable[[ast.expr], str] = self.expression
        match node:
            case ast.Name(id=name):
                return name
            case ast.Constant(value=int() | float() as number) if int(number) == number and abs(number) < EXACT:
                return str(int(number))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                result = f"{sub(left)} {_OPERATORS[type(op)]} {sub(right)}"
                return f"({self.real})rounded((int64_t){result})" if self.rounds else f"({result})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{sub(operand)})"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(!{sub(operand)})"
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"({sub(left)} {_TESTS[type(op)]} {sub(right)})"
            case ast.BoolOp(op=op, values=values):
                joint = " && " if isinstance(op, ast.And) else " || "
                return "(" + joint.join(map(sub, values)) + ")"
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"({sub(test)} ? {sub(body)} : {sub(orelse)})"
            case ast.Call(func=ast.Name(id=name), args=[]) if name == RANDOM:
                return "(int32_t)(mix(mix(sample + (uint32_t)(first + i)) ^ now) >> 8)"
            case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
                return _FUNCTIONS[name].format(*map(sub, args))
        raise NotInteger(f"computes {ast.unparse(node)}, which is not an integer")


def arithmetic_of(network: Network, population: Population, largest_input: float) -> Arithmetic:
    """Return the arithmetic that holds whatever a population comes to in T timesteps.

    Args:
        largest_input: the largest |i_ext|.

    Raises:
        NotInteger: where there is none.
    """
    model, steps = population.neuron, network.num_timesteps
    if model.precision != "single":
        raise NotInteger("needs float64")
    if not _has_integers(population):
        raise NotInteger("has parameters or a state that are not integers")
    largest = max(largest_current(network, population), largest_input)
    if steps**3 * max(largest, EXACT) >= 2**62:
        raise NotInteger(f"may need more than 64 bits in {steps:,} timesteps")
    if not _is_sum(model):
        return Arithmetic("int64_t", True)
    start = max((float(np.max(np.abs(v), initial=0.0)) for v in population.starts.values()), default=0.0)
    reached = start + steps * largest
    if not model.state or reached < EXACT:
        return Arithmetic("int32_t", False)
    return Arithmetic("int32_t" if reached < 2**31 else "int64_t", True)


def largest_current(network: Network, population: Population) -> float:
    """Return the largest |current| that a neuron can get in a timestep."""
    total: Array = np.zeros(population.size)
    if population.bias is not None:
        total = total + np.abs(population.bias.astype(np.float64))
    for c in network.incoming[population.name]:
        largest_value = 1.0
        if network.is_analog(c):
            coding = network.input_of[c.source].coding
            largest_value = max(abs(coding.low), abs(coding.high))
        elif network.by_name[c.source].neuron.emit not in ("1", "sign(i_ext)"):
            largest_value = 127.0
        total = total + largest_value * c.magnitude()
    return float(np.max(total, initial=0.0)) + 1


def _is_sum(model: NeuronModel) -> bool:
    return model.update in ("", *SUMS) and model.reset in RESETS


def _has_integers(population: Population) -> bool:
    model = population.neuron
    values = (*{**model.params, **population.params}.values(), *population.starts.values())
    return all(bool(np.all((np.rint(v) == v) & (np.abs(v) <= EXACT))) for v in values)
