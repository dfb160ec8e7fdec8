"""The documentation covers what there is, and names only what there is."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys

import pytest
from pages import DOCS, ROOT

import kgenn
from kgenn.conversion import CONVERTERS
from kgenn.diagnostic_codes import CODES
from kgenn.encoders import ENCODERS

ALL = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}


@pytest.mark.quick
def test_every_public_name_is_in_the_reference() -> None:
    page = ALL[DOCS / "reference" / "api.md"]
    documented = set(re.findall(r"auto(?:function|class|exception):: kgenn\.(\w+)$", page, flags=re.MULTILINE))
    assert documented == set(kgenn.__all__)


@pytest.mark.quick
def test_every_method_has_a_page_with_its_own_figures() -> None:
    for name in CONVERTERS.table:
        page = ALL[DOCS / "methods" / f"{name}.md"]
        for kind in (f"method {name}", f"options converter {name}", "neuron "):
            assert f"<!-- generated: {kind}" in page, name


@pytest.mark.quick
def test_pages_use_the_words_of_the_field() -> None:
    own = re.compile(r"\b(anew|audible|fate|told|worths?)\b", re.IGNORECASE)
    code = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
    found = {(page.name, word) for page, text in ALL.items() for word in own.findall(code.sub("", text))}
    assert found == set()
    assert own.findall(" ".join(CODES.values())) == []


@pytest.mark.quick
def test_pictures_are_there_and_small() -> None:
    named = {page.parent / p for page, text in ALL.items() for p in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)}
    assert len(named) > 5
    assert [path for path in named if not path.is_file()] == []
    assert [path for path in named if path.stat().st_size > 150_000] == []


@pytest.mark.quick
def test_tables_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.tables import pages

    made = pages()
    assert {page: ALL[page] for page in made} == made, "run: python -m benchmarks.tables"


@pytest.mark.quick
def test_every_encoder_has_its_options() -> None:
    page = ALL[DOCS / "concepts" / "encoders.md"]
    found = set(re.findall(r"generated: (?:options )?encoder ([\w-]+) -->", page))
    assert found == set(ENCODERS.table)


@pytest.mark.quick
def test_every_test_that_a_page_names_exists() -> None:
    found = [(path, name) for text in ALL.values() for path, name in re.findall(r"`(tests/\S+\.py)::(\w+)`", text)]
    assert found
    assert [f for f in found if f"def {f[1]}(" not in (ROOT / f[0]).read_text(encoding="utf-8")] == []


TERM = re.compile(r"^\| ([^|]+) \| [^|]+ \| (?:`([\w.]+)` )?\|$", re.MULTILINE)
GLOSSARY = TERM.findall(ALL[DOCS / "reference/glossary.md"])


@pytest.mark.quick
def test_the_glossary_has_every_term_once_and_in_order() -> None:
    terms = [term.lower() for term, _ in GLOSSARY]
    assert len(terms) > 50
    assert terms == sorted(set(terms))


@pytest.mark.quick
@pytest.mark.parametrize("place", sorted({place for _, place in GLOSSARY if place}))
def test_the_glossary_names_what_the_code_has(place: str) -> None:
    assert pkgutil.resolve_name(place) is not None


@pytest.mark.quick
def test_every_file_that_a_page_names_exists() -> None:
    found = {
        p
        for text in ALL.values()
        for p in re.findall(r"`((?:kgenn|tests|benchmarks|configs|templates)/\S*)`", text)
    }
    made = {"kgenn/conversion/sigma_norm.py", "templates/NAME/"}
    missing = [path for path in sorted(found - made) if not (ROOT / path.partition("::")[0]).exists()]
    assert missing == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return each built page by its name; fail on any warning."""
    pytest.importorskip("sphinx")
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return {
        p.relative_to(out).with_suffix("").as_posix(): p.read_text(encoding="utf-8") for p in out.rglob("*.html")
    }


@pytest.mark.slow
def test_all_pages_build_without_warnings(built: dict[str, str]) -> None:
    assert {p.relative_to(DOCS).with_suffix("").as_posix() for p in ALL} <= set(built)


@pytest.mark.slow
def test_built_pages_ask_nothing_of_other_machines(built: dict[str, str]) -> None:
    asked = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+\"")
    assert [hit for text in built.values() for hit in asked.findall(text)] == []


@pytest.mark.slow
def test_every_command_of_an_equation_is_drawn(built: dict[str, str]) -> None:
    equations = [m for text in built.values() for m in re.findall(r"<math.*?</math>", text, flags=re.DOTALL)]
    assert equations
    assert [equation for equation in equations if "\\" in equation] == []


@pytest.mark.slow
def test_every_diagnostic_has_a_place_to_link_to(built: dict[str, str]) -> None:
    page = built["reference/diagnostics"]
    assert [code for code in CODES if f'id="{code.lower()}"' not in page] == []
