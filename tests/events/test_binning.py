"""Events become frames: every event in the timestep of its time, at its address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.cli import invoke
from kgenn.diagnostics import KgennError
from kgenn.events import bin_events
from kgenn.ir.graph import Array

pytestmark = pytest.mark.quick

TONIC = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]


def events(rows: list[tuple[Any, ...]], dtype: Any = TONIC) -> Array:
    return np.array(rows, dtype)


SOME = events([(1, 0, 100, True), (2, 1, 109, False), (2, 1, 109, False), (0, 0, 110, True), (1, 1, 131, False)])


def test_each_event_is_in_the_frame_of_its_window() -> None:
    made = bin_events([SOME], (2, 3, 2), window=10)
    assert made.x.shape == (1, 4, 2, 3, 2)
    assert sorted(map(tuple, np.argwhere(made.x[0]).tolist())) == [
        (0, 0, 1, 1),
        (0, 1, 2, 0),
        (1, 0, 0, 1),
        (3, 1, 1, 0),
    ]
    assert (made.num_events, made.num_cut) == (5, 0)


def test_counts_count_events_of_one_timestep() -> None:
    made = bin_events([SOME], (2, 3, 2), window=10, counts=True)
    assert made.x.dtype == np.uint16
    assert made.x[0, 0, 1, 2, 0] == 2
    assert made.x.sum() == 5


def test_polarity_is_ignored_where_there_is_one_channel_or_none() -> None:
    one, none = (bin_events([SOME], shape, window=10).x for shape in ((2, 3, 1), (2, 3)))
    assert np.array_equal(one[..., 0], none)
    assert none[0, 0].tolist() == [[False, True, False], [False, False, True]]


def test_addresses_of_one_dimension_need_no_rows() -> None:
    spikes = events([(5, 0.0), (3, 0.25), (5, 0.5)], [("x", "<u2"), ("t", "<f4")])
    made = bin_events([spikes], (6,), timesteps=2)
    assert np.argwhere(made.x[0]).tolist() == [[0, 3], [0, 5], [1, 5]] or made.x[0, 0, 5]
    assert made.x.shape == (1, 2, 6)
    assert made.num_cut == 0


def test_later_events_are_cut_off_and_shorter_recordings_end_in_silence() -> None:
    made = bin_events([SOME, SOME[:3]], (2, 3, 2), window=10, timesteps=2)
    assert made.x.shape[:2] == (2, 2)
    assert made.num_cut == 1
    assert not made.x[1, 1].any()


def test_polarities_may_be_signs() -> None:
    signed = events([(0, 0, 0, -1), (0, 0, 1, 1)], [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i1")])
    assert np.argwhere(bin_events([signed], (1, 1, 2), window=1).x[0]).tolist() == [[0, 0, 0, 0], [1, 0, 0, 1]]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1000), st.booleans()), min_size=1),
    st.integers(1, 40),
)
def test_counts_add_up_to_all_events(rows: list[tuple[int, int, int, bool]], steps: int) -> None:
    given_events = events(sorted(rows, key=lambda row: row[2]))
    made = bin_events([given_events], (3, 4, 2), timesteps=steps, counts=True)
    assert int(made.x.sum()) == len(rows)
    assert made.x.shape[1] == steps
    assert made.num_cut == 0


@pytest.mark.parametrize(
    ("given_events", "word"),
    [
        (SOME[::-1], "backwards at event 1"),
        (events([(3, 0, 0, True)]), "event 0 at 3, outside"),
        (events([(0, -1, 0, True)]), "event 0 at -1, outside"),
        (events([(0, 0, 0, 2)], [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i2")]), "polarity 2"),
        (events([(0, 0, 0)], [("x", "i2"), ("y", "i2"), ("when", "i8")]), "no numeric field called t or time"),
        (events([(0, 0, np.nan, 0)], [("x", "i2"), ("y", "i2"), ("t", "f8"), ("p", "i1")]), "nan as t of event 0"),
        (events([(np.inf, 0, 0, 0)], [("x", "f4"), ("y", "i2"), ("t", "f8"), ("p", "i1")]), "inf as x of event 0"),
        (np.zeros((4, 4)), "without named fields"),
        (SOME[:0], "have no events"),
    ],
)
def test_recordings_that_cannot_be_binned_say_where_and_what_to_do(given_events: Array, word: str) -> None:
    with pytest.raises(KgennError) as error:
        bin_events([given_events], (2, 3, 2), window=10)
    assert error.value.diagnostics[0].code == "KG611"
    assert word in error.value.diagnostics[0].what
    assert error.value.diagnostics[0].help


def test_rows_are_not_left_out_in_silence() -> None:
    with pytest.raises(KgennError, match=r"KG611.*has rows, and frames of shape \(6,\) have none"):
        bin_events([SOME], (6,), window=10)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": 0.0},
        {"window": float("nan")},
        {"window": "10"},
        {"timesteps": 0},
        {"timesteps": 1 << 24},
        {"timesteps": 2.5},
        {"timesteps": "3"},
    ],
)
def test_odd_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        bin_events([SOME], (2, 3, 2), **options)


@pytest.mark.parametrize("shape", [None, 3, "34", (3.0,), (), (2, 2, 2, 2), (0, 3)])
def test_odd_shapes_of_frames_are_refused(shape: Any) -> None:
    with pytest.raises(KgennError, match=r"KG401\] shape: "):
        bin_events([SOME], shape, window=10)


def test_the_command_reads_flat_and_structured_files_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = np.concatenate([SOME, SOME[:3]])
    starts, labels = np.array([0, 5]), np.array([3, 1])
    np.savez(tmp_path / "a.npz", events=both, starts=starts, labels=labels)
    np.savez(tmp_path / "b.npz", **{name: both[name] for name in "xytp"}, starts=starts, labels=labels)
    for name in "ab":
        command = ["frames", str(tmp_path / f"{name}.npz"), "--shape", "2,3,2", "--window", "10"]
        assert invoke([*command, "-o", str(tmp_path / f"{name}_frames.npz")]) == 0
    assert "2 samples of 4 frames of 2×3×2, 10 each" in capsys.readouterr().out
    assert (tmp_path / "a_frames.npz").read_bytes() == (tmp_path / "b_frames.npz").read_bytes()
    with np.load(tmp_path / "a_frames.npz") as found:
        assert np.array_equal(found["x"], bin_events([SOME, SOME[:3]], (2, 3, 2), window=10).x)
        assert np.array_equal(found["y"], labels)


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"t": np.arange(3), "x": np.arange(2)}, "KG611"),
        ({"events": SOME, "starts": np.array([1, 2])}, "KG611"),
        ({"events": SOME, "starts": np.array([0, 9])}, "KG611"),
        ({"events": SOME, "starts": np.array([0, 2]), "labels": np.array([1])}, "KG607"),
        ({"events": np.array([object()])}, "KG601"),
        ({"events": SOME, "starts": np.array([0, 2]), "y": np.array([1, 2])}, "KG611"),
        ({"t": np.arange(2), "x": np.arange(2), "images": np.zeros((2, 3))}, "KG611"),
    ],
)
def test_files_that_hold_no_recordings_are_refused(
    tmp_path: Path, arrays: dict[str, Any], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    command = ["frames", str(tmp_path / "a.npz"), "--shape", "2,3,2", "--window", "10"]
    assert invoke([*command, "-o", str(tmp_path / "out.npz")]) == 1
    assert code in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_counts_that_do_not_fit_are_refused_and_not_cut() -> None:
    many = np.zeros(65_536, TONIC)
    assert bin_events([many[1:]], (2, 3), window=10, counts=True).x.max() == 65_535
    with pytest.raises(KgennError, match=r"KG611.*recording 1: has 65,536 events of one address in one timestep"):
        bin_events([SOME, many], (2, 3), window=10, counts=True)
    assert bin_events([many], (2, 3), window=10).x.sum() == 1


@pytest.mark.parametrize("recordings", [SOME, None, "a.npz", 3])
def test_what_is_no_list_of_recordings_is_refused(recordings: Any) -> None:
    with pytest.raises(KgennError, match=r"KG611\] recordings: are(.|\n)*\[events\] for a single one"):
        bin_events(recordings, (2, 3, 2), window=10)


def test_events_without_polarity_fill_one_channel() -> None:
    bare = SOME[["x", "y", "t"]]
    with pytest.raises(KgennError, match=r"KG611.*no polarity(.|\n)*one channel, shape=\(2, 3, 1\)"):
        bin_events([bare], (2, 3, 2), window=10)
    assert bin_events([bare], (2, 3, 1), window=10, counts=True).x.sum() == len(SOME)


def test_the_command_names_the_file_and_says_which_recordings_are_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.npz", str(tmp_path / "out.npz")
    command = ["frames", str(path), "--shape", "2,3,2", "--window", "10", "-o", out]
    np.savez(path, events=SOME, starts=np.array([0, 5, 5]))
    assert invoke(command) == 0
    assert "2 of 3 recordings have no events" in capsys.readouterr().out
    np.savez(path, events=SOME[::-1])
    assert invoke(command) == 1
    assert f"error[KG611] {path}, recording 0: has times that run backwards" in capsys.readouterr().err
    np.savez(path, events=SOME[:0])
    assert invoke(command) == 1
    assert f"error[KG611] {path}, recordings: have no events" in capsys.readouterr().err


# The types of events that the readers and datasets of tonic 1.7 declare.
TONICS: dict[str, list[tuple[str, Any]]] = {
    "tonic.io.make_structured_array": [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)],
    "NMNIST, NCALTECH101, MVSEC": [("x", int), ("y", int), ("t", int), ("p", int)],
    "DVSGesture, DVSLip": [("x", np.int16), ("y", np.int16), ("p", bool), ("t", np.int64)],
    "ASLDVS, DAVISDATA, POKERDVS, VPR": [("t", int), ("x", int), ("y", int), ("p", int)],
    "CIFAR10DVS": [("t", np.uint64), ("x", np.uint16), ("y", np.uint16), ("p", bool)],
    "NERDD": [("t", np.int32), ("x", np.int16), ("y", np.int16), ("p", bool)],
    "TUMVIE": [("p", int), ("t", int), ("x", int), ("y", int)],
}


@pytest.mark.parametrize("dtype", TONICS.values(), ids=TONICS)
def test_every_order_of_fields_that_tonic_has_gives_the_same_frames(dtype: list[tuple[str, Any]]) -> None:
    theirs = np.empty(len(SOME), dtype)
    for name in "xytp":
        theirs[name] = SOME[name]
    assert np.array_equal(bin_events([theirs], (2, 3, 2), window=10).x, bin_events([SOME], (2, 3, 2), window=10).x)


def test_recordings_of_tonic_without_rows_are_of_one_dimension() -> None:
    spikes = np.array([(0, 699, 1), (1500, 3, 1)], [("t", int), ("x", int), ("p", int)])  # as SHD, SSC, SMNIST
    made = bin_events([spikes], (700,), window=1000)
    assert np.argwhere(made.x[0]).tolist() == [[0, 699], [1, 3]]
