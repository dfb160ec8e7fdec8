"""Render neuron models for the templates of any target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kgenn.ir.neuron_code import RANDOM, Dialect, NeuronModel, expression_of, render_statements, statements
from kgenn.ir.neuron_code import render as render_code

# How generated code spells the two precisions.
REALS: Mapping[str, str] = {"single": "float", "double": "double"}


@dataclass(frozen=True)
class ModelContext:
    """A neuron model as templates need it: names, flags, and rendered code.

    Attributes:
        name, function: the model's name, as it is and as an identifier.
        real: the target's type of the state and of all arithmetic.
        integrate, update, reset: statements, one line each.
        conditional_reset: the same reset as (name, expression) pairs, for code without branches.
        threshold: empty for a model that never fires.
    """

    name: str
    function: str
    real: str
    params: tuple[str, ...]
    state: tuple[str, ...]
    locals: tuple[str, ...]
    integrate: tuple[str, ...]
    update: tuple[str, ...]
    threshold: str
    emit: str
    reset: tuple[str, ...]
    conditional_reset: tuple[tuple[str, str], ...]
    valued: bool
    graded: bool
    uses_random: bool
    uses_external: bool
    uses_timestep: bool
    uses_current: bool


def model_context(
    model: NeuronModel, dialect: Dialect, reals: Mapping[str, str] = REALS, listening: Dialect | None = None
) -> ModelContext:
    """Render a neuron model.

    Args:
        reals: the target's type of each precision.
        listening: the dialect in which it integrates, where that is another.
    """
    used = model.used
    return ModelContext(
        name=model.name,
        function=model.name.replace("-", "_"),
        real=reals[model.precision],
        params=tuple(model.params),
        state=tuple(model.state),
        locals=model.locals,
        integrate=render_statements(model.integrate, listening or dialect),
        update=render_statements(model.update, dialect),
        threshold=render_code(expression_of(model.threshold), dialect) if model.threshold else "",
        emit=render_code(expression_of(model.emit), dialect),
        reset=render_statements(model.reset, dialect),
        conditional_reset=tuple((name, render_code(e, dialect)) for name, e in statements(model.reset)),
        valued=model.valued,
        graded=model.graded,
        uses_random=RANDOM in used,
        uses_external="i_ext" in used,
        uses_timestep="t" in used,
        uses_current="i_syn" in used,
    )
