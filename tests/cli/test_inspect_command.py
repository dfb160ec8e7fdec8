"""`kgenn inspect` and `kgenn list`."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from commands import IMAGES, MODEL, Kgenn, compile_arguments
from kgenn.artifact.directory import read_directory
from kgenn.conversion import CONVERTERS
from kgenn.diagnostic_codes import CODES
from kgenn.layers import LAYERS

PNG = b"\x89PNG\r\n"
SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter(f"{SVG}text")]


def test_a_directory_s_populations_and_connections_are_listed(kgenn: Kgenn, compiled: Path) -> None:
    report = kgenn("inspect", compiled, "--json").json
    network = read_directory(compiled).network
    assert report["kind"] == "network"
    assert [p["name"] for p in report["populations"]] == [p.name for p in network.populations]
    assert [p["neurons"] for p in report["populations"]] == [p.size for p in network.populations]
    assert [c["synapses"] for c in report["connections"]] == [int(c.fan_out().sum()) for c in network.connections]
    assert report["weight_bytes"] == sum(c.connectivity.weights.nbytes for c in network.connections)
    packed = [-(-c.connectivity.weights.size * c.weight_bits // 8) for c in network.connections]
    assert report["packed_bytes"] == sum(packed) < report["weight_bytes"]
    assert report["record"]["scale"] == "1/255"


def test_tables_of_a_directory_name_everything(kgenn: Kgenn, compiled: Path) -> None:
    done = kgenn("inspect", compiled)
    assert (done.code, done.err) == (0, "")
    for words in ("integrate-fire", "sum 2×2, convolution 3×3", "constant current", "318 kB of weights"):
        assert words in done.out


@pytest.mark.slow
def test_a_staged_network_tells_its_latency_and_counts_state_in_double_precision(
    kgenn: Kgenn, tmp_path: Path
) -> None:
    arguments = compile_arguments(tmp_path / "out", "--converter", "few-spike", "--target", "reference")
    assert kgenn(*arguments).code == 0
    assert "8 timesteps, latency 35; binary code, encoder direct" in kgenn("inspect", tmp_path / "out").out
    sizes = [p["state_bytes"] for p in kgenn("inspect", tmp_path / "out", "--json").json["populations"]]
    assert sizes == [0, 8 * 9216, 8 * 4608, 8 * 64, 8 * 10]


def test_a_model_s_layers_are_listed_with_parameters_and_macs(kgenn: Kgenn) -> None:
    report = kgenn("inspect", MODEL, "--json").json
    assert (report["kind"], report["parameters"], report["macs"]) == ("model", 79376, 968320)
    assert sum(layer["macs"] for layer in report["layers"]) == 968320
    assert "5×5, 16 filters, valid, ReLU" in kgenn("inspect", MODEL).out


@pytest.mark.parametrize("of_model", [True, False])
def test_a_picture_shows_every_box_and_label(kgenn: Kgenn, compiled: Path, tmp_path: Path, of_model: bool) -> None:
    path = tmp_path / "new" / "picture.svg"
    assert kgenn("inspect", MODEL if of_model else compiled, "--picture", path).code == 0
    shown = texts(path)
    if of_model:
        assert "conv1 (Conv2D)" in shown
    else:
        assert "conv1" in shown
        assert "sum 2×2, convolution 3×3 · 2,367,488 synapses" in shown


def test_a_picture_is_the_same_every_time(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        assert kgenn("inspect", compiled, "--picture", tmp_path / name).code == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("of_model", [True, False])
def test_a_picture_can_be_a_png(kgenn: Kgenn, compiled: Path, tmp_path: Path, of_model: bool) -> None:
    path = tmp_path / "picture.png"
    assert kgenn("inspect", MODEL if of_model else compiled, "--picture", path).code == 0
    assert path.read_bytes().startswith(PNG)
    assert kgenn("inspect", compiled, "--picture", tmp_path / "picture.jpg").codes == ["KG401"]


def test_the_spikes_of_a_trace_are_drawn(kgenn: Kgenn, compiled: Path, tmp_path: Path) -> None:
    trace, png, svg = (tmp_path / name for name in ("trace.npz", "raster.png", "raster.svg"))
    assert kgenn("run", compiled, "--data", IMAGES, "--limit", 2, "--trace", trace).code == 0
    assert kgenn("inspect", compiled, "--raster", trace, "--sample", 1, "--picture", png).code == 0
    assert kgenn("inspect", compiled, "--raster", trace, "--picture", svg).code == 0
    assert png.read_bytes().startswith(PNG)
    assert all(name in svg.read_text() for name in ("conv1:", "conv2:", "dense1: 64 neurons"))
    assert kgenn("inspect", compiled, "--raster", trace, "--sample", 2, "--picture", png).codes == ["KG401"]
    assert kgenn("inspect", compiled, "--raster", IMAGES, "--picture", png).codes == ["KG601"]
    assert kgenn("inspect", compiled, "--raster", trace, "--picture", trace).codes == ["KG606"]
    assert kgenn("inspect", compiled, "--raster", trace).code == 2
    assert kgenn("inspect", MODEL, "--raster", trace, "--picture", png).code == 2


def test_what_is_neither_directory_nor_model_is_told(kgenn: Kgenn, tmp_path: Path) -> None:
    assert kgenn("inspect", tmp_path).codes == ["KG605"]
    assert kgenn("inspect", tmp_path / "none.h5").codes == ["KG101"]
    (tmp_path / "saved_model.pb").touch()
    assert kgenn("inspect", tmp_path).codes == ["KG104"]
    assert kgenn("inspect", MODEL, "--picture", tmp_path).codes == ["KG606"]


def test_list_gives_every_name(kgenn: Kgenn) -> None:
    report = kgenn("list", "--json").json
    assert [row["name"] for row in report["methods"]] == list(CONVERTERS.names())
    assert [row["name"] for row in report["layers"]] == list(LAYERS.names())
    assert [row["code"] for row in report["diagnostics"]] == sorted(CODES)
    tables = {"methods", "encoders", "targets", "layers", "operations", "features", "diagnostics", "plug-ins"}
    assert set(report) == tables | {"tasks"}
    for rows in (rows for kind, rows in report.items() if kind != "plug-ins"):
        assert all(row["description"] for row in rows)


@pytest.mark.parametrize("what", ["methods", "encoders", "targets", "layers", "features", "tasks", "diagnostics"])
def test_each_list_prints_each_name(kgenn: Kgenn, what: str) -> None:
    rows = kgenn("list", what, "--json").json[what]
    table = " ".join(kgenn("list", what).out.split())
    for row in rows:
        assert row.get("name", row.get("code")) in table
