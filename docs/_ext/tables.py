"""Tables and lists of what the code declares, in Markdown."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.tables import listed, markdown
from kgenn.citations import reference
from kgenn.cli.listing import default_first
from kgenn.config import Option, options_of
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import FEATURES
from kgenn.diagnostic_codes import CODES
from kgenn.diagnostics import FAILURES, WARNINGS
from kgenn.encoders import ENCODERS, encoders_of
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import SPIKE_CODES
from kgenn.layers import OPERATIONS
from kgenn.registry import summary

STAGES = {
    "1": "Reading",
    "2": "Constraints",
    "3": "Lowering",
    "4": "Conversion and export",
    "5": "Backends and toolchain",
    "6": "Running, sweeps and reports",
}


def page(name: str) -> str:
    """Return the name of a page for a table of contents, if there is such a page."""
    return name if (Path(__file__).parents[1] / f"{name}.md").is_file() else ""


def diagnostics(_: str) -> str:
    """Return every diagnostic under its stage, each with an anchor of its own."""
    parts = []
    for digit, title in STAGES.items():
        codes = sorted(code for code in CODES if code[2] == digit)
        parts.append(f"## {title}: KG{digit}xx\n")
        for code in codes:
            ending = "A warning" if code in WARNINGS else f"Exit code {3 if code in FAILURES else 1}"
            parts.append(f"({code.lower()})=\n`{code}`\n: {CODES[code]}  \n  {ending}.\n")
    assert {code[2] for code in CODES} == set(STAGES), "a diagnostic has a stage without a title"
    return "\n".join(parts)


def features(_: str) -> str:
    """Return what `--allow` admits."""
    rows = [(f"`{f.name}`", f"[{f.code}](#{f.code.lower()})", f.help) for f in FEATURES.values()]
    return markdown(("feature", "without it", "help of the diagnostic"), rows)


def codes(_: str) -> str:
    """Return the spike codes with the methods and encoders that have each."""
    rows = []
    for name, code in SPIKE_CODES.items():
        methods = [m for m in CONVERTERS.names() if CONVERTERS.get(m).code == name]
        current = "at every step" if code.steady else "in the first step of a stage or run"
        weights = ", ".join(str(w) for w in code.weights(4))
        rows.append((f"`{name}`", code.schedule, weights, current, listed(methods), listed(encoders_of(name))))
    head = ("code", "schedule", "weight of a spike at each of T = 4 steps", "bias and direct current flow")
    return markdown((*head, "methods", "encoders"), rows)


def method(name: str) -> str:
    """Return what a converter declares."""
    cls = CONVERTERS.get(name)
    code = SPIKE_CODES[cls.code]
    can = sorted(cls.represents)
    rows = [
        ("Class", f"`kgenn.{cls.__name__}`"),
        ("Code, schedule", f"[{cls.code}](../concepts/codes.md), {code.schedule}"),
        ("Encoders, the default first", listed(default_first(cls.default_encoder, encoders_of(cls.code)))),
        ("Readouts, the default first", listed(cls.readouts)),
        ("Default T", str(cls.default_timesteps)),
        ("Depends on T", "yes" if cls.depends_on_timesteps else "no: `--timesteps auto` needs one run"),
        ("Represents exactly, beyond the strict profile", listed(can)),
        ("Cited as", listed([reference(citation).key for citation in cls.citations]) or "nothing"),
    ]
    return markdown(("", f"`{name}`"), rows)


def operations(_: str) -> str:
    """Return the operations that are read, those of one reader together."""
    groups: dict[str, list[str]] = {}
    for name in sorted(OPERATIONS.table):
        groups.setdefault(summary(OPERATIONS.get(name)), []).append(name)
    return markdown(("operations", "are read as"), [(listed(names), text) for text, names in groups.items()])


def options(name: str) -> str:
    """Return the options of a converter or of an encoder, as `converter NAME` or `encoder NAME`."""
    kind, _, which = name.partition(" ")
    cls: Any = (CONVERTERS if kind == "converter" else ENCODERS).get(which)
    found = options_of(cls)
    if not found:
        return "No options.\n"
    rows = [(f"`{o.flag}`", f"`{o.name}`", _values(o), _default(o), _sentence(o.help)) for o in found]
    return markdown(("flag", "in Python", "values", "default", "meaning"), rows)


def _values(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    return {bool: "on, off", int: "integer", float: "number", str: "text"}[option.kind]


def _default(option: Option) -> str:
    if option.default is None:
        return "none"
    return ("on" if option.default else "off") if option.kind is bool else f"`{option.default}`"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def encoder(name: str) -> str:
    """Return the neuron model and the options of an encoder."""
    chosen = ENCODERS.get(name)()
    return f"{_neuron(chosen.neuron)}\n{options(f'encoder {name}')}"


def neuron(place: str) -> str:
    """Return a neuron model, as `module:NAME` or `module:function(3)`."""
    module, _, attribute = place.partition(":")
    name, _, argument = attribute.rstrip(")").partition("(")
    found = getattr(import_module(module), name)
    return _neuron(found(int(argument)) if argument else found)


def _neuron(model: NeuronModel) -> str:
    fields = {
        "params": ", ".join(model.params),
        "state": ", ".join(f"{name} = {value:g}" for name, value in model.state.items()),
        "integrate": model.integrate,
        "update": model.update,
        "threshold": model.threshold,
        "emit": model.emit if model.threshold and model.emit != "1" else "",
        "reset": model.reset,
        "precision": model.precision if model.precision == "double" else "",
    }
    lines = [f"{'name':10} {model.name}"]
    for label, text in fields.items():
        for number, line in enumerate(text.splitlines()):
            lines.append(f"{label if number == 0 else '':10} {line}")
    return "```{code-block} text\n:class: neuron\n" + "\n".join(lines) + "\n```\n"
