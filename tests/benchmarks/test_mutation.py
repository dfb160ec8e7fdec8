"""The mutation check breaks one line at a time, code and not comments."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from benchmarks.mutation.__main__ import excluded, files_of
from benchmarks.mutation.mutants import mutants, sampled

SOURCE = """\
#include <vector>
// a < b + 1
{% for x in y %}
template <typename T>
void f(int n) {
    for (int i = 0; i < n; ++i) g(i);  // i < n
    total += 2;
    return total - 1;
}
"""


def test_each_mutant_differs_in_one_line_of_code() -> None:
    found = list(mutants(SOURCE, python=False))
    changes = [f"{m.number} {m.after.strip()}" for m in found]
    assert changes == [
        "6 for (int i = 0; i <= n; ++i) g(i);  // i < n",
        "6 for (int i = 1; i < n; ++i) g(i);  // i < n",
        "7 total = 2;",
        "7 total -= 2;",
        "7 total += 3;",
        "7 ",
        "8 return total + 1;",
        "8 return total - 2;",
    ]
    for mutant in found:
        lines = list(unified_diff(SOURCE.splitlines(), mutant.apply(SOURCE).splitlines(), n=0))[3:]
        assert len(lines) == 2


def test_a_docstring_has_no_mutants() -> None:
    source = '''def f(n):
    """Return n + 1.

    Args:
        n: 0 < n.
    """
    return n + 1
'''
    assert {m.number for m in mutants(source, python=True)} == {7}


@pytest.mark.parametrize("what", ["cpp", "genn", "python"])
def test_every_file_has_mutants_and_the_sample_is_the_same_each_time(what: str) -> None:
    texts = {name: path.read_text() for name, path in files_of(what).items()}
    found = {name: list(mutants(text, what != "cpp", excluded(text))) for name, text in texts.items()}
    assert all(found.values())
    assert all(m.apply(texts[name]) != texts[name] for name, many in found.items() for m in many)
    first, again, other = (sampled(found, 40, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert {name for name, _ in first} == set(texts)
