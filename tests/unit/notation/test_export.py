"""--export, with what a job printed for each form."""

import pytest

from slurm.notation import export

ENVIRON = {"FOO": "env", "QQ": "1", "PATH": "/bin", "SLURM_X": "3"}


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("ALL", ENVIRON),
        ("ALL,FOO=opt", ENVIRON | {"FOO": "opt"}),
        ("FOO,BAR=x", {"FOO": "env", "BAR": "x", "SLURM_X": "3"}),
        ("NONE", {"SLURM_X": "3"}),
        ("NIL", {"SLURM_X": "3"}),
        ("BAD", {"SLURM_X": "3"}),
        ("A='x,y',C=a=b,D=,NOSUCH,ALL", ENVIRON | {"A": "'x,y'", "C": "a=b", "D": ""}),
    ],
)
def test_export_chooses_the_variables_of_the_job(text: str, environment: dict[str, str]) -> None:
    assert export.apply(export.parse(text), ENVIRON) == environment


@pytest.mark.parametrize("text", ["ALL", "NONE", "NIL", "FOO,BAR=x", "ALL,FOO=opt"])
def test_an_export_shows_as_it_was_written(text: str) -> None:
    assert export.show(export.parse(text)) == text


def test_an_open_quote_does_not_lose_the_rest() -> None:
    assert export.parse("A='x,B=2").values == (("A", "'x,B=2"),)
