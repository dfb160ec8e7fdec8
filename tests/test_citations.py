"""Citations: every key is defined, the BibTeX parses, and a network's credits are what it is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import kgenn
from kgenn import __version__
from kgenn.artifact.credits import credits_of, method_credits
from kgenn.artifact.directory import Artifact
from kgenn.backends import TARGETS
from kgenn.citations import ENTRIES, REFERENCES, BibliographyEntry, bibtex, reference
from kgenn.conversion import CONVERTERS
from kgenn.conversion.burst import Burst
from kgenn.conversion.few_spike import FewSpike
from kgenn.diagnostics import KgennError
from kgenn.encoders import ENCODERS
from kgenn.ir.network import Network
from networks import ALLOW, build, samples
from recordings import converted

pytestmark = pytest.mark.quick

ALWAYS = {"kgenn", "davidson2021", "horowitz2014", "yan2024"}
NEEDED = {
    "article": {"author", "title", "journal", "volume", "pages", "year", "doi"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "software": {"author", "title", "version"},
    "misc": {"author", "title", "year", "eprint"},
}
ENTRY = re.compile(r"@([a-z]+)\{([a-z]+[0-9]*[a-z]*),\n((?:  [a-z]+ = \{.*\},\n)+)\}")
FIELD = re.compile(r"  ([a-z]+) = \{(.*)\},\n")


def parsed(text: str) -> tuple[str, str, dict[str, str]]:
    """Return (kind, key, fields) of one entry, and fail on anything that BibTeX could trip over."""
    found = ENTRY.fullmatch(text)
    assert found, text
    kind, key, body = found.groups()
    fields = FIELD.findall(body)
    assert len(dict(fields)) == len(fields), "a field twice"
    for _, value in fields:
        depth = 0
        for character in value:
            depth += {"{": 1, "}": -1}.get(character, 0)
            assert depth >= 0, value
        assert depth == 0, value
    return kind, key, dict(fields)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_every_entry_is_bibtex_with_the_fields_of_its_kind(entry: BibliographyEntry) -> None:
    text = bibtex(entry)
    kind, key, fields = parsed(text)
    assert (kind, key) == (entry.kind, entry.key)
    assert set(fields) == set(entry.fields) >= NEEDED[kind]
    assert text.isascii()
    assert fields["title"].startswith("{"), "capitals would be lost"
    for author in fields["author"].split(" and "):
        assert author.startswith("{") or re.fullmatch(r"[^,]+, [^,]+", author)
    assert not re.search(r"(?<!\\)[&%$#_]", fields["title"] + fields["author"])
    assert re.fullmatch(r"10\.\d{4,9}/\S+", fields.get("doi", "10.1000/none"))
    assert ("eprint" in fields) == ("archiveprefix" in fields)
    assert re.fullmatch(r"\d{4}\.\d{5}", fields.get("eprint", "0000.00000"))
    # the key's year is the work's
    assert re.sub(r"\D", "", key) == fields.get("year", "")


def test_keys_and_identifiers_are_unique() -> None:
    assert len(REFERENCES) == len(ENTRIES)
    dois = [entry.fields["doi"] for entry in ENTRIES if "doi" in entry.fields]
    assert len(set(dois)) == len(dois)


def test_accents_and_special_characters_are_spelt_as_latex_has_them() -> None:
    entry = BibliographyEntry("x", "software", {"author": "Müller & López, Ñ", "doi": "10.1000/a_b"})
    assert bibtex(entry) == (
        "@software{x,\n  author = {M{\\\"u}ller \\& L{\\'o}pez, {\\~N}},\n  doi = {10.1000/a_b},\n}"
    )


def test_every_key_named_in_the_code_is_defined() -> None:
    named = {key for name in CONVERTERS.names() for key in CONVERTERS.get(name).citations}
    named |= {key for name in ENCODERS.names() for key in ENCODERS.get(name).citations}
    named |= {key for name in TARGETS.names() for key in TARGETS.get(name).citations}
    assert named <= set(REFERENCES)


def test_a_converter_of_another_package_brings_its_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    work = BibliographyEntry("doe2026", "article", {"author": "Doe, Jørn", "title": "{Spikes}"})
    monkeypatch.setattr(Burst, "citations", (work, "deng2021"))
    assert [credit.reference for credit in method_credits("burst")] == [work, reference("deng2021")]
    assert "author = {Doe, Jørn}" in method_credits("burst")[0].bibtex


def test_an_unknown_key_lists_the_known_ones() -> None:
    with pytest.raises(KgennError, match=r"KG401.*diehl2016: unknown citation(.|\n)*did you mean 'diehl2015'"):
        reference("diehl2016")


def test_the_version_is_that_of_the_package() -> None:
    assert REFERENCES["kgenn"].fields["version"] == __version__


@pytest.mark.parametrize("name", CONVERTERS.names())
def test_a_method_s_credits_are_those_it_names(name: str) -> None:
    assert [credit.reference.key for credit in method_credits(name)] == list(CONVERTERS.get(name).citations)


def made(network: Network, target: str, origin: Mapping[str, Any] | None = None) -> Artifact:
    """Return a compiled network whose manifest says so."""
    return Artifact(replace(network, origin=origin or {}), target)


def origin(name: str, features: tuple[str, ...] = (), **options: object) -> dict[str, Any]:
    """Return what a manifest says."""
    return {"converter": {"name": name, "options": options}, "features": list(features)}


def with_identities(name: str) -> Artifact:
    """Return a network of `networks` with identity populations, if it has residual sums without ReLUs."""
    graph = build(name)
    network = kgenn.convert(graph, calibration=samples(graph, 8), timesteps=4, residual="identity", allow=ALLOW)
    return Artifact(network, "cpu")


CASES = {
    "plain": (made(converted("dense"), "cpu", origin("none")), set()),
    "genn": (made(converted("dense"), "genn-cuda", origin("none")), {"yavuz2016genn", "knight2021pygenn"}),
    "converter": (made(converted("dense"), "cpu", origin("data-norm")), {"diehl2015", "rueckauer2017", "kim2020"}),
    "options": (
        made(converted("dense"), "cpu", origin("data-norm", channelwise=False)),
        {"diehl2015", "rueckauer2017"},
    ),
    "encoder": (
        made(converted("dense", "few-spike", FewSpike(), num_timesteps=4), "cpu", origin("none")),
        {"stoeckl2021"},
    ),
    "identity": (
        with_identities("residual_plain"),
        {"sengupta2019", "diehl2015", "rueckauer2017", "kim2020"},
    ),
    "no identity": (
        with_identities("residual_relu"),
        {"diehl2015", "rueckauer2017", "kim2020"},
    ),
    "max pooling": (made(converted("max_pool_conv"), "cpu", origin("none")), {"li2022burst"}),
    "max pooling in stages": (
        made(converted("max_pool_conv", "direct", FewSpike(), num_timesteps=4), "cpu", origin("none")),
        set(),
    ),
    "bias": (made(converted("bias_conv"), "cpu", origin("none", features=("bias",))), {"rueckauer2017"}),
    "correction": (made(converted("bias_conv"), "cpu", origin("none")), set()),
    "batch norm": (
        made(converted("batch_norm_after_conv"), "cpu", origin("none", features=("batch-norm",))),
        {"rueckauer2017"},
    ),
    "of unknown origin": (made(converted("dense", "direct", FewSpike(), num_timesteps=4), "cpu"), set()),
}


@pytest.mark.parametrize("case", CASES)
def test_credits_are_exactly_what_a_network_used(case: str) -> None:
    artifact, expected = CASES[case]
    keys = [credit.reference.key for credit in credits_of(artifact)]
    assert len(set(keys)) == len(keys)
    assert set(keys) == ALWAYS | expected


def test_a_work_used_twice_is_credited_once_with_both_reasons() -> None:
    artifact = made(converted("bias_conv"), "cpu", origin("data-norm", features=("bias",)))
    (credit,) = (c for c in credits_of(artifact) if c.reference.key == "rueckauer2017")
    assert credit.reasons == ("the converter data-norm", "biases as constant currents")
    comment, _, entry = credit.bibtex.partition("\n")
    assert comment == "% the converter data-norm; biases as constant currents"
    assert parsed(entry)[1] == "rueckauer2017"


def test_a_converter_that_is_not_installed_is_kg401() -> None:
    with pytest.raises(KgennError, match="KG401"):
        credits_of(made(converted("dense"), "cpu", origin("elsewhere")))
