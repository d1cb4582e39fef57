"""Writes docs/reference/limits.md from the bounds that the messages carry (slurm.model.bounds) and from what daemons grant (slurm.net.gate).

python docs/limits.py           writes the page
python docs/limits.py --check   status 1 when the page is not what the types say
"""

import sys
import typing
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec

from slurm.model import bounds
from slurm.model.accounting import JobFilter, UsageFilter
from slurm.model.policy_change import PolicySettings, Which
from slurm.model.request import BatchPayload, JobRequest, StepRequest
from slurm.model.settings import Settings
from slurm.net.gate import Limits
from slurm.slurmdbd.dispatch import Question
from slurm.wire import frames
from slurm.wire import messages as m
from slurm.wire import node_messages as n
from slurm.wire.dbd_messages import AskFor, RegisterCluster
from slurm.wire.relay_messages import SackdAccepted

PAGE = Path(__file__).resolve().parent / "reference" / "limits.md"

INTRODUCTION = """\
# Limits

What each field of each message may hold. Written by `make docs` from the types of the messages: `src/slurm/model/bounds.py` says how a bound is
written down and is the one place that enforces them, in the daemons, whatever the client was. A refusal names the field, its limit and what was sent.
Names, accounts and comments have Slurm's 1,024 characters; a limit that slurm.conf moves names its key. Fields that are only yes or no are not listed.

Numbers that no field has: an array has at most `MaxArraySize` tasks and a job depends on at most 2,000 others (see [compatibility](../compatibility.md)).

"""
RECORDS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("A job (`sbatch`, `salloc`, `srun`, REST, SDK)", JobRequest), ("Its script, arguments and environment", BatchPayload),
    ("A step (`srun` inside a job)", StepRequest), ("What picks jobs (`squeue`, `scancel`)", m.JobFilter),
    ("What picks jobs of the past (`sacct`)", JobFilter), ("What picks usage (`sreport`)", UsageFilter), ("What picks policy (`sacctmgr`)", Which),
    ("What policy is to say (`sacctmgr`)", PolicySettings))
MESSAGES: tuple[tuple[str, tuple[type[msgspec.Struct], ...]], ...] = (
    ("What commands ask of slurmctld", typing.get_args(m.Request)), ("What slurmd and sackd tell slurmctld", typing.get_args(n.FromNode)),
    ("What slurmctld orders of slurmd and sackd", (*typing.get_args(n.ToNode), SackdAccepted)), ("What srun asks of slurmd", (n.LaunchStep,)),
    ("What commands ask of slurmdbd", typing.get_args(Question)), ("What slurmctld says to slurmdbd", (RegisterCluster, AskFor)))


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "\n".join(chain(_records(), _messages(), _daemons())) + "\n"


def _records() -> Iterator[str]:
    for title, kind in RECORDS:
        yield f"## {title}\n"
        yield from _table(("field", "what it may hold"), ((f"`{name}`", text) for name, text in _rows(kind)))


def _messages() -> Iterator[str]:
    for title, kinds in MESSAGES:
        yield f"## {title}\n"
        yield from _table(("message", "field", "what it may hold"), (
            (f"`{kind.__name__}`", f"`{name}`", text) for kind in kinds for name, text in _rows(kind)))


def _rows(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Field → its bounds in words; of a list its own, then those of what is in it."""
    for name, found in bounds.bounds_of(kind).items():
        if found:
            told = "; each ".join(_words(bound) for bound in found if not isinstance(bound, bounds.Operator))
            yield name, "; ".join([told, *(str(bound) for bound in found if isinstance(bound, bounds.Operator))])


def _words(bound: object) -> str:
    if isinstance(bound, bounds.Text) and bound.setting:
        return f"{bound._replace(most=getattr(Settings(), bound.setting))}, unless slurm.conf says otherwise"
    return str(bound)


def _daemons() -> Iterator[str]:
    limits = Limits()
    yield "## What a daemon grants\n"
    yield from _table(("what", "how much"), (
        ("one message from who has not said who it is", _bytes(frames.MAX_HELLO)), ("one message", _bytes(frames.MAX_PAYLOAD)),
        ("parts of messages under way, all connections together", _bytes(limits.unfinished)),
        ("the same, of one user", f"{limits.user_unfinished:.0%} of that"),
        ("connections of one user", f"{limits.user_places:.0%} of the daemon's open files"),
        ("connections of one daemon with a certificate", str(limits.party)),
        ("connections that have not sent anything", f"{limits.strangers}, {limits.source_strangers} from one address"),
        ("requests under way, of one connection", f"{limits.requests:,}"), ("requests under way, of one user", f"{limits.user_requests:,}"),
        ("answers that one connection has not read", _bytes(limits.unsent)), ("answers that one user has not read", _bytes(limits.user_unsent)),
        ("time until the first message", f"{limits.silent:.0f} s"), ("time for the rest of a message", f"{limits.stalled:.0f} s"),
        ("lines in the log about connections that do not behave", f"{limits.complaints} a second; the rest are counted")))
    yield "root and SlurmUser are bounded by none of a user's shares."


def _bytes(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "| " + " | ".join("---" for _ in headings) + " |"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def main() -> int:
    """Writes or checks the page."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/reference/limits.md is not what the types say: run `make docs` and commit it", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
