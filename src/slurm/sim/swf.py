"""SWF: the Standard Workload Format of the Parallel Workloads Archive, read as arrivals. One job a line, eighteen numbers, -1 for unknown;
`;` comments.

Source: https://www.cs.huji.ac.il/labs/parallel/workload/swf.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slurm.core.events import Caller
from slurm.model.errors import InvalidRequest
from slurm.model.ids import Gid, Uid
from slurm.model.request import JobRequest
from slurm.sim.engine import Arrival

FIELDS = 18
_LONGEST_NUMBER = 13
LARGEST = 10.0**_LONGEST_NUMBER
"""No number of a trace is so large; in seconds it is 300,000 years."""
_SHOWN = 200
NUMBER, SUBMIT, RUN, PROCESSORS_USED, PROCESSORS, TIME, USER = 0, 1, 3, 4, 7, 8, 11


def read(lines: Iterable[str], *, exact: bool = False, start: float = 0.0) -> Iterator[Arrival]:
    """Arrivals in the order of the file; `exact`: users know how long their jobs run. InvalidRequest names a line that is none.

    Jobs that never ran or asked for no processors are left out, as the archive advises. `start` is the epoch time of the trace's second 0.
    """
    for number, line in enumerate(lines, 1):
        text = line.partition(";")[0].split()
        if not text:
            continue
        try:
            fields = [float(field) for field in text]
        except ValueError:
            fields = []
        if len(fields) != FIELDS or not all(abs(field) < LARGEST for field in fields):  # nan is not less than anything
            raise InvalidRequest(message=f"line {number} is no job of the Standard Workload Format: {FIELDS} numbers are expected",
                hints=[line.strip()[:_SHOWN]])
        processors = int(fields[PROCESSORS] if fields[PROCESSORS] > 0 else fields[PROCESSORS_USED])
        run = fields[RUN]
        if processors <= 0 or run < 0:
            continue
        limit = run if exact or fields[TIME] <= 0 else fields[TIME]
        user = max(0, int(fields[USER]))
        yield Arrival(
            at=start + fields[SUBMIT],
            request=JobRequest(name=f"swf{int(fields[NUMBER])}", work_dir="/", ntasks=processors, time_limit=max(1, int(limit))),
            caller=Caller(uid=Uid(10_000 + user), gid=Gid(10_000), user=f"user{user}", group="users"), run_seconds=run)


def heading(lines: Iterable[str], name: str) -> int:
    """The number that a comment at the head of a trace gives, such as "; MaxProcs: 100"; 0 where it gives none."""
    for line in lines:
        if line.strip() and not line.startswith(";"):
            break
        key, colon, value = line.lstrip("; ").partition(":")
        if colon and key.strip().lower() == name.lower():
            text = value.strip().partition(" ")[0]
            return int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else 0
    return 0
