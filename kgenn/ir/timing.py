"""When each population works, in simulators whose spikes take one step to cross a connection.

Synchronous: a population at depth p works in steps p … p + T − 1, and a spike travels for as many steps as its
connection spans depths. Staged: it sends in steps p(T + 1) … p(T + 1) + T − 1 and listens in the T steps before;
a connection that skips depths waits for whole stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from kgenn.ir.network import Connection, Network


@dataclass(frozen=True, eq=False)
class Timing:
    """The timetable of a network as a pipeline.

    Attributes:
        network: which.
    """

    network: Network

    @cached_property
    def listening(self) -> int:
        """Return the steps that a population listens before it sends: T of a staged network, else none."""
        return self.network.num_timesteps if self.network.code.staged else 0

    def start(self, population: str) -> int:
        """Return the first step in which a population works, or sends."""
        return self.network.depths[population] * (1 + self.listening)

    def travel(self, connection: Connection) -> int:
        """Return the steps from a spike to its arrival; the first of them every connection takes."""
        return self.start(connection.target) - self.listening - self.start(connection.source)

    @cached_property
    def num_steps(self) -> int:
        """Return the steps from a sample's start until every readout has worked."""
        return max(self.start(p.name) for p in self.network.readouts) + self.network.num_timesteps
