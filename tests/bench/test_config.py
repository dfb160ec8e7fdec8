"""Configurations: what they expand to, and that each mistake is named with its file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kgenn.bench.config import read_configs
from kgenn.bench.config_file import read_toml
from kgenn.bench.experiment import Experiment
from kgenn.conversion.few_spike import FewSpike
from kgenn.diagnostics import KgennError
from kgenn.passes import LoweringOptions
from kgenn.tasks.goal import Choice
from kgenn.timestep_search import TimestepSearch
from sweeps import HEAD, ROOT, written

pytestmark = pytest.mark.quick

CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
START = 'title = "a"\nmodels = "m"\ndata = "d"\n'


def read(directory: Path, text: str) -> Experiment:
    (experiment,) = read_configs([written(directory, text)])
    return experiment


def axes(experiment: Experiment, *names: str) -> list[tuple[object, ...]]:
    return [tuple(cell.axes.get(name) for name in names) for cell in experiment.cells]


def test_the_lists_of_a_sweep_multiply_and_the_last_one_runs_fastest(tmp_path: Path) -> None:
    found = read(tmp_path, START + '[[sweep]]\nconverter = ["few-spike", "ttfs"]\ntimesteps = [4, 8]\n')
    expected = [("few-spike", 4), ("few-spike", 8), ("ttfs", 4), ("ttfs", 8)]
    assert axes(found, "converter", "timesteps") == expected


def test_sweeps_follow_each_other_and_a_cell_of_two_sweeps_is_there_once(tmp_path: Path) -> None:
    sweeps = (
        '[[sweep]]\nconverter = "ttfs"\ntimesteps = [8, 16]\n[[sweep]]\nconverter = "ttfs"\ntimesteps = [16, 32]\n'
    )
    assert axes(read(tmp_path, START + sweeps), "timesteps") == [(8,), (16,), (32,)]


def test_what_a_sweep_does_not_say_is_as_on_the_command_line(tmp_path: Path) -> None:
    (cell,) = read(tmp_path, START + 'converter = "few-spike"\n').cells
    assert dict(cell.axes) == {
        "model": "m",
        "converter": "few-spike",
        "encoder": "direct",
        "timesteps": FewSpike.default_timesteps,
        "target": "cpu",
        "seed": 0,
    }
    assert (cell.setup.recipe.readout, cell.setup.calibration.samples, cell.setup.calibration.split) == (
        FewSpike.readouts[0],
        1024,
        "train",
    )


def test_an_option_applies_to_the_converters_that_have_it(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        START + 'converter = ["data-norm", "few-spike"]\npercentile = [99, 99.9]\nscale-rule = "percentile"\n',
    )
    assert axes(found, "converter", "percentile", "scale-rule") == [
        ("data-norm", 99.0, None),
        ("data-norm", 99.9, None),
        ("few-spike", 99.0, "percentile"),
        ("few-spike", 99.9, "percentile"),
    ]


def test_an_option_that_a_converter_lacks_makes_no_second_cell_of_it(tmp_path: Path) -> None:
    found = read(tmp_path, START + 'converter = ["none", "burst"]\ngamma = [2, 3]\n')
    assert axes(found, "converter", "gamma") == [("none", None), ("burst", 2), ("burst", 3)]


def test_every_option_of_the_lowering_reaches_the_cells(tmp_path: Path) -> None:
    text = 'converter = "few-spike"\nresidual = "identity"\npooling = "fold"\npieces = [4, 16]\n'
    found = [cell.setup.recipe.lowering for cell in read(tmp_path, START + text).cells]
    assert found == [LoweringOptions("identity", "fold", 4), LoweringOptions("identity", "fold", 16)]


def test_weight_bits_are_numbers_or_auto(tmp_path: Path) -> None:
    found = read(tmp_path, START + 'converter = "few-spike"\nweight-bits = [8, "auto"]\n')
    assert [cell.setup.recipe.lowering.weight_bits for cell in found.cells] == [8, "auto"]
    for value in ("3", "17", "8.5", '"foo"', "true"):
        with pytest.raises(KgennError, match=r"KG620.*weight"):
            read(tmp_path, START + f'converter = "few-spike"\nweight-bits = {value}\n')


def test_a_task_holds_for_the_models_of_its_table(tmp_path: Path) -> None:
    sweeps = '[[sweep]]\nconverter = "few-spike"\ntask = "binary"\nmetric = "f1"\nthreshold = 0\n'
    found = [cell.setup.kinds for cell in read(tmp_path, START + sweeps).cells]
    both = found[-1].choices(("one", "two"))
    assert both == dict.fromkeys(("one", "two"), Choice("binary", "f1", 0.0))
    with pytest.raises(KgennError, match="KG620"):
        read(tmp_path, START + sweeps.replace('"binary"', '"class"'))
    with pytest.raises(KgennError, match="KG620"):
        read(tmp_path, START + sweeps.replace("= 0", "= true"))


def test_an_input_shape_holds_for_the_models_of_its_table(tmp_path: Path) -> None:
    sweeps = '[[sweep]]\nconverter = "ttfs"\n[[sweep]]\nconverter = "ttfs"\ninput-shape = [64, 64, 3]\n'
    found = [cell.setup.input_shape.given for cell in read(tmp_path, START + sweeps).cells]
    assert found == [None, (64, 64, 3)]


def test_timesteps_may_be_searched_for_beside_numbers(tmp_path: Path) -> None:
    found = read(tmp_path, START + 'converter = "few-spike"\ntimesteps = ["auto", 4]\nloss = [0.5, 1]\n')
    assert axes(found, "timesteps", "loss") == [("auto", 0.5), ("auto", 1.0), (4, None)]
    assert [cell.setup.timesteps for cell in found.cells] == [TimestepSearch(0.5), TimestepSearch(1), 4]


def test_each_option_of_lowering_reaches_the_cells(tmp_path: Path) -> None:
    text = 'converter = "few-spike"\nresidual = "identity"\npooling = "fold"\npieces = [4, 16]\n'
    found = [cell.setup.recipe.lowering for cell in read(tmp_path, START + text).cells]
    assert found == [LoweringOptions("identity", "fold", pieces) for pieces in (4, 16)]


def test_an_inner_table_wins_over_the_one_around_it(tmp_path: Path) -> None:
    text = START + (
        'converter = "ttfs"\ntimesteps = 8\n[[experiment]]\nname = "one"\n[[experiment]]\nname = "two"\n'
        'title = "b"\n[[experiment.sweep]]\n[[experiment.sweep]]\ntimesteps = 16\n'
    )
    one, two = read_configs([written(tmp_path, text)])
    assert (one.name, one.title, two.name, two.title) == ("small/one", "a", "small/two", "b")
    assert (axes(one, "timesteps"), axes(two, "timesteps")) == ([(8,)], [(8,), (16,)])


def test_paths_count_from_the_configuration_and_names_do_not(tmp_path: Path) -> None:
    text = 'title = "a"\nmodels = ["nets/m.h5", "vgg13"]\ndata = "x.npz"\nconverter = "none"\n'
    first, second = read(tmp_path, text).cells
    assert (first.setup.model.name, first.setup.model.path) == ("m", tmp_path / "nets/m.h5")
    assert (second.setup.model.name, second.setup.model.path) == ("vgg13", None)
    assert first.setup.data.source.path == tmp_path / "x.npz"


def test_a_limit_of_the_command_line_holds_where_it_is_smaller(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + 'converter = "none"\n')
    limits = [read_configs([path], limit)[0].cells[0].setup.data.limit for limit in (None, 5, 500)]
    assert limits == [20, 5, 20]


# (what follows line 3, the line that is named, words of the diagnostic)
MISTAKES = [
    ('converter = "few-spik"', 4, "did you mean 'few-spike'?"),
    ('convertr = "few-spike"', 4, "unknown key 'convertr'"),
    ('converter = "few-spike"\nchanelwise = true', 5, "did you mean 'channelwise'?"),
    ('converter = "few-spike"\nscale_rule = "maximum"', 5, "did you mean 'scale-rule'?"),
    ('converter = [\n  "ttfs",\n  "tfs",\n]', 6, "did you mean 'ttfs'?"),
    ('converter = "ttfs"\ntimesteps = "8"', 5, "give a whole number or 'auto'"),
    ('converter = "ttfs"\ntimesteps = [8, 0]', 5, "at least 1"),
    ('converter = "ttfs"\ntimesteps = 8.0', 5, "give a whole number"),
    ('converter = "ttfs"\nseed = -1', 5, "seed is -1"),
    ('converter = "ttfs"\nchannelwise = 1', 5, "give true or false"),
    ('converter = "data-norm"\npercentile = [99.9,\n  101]', 6, "percentile is 101"),
    ('converter = "few-spike"\ntimesteps = 13', 5, "at most 12"),
    ('converter = "few-spike"\nencoder = ["direct", "poisson"]', 5, "does not work with the converter few-spike"),
    ('converter = "few-spike"\nencoder = { image = "poisson" }', 5, "does not work with the converter few-spike"),
    ('converter = "data-norm"\nencoder = { image = "poison" }', 5, "did you mean 'poisson'?"),
    ('converter = "data-norm"\nencoder = { image = 3 }', 5, "give a string"),
    ('converter = "data-norm"\ninput-shape = { image = [4, 0] }', 5, "at least 1"),
    ('converter = "few-spike"\nreadout = "spike-count"', 5, "has no readout"),
    ('converter = "data-norm"\ngamma = 3', 5, "converter burst"),
    ('converter = "data-norm"\nloss = 3', 5, "timesteps auto"),
    ('converter = "data-norm"\nbinarise = 0.5', 5, "encoder spike"),
    ('converter = "ttfs"\nscale-rule = "maximun"', 5, "did you mean 'maximum'?"),
    ('converter = "ttfs"\ntarget = "gpu"', 5, "known: cpu, cuda, genn-cpu"),
    ('converter = "ttfs"\nallow = ["bias", "max-pol"]', 5, "did you mean 'max-pool'?"),
    ('converter = "ttfs"\nresidual = "straight"', 5, "known: direct, identity"),
    ('converter = "ttfs"\npieces = [8, 0]', 5, "1 to 256"),
    ('converter = "ttfs"\npieces = [\n  8,\n  257,\n]', 7, "1 to 256"),
    ('converter = "ttfs"\npieces = 8.0', 5, "give a whole number"),
    ('converter = "ttfs"\nkind = "tabel"', 5, "did you mean 'table'?"),
    ('converter = "ttfs"\nrows = ["converter", "gama"]', 5, "gama"),
    ('converter = "ttfs"\nscale = "0/255"', 5, "positive number"),
    ('converter = "ttfs"\nlimit = 0', 5, "at least 1"),
    ('converter = "ttfs"\ninput-shape = [8,\n  0]', 6, "at least 1"),
    ('converter = "ttfs"\ninput-shape = "8,8"', 5, "give a whole number"),
    ('converter = "ttfs"\ntimesteps = []', 5, "empty list"),
    ('converter = "ttfs"\ncalibration = { sample = 3 }', 5, "did you mean 'samples'?"),
    ('converter = "ttfs"\n[calibration]\nsplit = "trains"', 6, "did you mean 'train'?"),
    ('converter = "ttfs"\n[sweep]\ntimesteps = 3', 5, "[[sweep]]"),
    ('[[sweep]]\nconverter = "ttfs"\n\n[[sweep]]\ntitle = "b"', 8, "unknown key 'title'"),
    ('[[sweep]]\nconverter = "ttfs"\n\n[[sweep]]\ntimesteps = 3', 7, "has no converter"),
    ('converter = "ttfs"\n[[published]]\nwhere = { converter = "few-spike" }\naccuracy = 9', 6, "no cell has"),
    ('converter = "ttfs"\n[[published]]\nwhere = { convrter = "ttfs" }\naccuracy = 9', 6, "did you mean"),
    ('converter = "ttfs"\n[[published]]\nwhere = { converter = "ttfs" }\naccuracy = "9"', 7, "give a number"),
    (
        'converter = "ttfs"\n[[published]]\nwhere = { converter = "ttfs" }\nacuracy = 9',
        7,
        "did you mean 'accuracy'?",
    ),
    ('converter = "ttfs"\n[[published]]\nwhere = { converter = "ttfs" }', 5, "gives no figure"),
    ('converter = "ttfs"\nconverter = "none"', 5, "is not TOML"),
    ('converter = "ttfs', 4, "is not TOML"),
]


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES)
def test_a_mistake_is_one_error_that_names_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = written(tmp_path, f"{START}{text}\n")
    with pytest.raises(KgennError) as caught:
        read_configs([path])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "KG620"
    assert diagnostic.where == f"{path}:{line}"
    assert words in f"{diagnostic.what} {diagnostic.help}"


def test_a_missing_key_names_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'models = "m"\ndata = "d"\nconverter = "ttfs"\n')
    with pytest.raises(KgennError, match="has no title") as caught:
        read_configs([path])
    assert caught.value.diagnostics[0].where == str(path)


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{START}convertr = 1\nseeds = 1\n", name) for name in ("a.toml", "b.toml")]
    with pytest.raises(KgennError) as caught:
        read_configs([*paths, tmp_path / "c.toml"])
    places = [diagnostic.where for diagnostic in caught.value.diagnostics]
    assert places == [f"{path}:{line}" for path in paths for line in (4, 5)] + [str(tmp_path / "c.toml")]


def test_two_experiments_of_one_name_are_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, f'{START}converter = "ttfs"\n')
    with pytest.raises(KgennError, match="names two experiments"):
        read_configs([path, path])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_shipped_configuration_expands_and_its_published_figures_meet_cells(path: Path) -> None:
    experiments = read_configs([path])
    assert all(experiment.cells for experiment in experiments)
    figures = [(e, p) for e in experiments for p in e.published]
    assert all(any(p.matches(cell.axes) for cell in e.cells) for e, p in figures)


def test_all_shipped_configurations_go_together() -> None:
    assert len(CONFIGS) == 13
    assert sum(len(e.cells) for e in read_configs(CONFIGS)) > 250


def test_the_example_of_the_format_expands(tmp_path: Path) -> None:
    text = (ROOT / "configs/README.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = read(tmp_path, example)
    assert len(found.cells) == 2 * 2 * 2 * 2 * 2 + 2
    assert found.published[0].spikes_per_neuron == 1.3


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_shipped_configuration_is_listed_with_its_cells(path: Path) -> None:
    lines = (ROOT / "configs/README.md").read_text().splitlines()
    (row,) = (line for line in lines if f"`{path.name}`" in line)
    cells = sum(len(experiment.cells) for experiment in read_configs([path]))
    assert re.search(rf"\| {cells}( each)? \|$", row)


# (file, steps, line)
PLACES: list[tuple[str, tuple[str | int, ...], int]] = [
    ("[[a]]\nx = 1\n[[b]]\ny = 1\n[[a]]\nx = 2\n", ("a", 1), 5),
    ("[[a]]\nx = 1\n[[b]]\ny = 1\n[[a]]\nx = 2\n", ("a", 1, "x"), 6),
    ("[x.y]\na = 1\n[z]\nq = 1\n[x.w]\nb = 2\n", ("x", "w"), 5),
    ("[x.y]\na = 1\n", ("x",), 1),
    ("a.b = 1\nc = 2\na.d = 3\n", ("a", "d"), 3),
    ("\n'a b' = 1\nc = '''\n1\n2'''\nd = 2\n", ("d",), 6),
    ("\n'a b' = 1\nc = '''\n1\n2'''\nd = 2\n", ("c",), 3),
    ('c = """\n1"""\n', ("c",), 1),
    ("a = [ # one\n 1, # two\n 2,\n]\n", ("a",), 1),
    ("a = [ # one\n 1, # two\n 2,\n]\n", ("a", 1), 3),
    ("a = [\n { b = 1 },\n { b = 2 },\n]\n", ("a", 1, "b"), 3),
    ("\r\na = { b = { c = 1 } }\r\n", ("a", "b", "c"), 2),
]


@pytest.mark.parametrize(("text", "steps", "line"), PLACES)
def test_a_place_has_the_line_where_it_begins(
    tmp_path: Path, text: str, steps: tuple[str | int, ...], line: int
) -> None:
    path = tmp_path / "places.toml"
    path.write_bytes(text.encode())
    _, place = read_toml(path)
    for step in steps:
        place /= step
    assert place.line == line
