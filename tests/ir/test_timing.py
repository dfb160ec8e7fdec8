"""The timetable of a pipeline: no population works before what it hears arrives, and none waits in vain."""

from __future__ import annotations

import pytest

from covering import leading
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.network import Network
from kgenn.ir.timing import Timing
from looped import looped
from networks import RECIPES
from recordings import converted

STEPS = 6
KINDS = {
    "synchronous": ("poisson", None),
    "few-spike": ("few-spike", FewSpike()),
    "direct": ("direct", FewSpike()),
    "ttfs": ("ttfs", TimeToFirstSpike()),
}
# what a spike stands for changes nothing in time: the last kind is as few-spike
each_kind = pytest.mark.parametrize("kind", leading(KINDS, 3))


def network_of(name: str, kind: str) -> Network:
    encoder, converter = KINDS[kind]
    return converted(name, encoder, converter, num_timesteps=STEPS)


@pytest.mark.parametrize("kind", leading(KINDS))
@looped("name", RECIPES)
def test_step_t_of_a_source_arrives_at_step_t_of_its_target(name: str, kind: str) -> None:
    network = network_of(name, kind)
    timing = Timing(network)
    for c in network.connections:
        if network.is_analog(c):
            continue
        # a population listens just before it sends where the schedule is staged, else while it does
        first_heard = timing.start(c.target) - timing.listening
        assert timing.start(c.source) + timing.travel(c) == first_heard
        assert timing.travel(c) >= 1


@each_kind
@looped("name", RECIPES)
def test_the_longest_way_to_each_population_has_no_waiting(name: str, kind: str) -> None:
    network = network_of(name, kind)
    timing = Timing(network)
    for p in network.populations[1:]:
        travels = [timing.travel(c) for c in network.incoming[p.name] if not network.is_analog(c)]
        assert not travels or min(travels) == 1
        assert travels or timing.start(p.name) == 0


def test_a_link_over_depths_waits_one_step_or_one_stage_for_each() -> None:
    synchronous, staged = (Timing(network_of("skip_to_readout", kind)) for kind in ("synchronous", "few-spike"))
    for timing, longer in ((synchronous, 3), (staged, 1 + 2 * (STEPS + 1))):
        travels = sorted(timing.travel(c) for c in timing.network.connections)
        assert travels == [1, 1, 1, 1, longer]


@pytest.mark.quick
@pytest.mark.parametrize(("kind", "steps"), [("synchronous", 4 + STEPS), ("few-spike", 4 * (STEPS + 1) + STEPS)])
def test_a_sample_takes_until_the_readout_has_worked(kind: str, steps: int) -> None:
    assert Timing(network_of("skip_to_readout", kind)).num_steps == steps
