"""What the templates of generated programs say of an output, from one description."""

from __future__ import annotations

from math import prod
from typing import Any

from kgenn.backends.render import label
from kgenn.ir.network import Network
from kgenn.ir.output_activation import CPP, PYTHON, Spelling
from kgenn.ir.scores import THRESHOLD, Head, heads_of


def output_context(head: Head, spelling: Spelling) -> dict[str, Any]:
    """Return how scores become outputs.

    Returns:
        before, after: expressions in `x`, one after the other, of the element-wise activations before and after
            the one over an axis; all are before where there is none.
        over_axis: None, or its name, its axis counted from the end, and how many groups, values of a group and
            values beside each other there are.
        binary: whether a single sigmoid says the class.
    """
    shape, chain = head.shape, head.output.activations
    axes = [activation.axis for activation in chain]
    place = next((i for i, axis in enumerate(axes) if axis is not None), len(chain))
    over_axis = None
    if place < len(chain):
        axis = axes[place]
        assert axis is not None
        index = axis + len(shape)
        over_axis = {
            "name": chain[place].name,
            "axis": axis,
            "groups": prod(shape[:index]),
            "length": shape[index],
            "beside": prod(shape[index + 1 :]),
        }
    return {
        "before": [activation.code(spelling) for activation in chain[:place]],
        "over_axis": over_axis,
        "after": [activation.code(spelling) for activation in chain[place + 1 :]],
        "names": ", ".join(activation.name for activation in chain),
        "binary": head.is_binary,
        "threshold": THRESHOLD,
        "shape": shape,
    }


def cpp_outputs(head: Head) -> dict[str, Any]:
    """Return `output_context` in C++."""
    return output_context(head, CPP)


def python_outputs(network: Network) -> list[dict[str, Any]]:
    """Return `output_context` of each output in Python with NumPy, and what `python/outputs.py.j2` needs besides.

    Returns:
        factors: an expression of what turns scores after the last step into the model's units.
        first, num: which of the scores of a sample are the output's, and how many there are of all outputs:
            `num_scores`.
        suffix, title: of the functions' names, and what they give.
        uses_math: whether an expression uses the module `math`.
    """
    heads = heads_of(network)
    return [
        {
            **_python_output(head),
            "name": ascii(head.name),
            "suffix": f"_{number}" if len(heads) > 1 else "",
            "title": f"the model's output {label(head.name)}" if len(heads) > 1 else "the model's outputs",
        }
        for number, head in enumerate(heads)
    ]


def _python_output(head: Head) -> dict[str, Any]:
    context, found = output_context(head, PYTHON), head.factors(head.network.num_timesteps)
    num = head.readout.size
    numbers = repr(found.tolist()[0]) if len(found) == 1 else f"np.tile({found.tolist()}, {num // len(found)})"
    uses_math = any("math." in line for line in (*context["before"], *context["after"]))
    places = {"first": head.columns.start, "num": num, "num_scores": head.network.num_scores}
    return context | {"factors": numbers, "uses_math": uses_math, **places}
