"""Suggestions for mistyped words."""

import pytest

from slurm.notation.nearest import nearest

OPTIONS = ["ntasks", "ntasks-per-node", "nodes", "nodelist", "mem", "mem-per-cpu", "tmp", "time", "time-min", "partition", "cpus-per-task"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--ntasks-per-node", "ntasks-per-node"),
        ("ntask-per-node", "ntasks-per-node"),
        ("tiem", "time"),
        ("tme", "time"),
        ("Partition", "partition"),
        ("partiton", "partition"),
        ("cpu-per-task", "cpus-per-task"),
        ("cpus", "cpus-per-task"),
        ("nods", "nodes"),
    ],
)
def test_a_mistyped_word_finds_what_was_meant(word: str, meant: str) -> None:
    assert nearest(word, OPTIONS) == meant


@pytest.mark.parametrize("word", ["bogus", "x", "", "zzzzzzzzzz"])
def test_a_word_that_is_near_to_nothing_finds_nothing(word: str) -> None:
    assert nearest(word, OPTIONS) is None


def test_nothing_is_nearest_to_no_candidates() -> None:
    assert nearest("time", []) is None
