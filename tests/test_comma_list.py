"""Lists with commas: what is written is read again, whatever names hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgenn.comma_list import entries, entry

pytestmark = pytest.mark.quick

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).map(str.strip).filter(bool)


@given(st.lists(NAMES, min_size=1))
def test_what_is_written_is_read_again(names: list[str]) -> None:
    assert entries(", ".join(map(entry, names))) == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bias", ["bias"]),
        ("bias,max-pool", ["bias", "max-pool"]),
        (" image=poisson,  meta=direct ", ["image=poisson", "meta=direct"]),
        ("", [""]),
        ("a,", ["a", ""]),
        ('"a,b=poisson", c=if', ["a,b=poisson", "c=if"]),
    ],
)
def test_entries_end_at_commas_outside_of_quotes(text: str, found: list[str]) -> None:
    assert entries(text) == found


@pytest.mark.parametrize("text", ['"a,b', '"a"b', "a\nb\rc"])
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a list"):
        entries(text)
