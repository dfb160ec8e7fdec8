"""Render neuron models in C++."""

from __future__ import annotations

from dataclasses import dataclass

from kgenn.ir.neuron_code import RANDOM, Dialect, NeuronModel, expression_of, render_statements, statements
from kgenn.ir.neuron_code import render as render_code

CPP = Dialect(
    functions={
        "abs": "std::fabs({0})",
        "min": "smaller({0}, {1})",
        "max": "larger({0}, {1})",
        "floor": "std::floor({0})",
        "sign": "sign({0})",
    },
    random="random24(keys[i], key_of_time)",
)


@dataclass(frozen=True)
class ModelContext:
    """A neuron model as the template needs it: names, flags, and rendered code."""

    name: str
    function: str
    real: str
    params: tuple[str, ...]
    state: tuple[str, ...]
    locals: tuple[str, ...]
    update: tuple[str, ...]
    threshold: str
    emit: str
    reset: tuple[tuple[str, str], ...]
    uses_random: bool
    uses_external: bool
    uses_timestep: bool
    uses_current: bool


def model_context(model: NeuronModel) -> ModelContext:
    """Render a neuron model in C++."""
    used = model.used
    return ModelContext(
        name=model.name,
        function=model.name.replace("-", "_"),
        real={"single": "float", "double": "double"}[model.precision],
        params=tuple(model.params),
        state=tuple(model.state),
        locals=model.locals,
        update=render_statements(model.update, CPP),
        threshold=render_code(expression_of(model.threshold), CPP) if model.threshold else "",
        emit=render_code(expression_of(model.emit), CPP),
        reset=tuple((name, render_code(e, CPP)) for name, e in statements(model.reset)),
        uses_random=RANDOM in used,
        uses_external="i_ext" in used,
        uses_timestep="t" in used,
        uses_current="i_syn" in used,
    )
