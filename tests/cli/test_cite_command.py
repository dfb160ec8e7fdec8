"""`kgenn cite`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import kgenn as package
from commands import Kgenn, compile_arguments

ALWAYS = {"kgenn", "davidson2021", "horowitz2014", "yan2024"}


def keys(text: str) -> list[str]:
    return re.findall(r"^@[a-z]+\{(\w+),$", text, flags=re.MULTILINE)


def test_a_directory_s_works_are_printed_each_once(kgenn: Kgenn, compiled: Path) -> None:
    done = kgenn("cite", compiled)
    assert (done.code, done.err) == (0, "")
    assert sorted(keys(done.out)) == sorted({*ALWAYS, "diehl2015", "rueckauer2017", "kim2020"})
    assert package.open_directory(compiled).bibtex() == done.out


@pytest.mark.slow
def test_what_was_used_stands_in_the_manifest(kgenn: Kgenn, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert kgenn(*compile_arguments(output, "--converter", "few-spike", "--target", "reference")).code == 0
    report = kgenn("cite", output, "--json").json
    assert {entry["key"] for entry in report["references"]} == {
        *ALWAYS,
        "stoeckl2021",
        "nagel2019",
        "li2021calibration",
    }
    (entry,) = (e for e in report["references"] if e["key"] == "stoeckl2021")
    assert entry["used_for"] == ["the converter few-spike"]
    assert entry["fields"]["author"].startswith("Stöckl, Christoph")


def test_what_python_saved_names_its_works_too(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    package.open_directory(compiled, target="reference").save(tmp_path / "saved")
    assert kgenn("cite", tmp_path / "saved").out == kgenn("cite", compiled).out


def test_a_directory_without_a_converter_says_so(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    network = replace(package.open_directory(compiled).network, origin={})
    package.compile(network, "reference").save(tmp_path / "saved")
    done = kgenn("cite", tmp_path / "saved")
    assert done.out.startswith("% the directory does not name its converter")
    assert set(keys(done.out)) == ALWAYS


def test_one_method_s_works_need_no_directory(kgenn: Kgenn) -> None:
    assert keys(kgenn("cite", "--method", "burst").out) == ["li2022burst"]
    assert kgenn("cite", "--method", "none").out.startswith("%")
    assert kgenn("cite", "--method", "none", "--json").json == {"references": []}


def test_odd_requests_are_told(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    assert kgenn("cite").code == 2
    assert kgenn("cite", compiled, "--method", "burst").code == 2
    assert kgenn("cite", tmp_path).codes == ["KG605"]
    assert kgenn("cite", "--method", "bursts").codes == ["KG401"]
