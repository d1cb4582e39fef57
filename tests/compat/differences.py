"""Where our squeue, sinfo and scontrol print something else than the recorded sessions, each with the sentence that says why.

`docs/differences.md` tells users the same. What needs a later feature is not a difference: it stands in LATER.
"""

import re
from collections.abc import Callable, Sequence

Lines = tuple[str, ...]

_SLUID = re.compile(r"\bs[0-9A-Z]{13}\b")
_LAST_SCHED = re.compile(r"LastSchedEval=\S+")


def without_facts_of_the_host(lines: Sequence[str]) -> Lines:
    """Ids that every cluster makes for itself, and when the scheduler last looked, are facts of that run."""
    return tuple(_LAST_SCHED.sub("LastSchedEval=<moment>", _SLUID.sub("<sluid>", line)) for line in lines)


def equals_by_id(lines: Sequence[str]) -> Lines:
    """The lines of jobs 88, 89, 90 and of 59, 91, which tie, put in the order of their ids."""
    found = list(lines)
    _move_behind(found, _line_of(found, r"later|(?<![\w:.])90(?![\w:.])"), _line_of(found, r"post|(?<![\w:.])89(?![\w:.])"))
    _move_before(found, _line_of(found, r"(?<![\w:.])59(?![\w:.])"), _line_of(found, r"(?<![\w:.])91(?![\w:.])"))
    return tuple(found)


def start_times_by_id(lines: Sequence[str]) -> Lines:
    """`squeue --start`: jobs without a start time in the order of their ids."""
    found = list(lines)
    _move_before(found, _line_of(found, r"88_\["), _line_of(found, r"\b89\b"))
    return tuple(found)


def _line_of(lines: Sequence[str], pattern: str) -> int:
    return next((place for place, line in enumerate(lines) if re.search(rf"^\s*([^\s|]*\|)*({pattern})", line)), -1)


def _move_behind(lines: list[str], moved: int, other: int) -> None:
    if 0 <= moved < other:
        lines.insert(other, lines.pop(moved))


def _move_before(lines: list[str], moved: int, other: int) -> None:
    if 0 <= other < moved:
        lines.insert(other, lines.pop(moved))


def blocks_by_id(lines: Sequence[str]) -> Lines:
    """Steps in any order: as a set of blocks, sorted."""
    blocks = "\n".join(lines).split("\n\n")
    return tuple(sorted(block.strip("\n") for block in blocks if block.strip()))


def states_by_id(lines: Sequence[str]) -> Lines:
    """--only-job-state: which lines there are is checked elsewhere; here only how they look."""
    return (lines[0], *(line for line in lines[1:] if "63_[6-9]" in line))


ORDER = "Among jobs of equal priority, and of equal start time in --start, the lower job id comes first; Slurm leaves the order open."
STEPS = "`scontrol show steps` goes by job id; Slurm goes by its internal list."
STATES = "`squeue --only-job-state` has squeue's usual order; Slurm's is arbitrary."

DIFFERENCES: dict[str, tuple[str, Callable[[Sequence[str]], Lines]]] = {
    "squeue --start": (ORDER, start_times_by_id),
    "squeue --only-job-state | head -5": (STATES, states_by_id),
    "scontrol show steps": (STEPS, blocks_by_id),
}
"""Command → why, and what both sides go through before they are compared. All others go through `equals_by_id`, for ORDER."""

LATER: dict[str, str] = {
    "squeue -i 1 -h | head -3": "never ends; tested as a process",
    "squeue --yaml | head -80": "tested in test_structured_output",
    "squeue --json": "tested in test_structured_output",
    "sinfo --json | head -150": "tested in test_structured_output",
    "scontrol --json show partition gpu | head -60": "tested in test_structured_output",
    "sinfo -T": "is asked twice with other reservations; tested in tests/unit/render/test_reservation_text",
    "scontrol show config": "tested in the room of the configuration",
    "scontrol show lic": "licences come with their issue",
    "scontrol show assoc_mgr flags=qos | head -60": "of usage that is not in the records; tested in tests/unit/render/test_assoc_text",
    "scontrol show assoc_mgr users=alice flags=assoc | head -80": "of usage that is not in the records; tested in tests/unit/render/test_assoc_text",
    "scontrol show res -o": "shows a change made before; tested in tests/unit/render/test_reservation_text",
    "scontrol show reservation": "shows a change made before; tested in tests/unit/render/test_reservation_text",
    "scontrol create reservation ReservationName=maintenance starttime=now+1hour duration=120 user=root flags=maint,ignore_jobs nodes=ALL":
        "shows or makes a change; tested in tests/cluster/slurmctld/test_reservations",
    "scontrol create reservation starttime=now+3hours duration=60 users=alice nodecnt=1": "shows or makes a change; tested in tests/cluster/slurmctld/test_reservations",
    "scontrol update reservationname=maintenance duration=30": "shows or makes a change; tested in tests/cluster/slurmctld/test_reservations",
    "scontrol delete ReservationName=maintenance": "shows or makes a change; tested in tests/cluster/slurmctld/test_reservations",
    "scontrol delete ReservationName=nosuch": "shows or makes a change; tested in tests/cluster/slurmctld/test_reservations",
    "scontrol show job 89 | head -6": "shows a change made before; tested with slurmctld",
    "scontrol update jobid=999999 timelimit=3": "decided by slurmctld; tested with it",
    "scontrol suspend 86": "suspending comes with its issue",
    "scontrol resume 86": "suspending comes with its issue",
    'squeue -h -j 86 -o "%i %t %T"': "suspending comes with its issue",
    'squeue -h -j 87 -o "%i %t %r"': "shows a change made before; tested with slurmctld",
    "scontrol write batch_script 86 -": "needs a script; tested in tests/unit/commands",
    "scontrol version": "the version is ours",
    "scontrol token username=alice": "decided by slurmctld; tested with it",
    "scontrol listpids": "of processes that run; tested in tests/system",
    "scontrol getent cn01 | head -3": "asking a slurmd comes with its issue",
    "scontrol show slurmd": "asking a slurmd comes with its issue",
    "scontrol show nodes cn04 -d": "recorded a minute later, with other load and boot times",
}
"""Recorded commands that are not compared here, and why."""
