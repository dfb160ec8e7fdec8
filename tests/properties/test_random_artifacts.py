"""Random networks survive being stored: the same network is read back, and equal networks are equal bytes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from drawn_networks import Case, cases
from examples import examples
from kgenn.artifact.directory import Artifact, read_directory, write_artifact
from kgenn.backends import TARGETS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.text import network_text
from recordings import EVERYTHING, assert_same

SOURCES = st.sampled_from(("cpu", "genn-cpu", "genn-cuda"))


@examples(40)
@given(case=cases(), target=SOURCES)
def test_a_stored_random_network_is_the_same_network(case: Case, target: str) -> None:
    files = Artifact(case.network, target).files(TARGETS.get(target)().emit(case.network))
    with TemporaryDirectory() as folder:
        write_artifact(Path(folder) / "out", files)
        read = read_directory(Path(folder) / "out")
    assert (read.target, network_text(read.network)) == (target, network_text(case.network))
    again = Artifact(read.network, target).files(TARGETS.get(target)().emit(read.network))
    assert again == files
    one, two = (ReferenceSimulator(n).run(case.drive, 5, EVERYTHING) for n in (case.network, read.network))
    assert_same(one, two)
