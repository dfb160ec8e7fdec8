"""Random networks fire the same spikes in the reference, in the pipeline's order, and as generated C++."""

from __future__ import annotations

from hypothesis import given

from drawn_networks import Case, cases
from examples import examples
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from recordings import EVERYTHING, assert_same

FIRST_SAMPLE = 1_000_003


@examples(60)
@given(case=cases())
def test_the_pipelines_order_changes_no_spike(case: Case) -> None:
    expected = ReferenceSimulator(case.network).run(case.drive, FIRST_SAMPLE, EVERYTHING)
    assert_same(expected, PipelineSimulator(case.network).run(case.drive, FIRST_SAMPLE, EVERYTHING))
