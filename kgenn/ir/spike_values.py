"""Which values the spikes of each population carry: 1 alone, 1 and −1, or numbers of several bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from kgenn.ir.interval import of_emission
from kgenn.ir.network import Network

# Every backend keeps the value of a spike in 8 bits.
LARGEST = 127


@dataclass(frozen=True)
class SpikeValues:
    """The values that spikes carry.

    Attributes:
        low, high: the least and the largest value; no spike counts as 0.
    """

    low: int
    high: int

    @property
    def graded(self) -> bool:
        """Tell whether a spike can carry another value than 1 and −1, which takes a multiplication."""
        return max(-self.low, self.high) > 1

    @property
    def signed(self) -> bool:
        """Tell whether spikes can be negative."""
        return self.low < 0

    @property
    def bits(self) -> int:
        """Return the bits that tell these values, with no spike among them, apart."""
        return (self.high - self.low).bit_length()

    def union(self, other: SpikeValues) -> SpikeValues:
        """Return the values of both."""
        return SpikeValues(min(self.low, other.low), max(self.high, other.high))

    def __str__(self) -> str:
        if not self.graded:
            return "signed, −1 and 1" if self.signed else "unit"
        return f"graded, {self.low} to {self.high} ({self.bits} bits)".replace("-", "−")


UNIT = SpikeValues(0, 1)


def spike_values(network: Network) -> dict[str, SpikeValues]:
    """Return the values that the spikes of each spiking population carry, by its name.

    They follow from the expression that a neuron model emits. A population whose expression has no bounds, as a
    maximum of sums, is taken to send what its sources send.
    """
    found: dict[str, SpikeValues] = {}
    for p in network.spiking:
        own = of_emission(p.neuron, p.params)
        if own.bounded:
            low, high = floor(min(own.low, 0)), ceil(max(own.high, 0))
            found[p.name] = SpikeValues(max(low, -LARGEST), min(high, LARGEST))
            continue
        sources = [found[c.source] for c in network.incoming[p.name] if c.source in found]
        found[p.name] = SpikeValues(-LARGEST, LARGEST) if not sources else sources[0]
        for values in sources[1:]:
            found[p.name] = found[p.name].union(values)
    return found
