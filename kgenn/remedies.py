"""Name options as Python has them: messages say `--allow bias`, as commands have it, for `allow=("bias",)`.

This is the only place that knows both: `str(diagnostic)` speaks to Python, and the commands print
`Diagnostic.for_terminal`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
PORT = r"([^\s=,]+)"


def _pattern(option: str) -> str:
    value, _ = OPTIONS[option]
    named = rf"[ =]{PORT}=({value or NAME})(?![\w/-])|" if option in NAMED else ""
    plain = rf"[ =]({value})(?![\w/=-])|" if value else ""
    return rf"(?<![\w-]){option}(?:{named}{plain}(?![\w-]))"


_OPTION = re.compile("|".join(_pattern(option) for option in OPTIONS))


def in_python(text: str) -> str:
    """Return a message with its options as Python has them; options of commands alone stay what they are."""
    return _OPTION.sub(_as_python, text)


def _as_python(found: re.Match[str]) -> str:
    option = re.split("[ =]", found[0], maxsplit=1)[0]
    pattern, form = OPTIONS[option]
    *port, text = [group for group in found.groups() if group] or [""]
    value = tuple(map(int, text.split(","))) if text and pattern == SIZES else text
    field = option[2:].replace("-", "_")
    if port and NAMED[option] == form:
        return f"{form.format(value)} for {port[0]}"
    if port:
        return f'{field}={{"{port[0]}": {NAMED[option].format(value)}}}'
    if "{}" not in form:
        return form
    return form.format(value) if value else field
