"""Encoders: how a real input becomes spikes, or a current."""

from __future__ import annotations

from kgenn.encoders.base import Encoder
from kgenn.ir.spike_code import CodeName
from kgenn.registry import Registry

ENCODERS: Registry[type[Encoder]] = Registry(
    kind="encoder",
    group="kgenn.encoders",
    base="kgenn.encoders.base:Encoder",
    table={
        "direct": "kgenn.encoders.direct:Direct",
        "few-spike": "kgenn.encoders.stage:FewSpikeInput",
        "few-spike-signed": "kgenn.encoders.stage:FewSpikeSignedInput",
        "if": "kgenn.encoders.integrate_fire:IntegrateFire",
        "poisson": "kgenn.encoders.poisson:Poisson",
        "poisson-signed": "kgenn.encoders.poisson:PoissonSigned",
        "spike": "kgenn.encoders.spike:Spike",
        "ttfs": "kgenn.encoders.stage:TtfsInput",
    },
)


def encoders_of(code: CodeName) -> tuple[str, ...]:
    """Return the names of the encoders that networks of a code understand, in order."""
    return tuple(sorted(name for name, encoder in ENCODERS.usable().items() if encoder.code in (None, code)))


__all__ = ["ENCODERS", "Encoder", "encoders_of"]
