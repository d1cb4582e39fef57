"""--licenses and Licenses=."""

import pytest

from slurm.model.errors import NotationError
from slurm.notation import licenses


@pytest.mark.parametrize(("text", "choices"), [
    ("", ()), ("(null)", ()), ("matlab", ((("matlab", 1),),)), ("matlab:4,ansys", ((("matlab", 4), ("ansys", 1)),)),
    ("matlab;ansys:2", ((("matlab", 1), ("ansys", 2)),)), ("matlab:4|octave", ((("matlab", 4),), (("octave", 1),))),
    ("nastran@slurmdb:12", ((("nastran@slurmdb", 12),),)), ("foo*3", ((("foo", 3),),)), (" a:1 , b ", ((("a", 1), ("b", 1)),)),
])
def test_a_request_is_ways_of_names_with_counts(text: str, choices: object) -> None:
    assert licenses.parse(text) == choices


@pytest.mark.parametrize("text", ["a,", ":3", "a:x", "a:-1", "a|b,c", "a,a", "a b", "a:99999999999", "a:4294967296", "a:１"])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        licenses.parse(text)
    assert licenses.names(text) == frozenset()


def test_totals_are_names_with_counts() -> None:
    assert licenses.parse_totals("matlab:10,ansys:4,spare:0") == {"matlab": 10, "ansys": 4, "spare": 0}
    with pytest.raises(NotationError):
        licenses.parse_totals("a|b")
    assert licenses.show({"matlab": 2, "b": 1}) == "matlab:2,b:1"
