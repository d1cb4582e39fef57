"""squeue, sinfo and scontrol against the recorded sessions: same cluster, same command, same text."""

import re
import shlex

import pytest

from slurm.commands import scontrol, sinfo, squeue
from tests.compat import lab
from tests.compat.differences import DIFFERENCES, LATER, equals_by_id, without_facts_of_the_host
from tests.compat.transcript import Entry, find, transcript

PROGRAMS = {"squeue": squeue.main, "sinfo": sinfo.main, "scontrol": scontrol.main}
_HEAD = re.compile(r" \| head(?: -(?P<count>\d+))?$")
_FIRST_LATE = next(entry.line for entry in transcript("squeue") if entry.command == "squeue -j 86,89")


def _entries() -> list[Entry]:
    return [entry for name in ("squeue", "sinfo", "scontrol") for entry in transcript(name) if entry.program in PROGRAMS]


def _is_late(entry: Entry) -> bool:
    return entry.source != "squeue" or entry.line >= _FIRST_LATE


def _shown(entry: Entry) -> tuple[tuple[str, ...], lab.Outcome]:
    """What ours prints for it, as lines, cut where the recording was."""
    head = _HEAD.search(entry.command)
    words = shlex.split(_HEAD.sub("", entry.command))
    outcome = lab.run(PROGRAMS[entry.program], words, late=_is_late(entry), user=entry.user)
    lines = tuple(outcome.stdout.split("\n")[:-1])
    return (lines[: int(head["count"] or 10)] if head else lines), outcome


@pytest.mark.parametrize("entry", [e for e in _entries() if e.command not in LATER], ids=lambda e: f"{e.where} {e.command[:60]}")
def test_the_text_is_slurms(entry: Entry) -> None:
    shown, outcome = _shown(entry)
    _, settle = DIFFERENCES.get(entry.command, ("", equals_by_id))
    if " | " in entry.command:
        # A cut table may lack one of two jobs that tie: compare the lines that both have, whatever their order.
        settle_cut = DIFFERENCES.get(entry.command, ("", lambda lines: tuple(sorted(lines))))[1]
        ours, theirs = (set(settle_cut(without_facts_of_the_host(lines))) for lines in (shown, entry.stdout))
        assert len(ours & theirs) >= len(theirs) - 1, ours ^ theirs
    else:
        assert settle(without_facts_of_the_host(shown)) == settle(without_facts_of_the_host(entry.stdout))
    if entry.status is not None and not _HEAD.search(entry.command):
        assert outcome.status == entry.status


@pytest.mark.parametrize("entry", [e for e in _entries() if e.command not in LATER and e.stderr], ids=lambda e: f"{e.where} {e.command[:60]}")
def test_standard_error_begins_as_slurms(entry: Entry) -> None:
    _, outcome = _shown(entry)
    theirs = [line for line in entry.stderr if line]
    assert outcome.stderr.splitlines()[: len(theirs)] == theirs


def test_a_command_is_either_compared_or_set_aside_for_a_reason() -> None:
    commands = {entry.command for entry in _entries()}
    assert set(LATER) <= commands
    assert set(DIFFERENCES) <= commands


def test_nodes_in_detail_show_what_is_used_of_their_gres() -> None:
    theirs = find("scontrol", "scontrol show nodes cn04 -d").stdout
    ours = lab.run(scontrol.main, ["scontrol", "show", "nodes", "cn04", "-d"], late=True).stdout.splitlines()
    keys = [re.findall(r"(\w+)=", line) for line in theirs]
    assert [re.findall(r"(\w+)=", line) for line in ours] == keys
    assert "   GresUsed=gpu:a100:2(IDX:0-1)" in ours


def test_a_job_with_tied_priority_and_a_lower_id_comes_first() -> None:
    ids = lab.run(squeue.main, ["squeue", "-h", "-t", "PD", "-p", "debug", "-o", "%F"]).stdout.split()
    assert ids == ["88", "89", "90", "97", "63", "59", "91"]
