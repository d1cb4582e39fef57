"""Slurm's little languages, read and shown as in the recorded sessions."""

import re
import shlex

import pytest

from slurm.notation import duration, hostlist
from slurm.notation.errors import NotationError
from tests.compat.transcript import all_transcripts, find, transcript


def test_host_names_are_expanded_as_scontrol_does() -> None:
    entry = find("scontrol", "scontrol show hostnames cn[01-03,07],gpu5")
    assert tuple(hostlist.expand(shlex.split(entry.command)[-1])) == entry.stdout


def test_host_lists_are_compressed_as_scontrol_does() -> None:
    entry = find("scontrol", "scontrol show hostlist cn01,cn02,cn03,gpu5")
    assert (hostlist.compress(shlex.split(entry.command)[-1].split(",")),) == entry.stdout


def test_sorted_host_lists_are_compressed_as_scontrol_does() -> None:
    entry = find("scontrol", "scontrol show hostlistsorted cn03,cn01")
    assert (hostlist.compress(shlex.split(entry.command)[-1].split(","), sort=True),) == entry.stdout


def test_every_node_list_that_was_printed_is_read_and_shown_the_same() -> None:
    printed = {match for entry in all_transcripts() for line in entry.stdout for match in re.findall(r"\b[Nn]odeList=(cn\S+)", line)}
    assert len(printed) >= 3
    assert {hostlist.compress(hostlist.expand(text)) for text in printed} == printed


@pytest.mark.parametrize("key", ["TimeLimit", "MaxTime", "RunTime", "DefaultTime"])
def test_every_duration_that_was_printed_is_read_and_shown_the_same(key: str) -> None:
    printed = {
        match for entry in transcript("scontrol") for line in entry.stdout for match in re.findall(rf"\b{key}=([\d:-]+)(?:\s|$)", line)
    }
    assert printed
    assert {duration.show_clock(duration.parse(text)) for text in printed} == printed


def test_durations_refused_by_slurm_are_refused() -> None:
    for entry in transcript("errors"):
        if any("Invalid --time specification" in line for line in entry.stderr):
            words = shlex.split(entry.command)
            with pytest.raises(NotationError):
                duration.parse(words[words.index("-t") + 1])
