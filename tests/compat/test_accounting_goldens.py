"""sacct against the recorded session: same records, same command, same text."""

import io
import re
import shlex
from collections.abc import Mapping

import pytest

from slurm.commands import sacct
from slurm.commands.shell import Shell
from tests.compat import past
from tests.compat.lab import Outcome
from tests.compat.transcript import Entry, find, transcript

_HEAD = re.compile(r" \| head(?: -(?P<count>\d+))?$")
_SLUID = re.compile(r"\bs[0-9A-Z]{13}\b")
DIFFERENT = {
    "sacct -a -X -o All | head -3": "cells that hold ids of this very cluster, and PlannedCPU, which Slurm takes from a number that is not set",
    "sacct -a -X --json | head -400": "SLUIDs, which every cluster makes for itself",
}


def run(argv: list[str], environ: Mapping[str, str] | None = None, of: past.Past | None = None) -> Outcome:
    """One sacct against the past."""
    past.use_utc()
    out, err = io.StringIO(), io.StringIO()
    door = of or past.Past()
    shell = Shell("sacct", argv, environ or {}, io.BytesIO(), out, err, connect=lambda environ: door, now=lambda: past.NOW)
    status = sacct.main(shell)
    return Outcome(out.getvalue(), err.getvalue(), status)


def _entries() -> list[Entry]:
    return [entry for entry in transcript("accounting") if entry.program == "sacct"]


def _shown(entry: Entry) -> tuple[str, ...]:
    head = _HEAD.search(entry.command)
    outcome = run(shlex.split(_HEAD.sub("", entry.command))[1:])
    assert outcome.status == 0, outcome.stderr
    lines = tuple(outcome.stdout.split("\n")[:-1])
    return lines[: int(head["count"] or 10)] if head else lines


@pytest.mark.parametrize("entry", [entry for entry in _entries() if entry.command not in DIFFERENT], ids=lambda entry: f"{entry.where} {entry.command[:60]}")
def test_the_text_is_slurms(entry: Entry) -> None:
    assert _shown(entry) == entry.stdout


def test_the_json_is_slurms_but_for_ids_of_its_own() -> None:
    entry = find("accounting", "sacct -a -X --json | head -400")
    assert [_SLUID.sub("<sluid>", line) for line in _shown(entry)] == [_SLUID.sub("<sluid>", line) for line in entry.stdout]


def test_every_field_has_slurms_column() -> None:
    entry = find("accounting", "sacct -a -X -o All | head -3")
    assert _shown(entry)[:2] == entry.stdout[:2]
