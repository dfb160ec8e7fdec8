"""Name options as Python has them: messages say `--allow bias`, as commands have it, for `allow=("bias",)`.

This is the only place that knows both: `str(diagnostic)` speaks to Python, and the commands print
`Diagnostic.for_terminal`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kgenn.comma_list import entries

NUMBER, NAME = r"-?\d+(?:\.\d+)?", r"[a-z][a-z\d-]*[a-z\d]"
SIZES = r"\d+(?:,\d+)*"
# Each option to what may stand behind it as its value, and to the Python of both. One without such a value is
# named alone, and one of no value at all is a flag.
OPTIONS: Mapping[str, tuple[str, str]] = {
    "--allow": (NAME, 'allow=("{}",)'),
    "--binarise": ("THRESHOLD", "encoder=kgenn.Spike(binarise={})"),
    "--counts": ("", "counts=True"),
    "--early-exit": (NUMBER, "early_exit={}"),
    "--edited": ("", "options=kgenn.backends.base.RunOptions(edited=True)"),
    "--encoder": ("poisson|spike|if|direct", 'encoder="{}"'),
    "--frames": ("", "frames=True"),
    "--genn-python": ("PATH", "genn_python={}"),
    "--input-shape": (SIZES, "input_shape={}"),
    "--loss": (NUMBER, "loss={}"),
    "--metric": (NAME, 'metric="{}"'),
    "--most-timesteps": (NUMBER, "most_timesteps={}"),
    "--norm-samples": (NUMBER, "norm_samples={}"),
    "--overwrite": ("", "overwrite=True"),
    "--prefix": (NAME, 'prefix="{}"'),
    "--readout": ("late-current|current|spike-count", 'readout="{}"'),
    "--scale": (r"\d+(?:\.\d+)?(?:/\d+)?", 'scale="{}" in kgenn.samples'),
    "--scale-rule": ("percentile", 'scale_rule="{}"'),
    "--shape": (SIZES, "shape={}"),
    "--target": ("genn-cpu|genn-cuda|cpu|cuda|reference", 'target="{}"'),
    "--task": ("", "task"),
    "--threads": (NUMBER, "threads={}"),
    "--threshold": (NUMBER, "threshold={}"),
    "--timesteps": (rf"{NUMBER}", "timesteps={}"),
    "--weight-bits": (NUMBER, "weight_bits={}"),
    "--window": (NUMBER, "window={}"),
}
# Options of commands that Python has no function for, or has in another form.
OF_COMMANDS = frozenset({"--data", "--limit", "--split", "--trace"})


# Options that may have the name of an input or an output before the value, and of these the form of a value. Only
# `kgenn.samples` scales, one array at a time.
NAMED: Mapping[str, str] = {
    "--encoder": '"{}"',
    "--input-shape": "{}",
    "--metric": '"{}"',
    "--scale": 'scale="{}" in kgenn.samples',
    "--task": '"{}"',
    "--threshold": "{}",
}
PORT = r"[^\s=,]+"
# A comma between two entries of a list, and not between two sizes of a shape.
BETWEEN = re.compile(r",(?=[^,=]+=)")


def _pattern(option: str) -> str:
    value, _ = OPTIONS[option]
    each = rf"{PORT}=(?:{value or NAME})"
    named = rf"[ =]({each}(?:,{each})*|'[^']*=[^']*')(?![\w/-])|" if option in NAMED else ""
    plain = rf"[ =]({value})(?![\w/=-])|" if value else ""
    return rf"(?<![\w-]){option}(?:{named}{plain}(?![\w-]))"


_OPTION = re.compile("|".join(_pattern(option) for option in OPTIONS))


def in_python(text: str) -> str:
    """Return a message with its options as Python has them; options of commands alone stay what they are."""
    return _OPTION.sub(_as_python, text)


def _as_python(found: re.Match[str]) -> str:
    option = re.split("[ =]", found[0], maxsplit=1)[0]
    pattern, form = OPTIONS[option]
    text = next((group for group in found.groups() if group), "")
    field = option[2:].replace("-", "_")
    if "=" in text:
        return _of_ports(option, text)
    if "{}" not in form:
        return form
    return form.format(_value(pattern, text)) if text else field


def _value(pattern: str, text: str) -> str | tuple[int, ...]:
    return tuple(map(int, text.split(","))) if pattern == SIZES else text


def _of_ports(option: str, text: str) -> str:
    """Return an option of some inputs or outputs, `name=value,name=value`, as Python has it.

    Args:
        text: as a shell takes it, so that names with spaces stand in quotes.
    """
    (pattern, form), of_one = OPTIONS[option], NAMED[option]
    plain = text.strip("'")
    each = entries(plain) if '"' in plain else BETWEEN.split(plain)
    pairs = [(name, _value(pattern, value)) for name, _, value in (e.rpartition("=") for e in each)]
    if of_one == form:
        return ", ".join(f"{form.format(value)} for {name}" for name, value in pairs)
    named = ", ".join(f'"{name}": {of_one.format(value)}' for name, value in pairs)
    return f"{option[2:].replace('-', '_')}={{{named}}}"
