"""What a cluster's commands say about its jobs, partitions and nodes, as rows with types. Holds for Slurm 22.05 and later and for ours.
Refusals of theirs are errors with the names that the cluster has not.

`ask` is the method of a backend. What the rows look like to people, and what a reason means, is not here (`reasons`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from slurm.notation import array, filenames, tres
from slurm.notation.errors import NotationError
from slurm.notation.filenames import Fields
from slurm.sdk.backends.backend import JOBS_A_QUESTION
from slurm.sdk.errors import BackendCommandError
from slurm.sdk.following.status import Status, sentence

NO_ACCOUNTING = ("accounting storage is disabled", "not found", "not on PATH")
"""In what sacct and sreport say where no accounts are kept."""
_NAMED = re.compile(r"(?:sbatch|srun|salloc|squeue|sinfo|scancel|scontrol|sacct): (?:(?:error|hint|fatal|warning): )?")
_USER = re.compile(r"Invalid user: (.+)")
_STATE = re.compile(r"Invalid job state specified: (.+)")
_STATES = re.compile(r"Valid job states include: (.+)")


class UnknownName(BackendCommandError):
    """The cluster has nothing of this name; `valid` is what it has, where it says so."""

    kind = "thing"

    def __init__(self, name: str, valid: Iterable[str] = ()) -> None:
        self.name, self.valid = name, list(valid)
        super().__init__(f"there is no {self.kind} {name}" + (f"\nvalid: {', '.join(self.valid)}" if self.valid else ""))


class UnknownUser(UnknownName):
    """Where the cluster is, nobody has this name."""

    kind = "user"


class UnknownState(UnknownName):
    """Jobs have no such state."""

    kind = "job state"


class UnknownPartition(UnknownName):
    """The cluster has no such partition, or does not show it to the user."""

    kind = "partition"


def lines(said: str) -> list[str]:
    """What a command wrote to standard error, without "squeue: error: " and the like."""
    return [_NAMED.sub("", line, count=1) if _NAMED.match(line) else line for line in said.splitlines()]


def told(error: BackendCommandError) -> BackendCommandError:
    """squeue's refusal of a user or state as such; any other error as it is."""
    text = str(error)
    if found := _USER.search(text):
        return UnknownUser(found[1].strip())
    if found := _STATE.search(text):
        valid = _STATES.search(text)
        return UnknownState(found[1].strip(), valid[1].strip().split(",") if valid else ())
    return error


Ask = Callable[[Sequence[str]], str]
ROW, CELL = "\x1e", "\x1f"
"""The separators of ASCII: no name that can be typed holds them."""
NOTHING = frozenset(("(null)", "N/A", "n/a", "None", "Unknown", "NONE"))
QUEUE = ("%i", "%A", "%F", "%T", "%u", "%P", "%a", "%q", "%D", "%C", "%m", "%N", "%V", "%S", "%e", "%M", "%l", "%Q", "%E", "%r", "%o", "%j")
PARTITIONS = ("%P", "%a", "%l", "%D", "%T", "%C", "%m", "%G", "%N")
_TEXTS = frozenset(("Command", "SubmitLine", "WorkDir", "StdErr", "StdIn", "StdOut", "Comment", "AdminComment", "SystemComment", "Extra",
    "OS", "Reason"))
"""Keys of scontrol whose value is the rest of its line."""
_PAIR = re.compile(r"(\S+?)=(\S*)")


class UnknownJob(BackendCommandError):
    """The cluster has no such job, or has forgotten it."""


class QueueRow(NamedTuple):
    """A line of the queue. `id` as users write it ("12", "12_3", "12_[4-9%2]"), `raw_id` the number of its own that an array's element has
    too.

    Times are as squeue writes them ("2026-11-21T06:35:11", "1-02:03:04"), "" where there is none; `memory` with its unit ("100M"), a node; `command` is
    the script, with its arguments behind it.
    """

    id: str
    raw_id: str
    array_id: str
    state: str
    user: str
    partition: str
    account: str
    qos: str
    nodes: int
    cpus: int
    memory: str
    nodelist: str
    submit: str
    start: str
    end: str
    used: str
    limit: str
    priority: int
    dependency: str
    reason: str
    command: str
    name: str

    @property
    def status(self) -> Status:
        """How it stands."""
        return Status(self.state, "", self.reason)

    @property
    def why(self) -> str:
        """Why it waits or how it ended, in words."""
        return sentence(self.status)

    @property
    def tasks(self) -> int:
        """How many jobs the line stands for: more than 1 where an array's waiting elements share it."""
        _, bracket, ids = self.id.partition("_[")
        if not bracket:
            return 1
        try:
            return len(array.parse(ids.removesuffix("]")).tasks)
        except NotationError:
            return 1


class JobRecord(NamedTuple):
    """What scontrol, or accounting, knows of one job or one element.

    `fields` are scontrol's words, by Slurm's names; "" stands for what Slurm calls (null), N/A or Unknown, and for what accounting has not.
    """

    id: str
    raw_id: str
    array_id: str
    name: str
    user: str
    state: str
    reason: str
    exit_code: str
    dependency: str
    partition: str
    account: str
    qos: str
    submit: str
    start: str
    end: str
    used: str
    limit: str
    nodes: int
    cpus: int
    nodelist: str
    requested: str
    allocated: str
    command: str
    work_dir: str
    stdout: str
    stderr: str
    fields: dict[str, str]

    @property
    def status(self) -> Status:
        """How it stands."""
        return Status(self.state, self.exit_code, self.reason)

    @property
    def why(self) -> str:
        """Why it waits or how it ended, in words."""
        return sentence(self.status)


class PartitionRow(NamedTuple):
    """A partition: `states` counts its nodes by their long state, `cpus` its processors by allocated, idle, other and total."""

    name: str
    default: bool
    available: str
    limit: str
    nodes: int
    states: dict[str, int]
    cpus: dict[str, int]
    memory: str
    gres: str
    nodelist: str


class NodeRow(NamedTuple):
    """A node.

    Memory in MB; `load` and `memory_free` are None where the node has not told; `reason` why it is down or drained, `since` who said so
    when.
    """

    name: str
    state: str
    partitions: tuple[str, ...]
    cpus: int
    cpus_allocated: int
    load: float | None
    memory: int
    memory_allocated: int
    memory_free: int | None
    gpus: int
    gpus_allocated: int
    gpu_type: str
    features: str
    reason: str
    since: str

    @property
    def usable(self) -> bool:
        """Whether jobs may start there."""
        return self.state.split("+")[0] in ("IDLE", "MIXED", "ALLOCATED") and not {"DRAIN", "DOWN", "FAIL",
            "MAINT"} & set(self.state.split("+"))


def queue(ask: Ask, *, mine: bool = False, users: Sequence[str] = (), states: Sequence[str] = (), partitions: Sequence[str] = (),
          ids: Sequence[str] = (), elements: bool = False) -> list[QueueRow]:
    """The queue, or those of it that meet every condition given; `elements` gives each waiting element of an array a line of its own.

    `states` by their names, or ["all"] for ended jobs too, as long as the cluster remembers them. Ids that it does not know are left out.
    UnknownUser, UnknownState, and UnknownPartition where there is no job and the cluster has no such partition.
    """
    words = ["squeue", "-h", "-o", ROW + CELL.join(QUEUE)]
    words += ["--me"] if mine else []
    words += ["-r"] if elements else []
    for flag, given in (("-u", users), ("-t", states), ("-p", partitions)):
        words += [flag, ",".join(given)] if given else []
    try:
        if not ids:
            found = _queue_rows(ask(words))
        else:
            found = [row for start in range(0, len(ids), JOBS_A_QUESTION) for row in _queue_of(ask, words,
                ids[start:start + JOBS_A_QUESTION])]
    except BackendCommandError as error:
        known = told(error)
        if known is error:
            raise
        raise known from error
    if partitions and not found:
        partitions_known(ask, partitions)
    return found


def job(ask: Ask, id: str) -> list[JobRecord]:
    """What the cluster knows of a job: a record, or one for each element of an array and one for those that wait; UnknownJob."""
    try:
        said = ask(["scontrol", "show", "job", id.partition("_[")[0]])
    except BackendCommandError as error:
        if "Invalid job id" in str(error):
            raise UnknownJob(f"the cluster knows no job {id}: it never was, or it ended too long ago") from error
        raise
    return [job_record(fields) for fields in records(said, "JobId")]


def partitions(ask: Ask) -> list[PartitionRow]:
    """The partitions that the user may see, in the cluster's order."""
    found: dict[str, list[list[str]]] = {}
    for cells in _cells(ask(["sinfo", "-h", "-o", ROW + CELL.join(PARTITIONS)]), len(PARTITIONS)):
        found.setdefault(cells[0], []).append(cells)
    return [_partition_row(name, rows) for name, rows in found.items()]


def partitions_known(ask: Ask, names: Sequence[str]) -> None:
    """UnknownPartition unless the cluster has them all: squeue only shows an empty queue for one that it has not."""
    valid = [row.name for row in partitions(ask)]
    for name in names:
        if name not in valid:
            raise UnknownPartition(name, valid)


def nodes(ask: Ask, names: str = "") -> list[NodeRow]:
    """The nodes, or those of a host list such as "cn[01-04]"."""
    return [_node_row(fields) for fields in records(ask(["scontrol", "-d", "show", "node", *([names] if names else [])]), "NodeName")]


def counts(rows: Iterable[QueueRow]) -> dict[str, int]:
    """State → how many jobs are in it, an array's elements singly; the most frequent first."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.state] = found.get(row.state, 0) + row.tasks
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def records(said: str, first: str) -> list[dict[str, str]]:
    """The records that scontrol printed, each beginning with the key `first`; a key that comes twice keeps its first value.

    A job's name, command or folder may hold blanks, = and even line ends: they are read by the place that scontrol gives them.
    """
    found: list[dict[str, str]] = []
    last, blank = "", True
    for line in said.split("\n"):
        if blank and line.startswith(f"{first}="):
            found.append({})
            last = _take(found[-1], line, "JobName")
        elif found and line.startswith("   ") and "=" in line:
            last = _take(found[-1], line.strip(), "")
        elif found and line.strip() and last:
            found[-1][last] += f"\n{line}"
        blank = not line.strip()
    return found


def _take(record: dict[str, str], line: str, rest: str) -> str:
    """Read the pairs of a line; the key of its last one, whose value may go on."""
    key = line.partition("=")[0]
    if key in _TEXTS:
        record.setdefault(key, line.partition("=")[2])
        return key
    for match in _PAIR.finditer(line):
        key = match[1]
        if key == rest:
            record.setdefault(key, line[match.start(2):])
            return key
        record.setdefault(key, match[2])
    return ""


def _queue_of(ask: Ask, words: Sequence[str], ids: Sequence[str]) -> list[QueueRow]:
    try:
        return _queue_rows(ask([*words, "-j", ",".join(ids)]))
    except BackendCommandError as error:
        if "Invalid job id" in str(error):
            return []
        raise


def _queue_rows(said: str) -> list[QueueRow]:
    return [QueueRow._make([*cells[:8], number(cells[8]), number(cells[9]), *cells[10:17], number(cells[17]), *cells[18:]])
            for cells in _cells(said, len(QUEUE))]


def _cells(said: str, count: int) -> Iterable[list[str]]:
    for line in said.split(ROW)[1:]:
        cells = line.removesuffix("\n").split(CELL, count - 1)
        if len(cells) == count:
            yield [*map(given, cells[:-1]), cells[-1]]


def job_record(fields: Mapping[str, str]) -> JobRecord:
    """What these words of scontrol say of a job."""
    def of(name: str) -> str:
        return given(fields.get(name, "").strip())

    raw, base, tasks = of("JobId"), of("ArrayJobId"), of("ArrayTaskId")
    shown = f"{of('HetJobId')}+{of('HetJobOffset')}" if of(
        "HetJobId") else raw if not base else f"{base}_{tasks}" if tasks.isdigit() else f"{base}_[{tasks}]"
    task = int(tasks) if tasks.isdigit() else None
    names = Fields(number(raw), fields.get("JobName", ""), of("UserId").partition("(")[0], int(base or raw), task,
        node_name=of("BatchHost") or "%N")
    out, err = (_expanded(of(name), names, waits=bool(base) and task is None) for name in ("StdOut", "StdErr"))
    return JobRecord(
        shown, raw, base, fields.get("JobName", ""), of("UserId").partition("(")[0], of("JobState"), _reason(of("Reason")), of("ExitCode"),
        of("Dependency"), of("Partition"), of("Account"), of("QOS"), of("SubmitTime"),
        of("StartTime"), of("EndTime"), of("RunTime"), of("TimeLimit"), number(of("NumNodes")), number(of("NumCPUs")), of("NodeList"),
        of("ReqTRES") or of("TRES"), of("AllocTRES") or (of("TRES") if of("NodeList") else ""), of("Command"), of("WorkDir"), out,
        err or out, dict(fields))


def _partition_row(name: str, rows: list[list[str]]) -> PartitionRow:
    states: dict[str, int] = {}
    cpus = dict.fromkeys(("allocated", "idle", "other", "total"), 0)
    for _, _, _, count, state, processors, *_ in rows:
        states[state] = states.get(state, 0) + number(count)
        for kind, some in zip(cpus, processors.split("/"), strict=False):
            cpus[kind] += number(some)
    states.pop("", None)
    return PartitionRow(name.rstrip("*"), name.endswith("*"), rows[0][1], rows[0][2], sum(states.values()), states, cpus, rows[0][6],
                        ",".join(dict.fromkeys(row[7] for row in rows if row[7])), ",".join(row[8] for row in rows if row[8]))


def _node_row(fields: Mapping[str, str]) -> NodeRow:
    def of(name: str) -> str:
        return given(fields.get(name, "").strip())

    reason, _, since = of("Reason").rpartition(" [")
    gpus, kind = _gpus(of("Gres"))
    return NodeRow(
        of("NodeName"), of("State"), tuple(of("Partitions").split(",")) if of("Partitions") else (), number(of("CPUTot")),
        number(of("CPUAlloc")),
        float(of("CPULoad")) if _is_decimal(of("CPULoad")) else None, number(of("RealMemory")), number(of("AllocMem")),
        int(of("FreeMem")) if of("FreeMem").isdigit() else None, gpus, _gpus(of("GresUsed"))[0] or _allocated_gpus(of("AllocTRES")), kind,
        of("ActiveFeatures") or of("AvailableFeatures"), reason or of("Reason"), since.removesuffix("]") if reason else "")


def _gpus(text: str) -> tuple[int, str]:
    """How many GPUs a list such as `gpu:h100:2(S:0-1)` holds, and of which type the first are."""
    count, kind = 0, ""
    for item in re.sub(r"\([^)]*\)", "", text).split(","):
        words = item.split(":")
        if words[0] == "gpu":
            count += number(words[-1])
            kind = kind or (words[1] if len(words) == 3 else "")
    return count, kind


def _allocated_gpus(text: str) -> int:
    try:
        return tres.parse(text).get("gres/gpu", 0) if text else 0
    except NotationError:
        return 0


def given(text: str) -> str:
    """A text of theirs, "" where it says that there is none."""
    return "" if text in NOTHING else text


def _expanded(path: str, names: Fields, waits: bool) -> str:
    """Where a job writes: Slurm leaves in a path what only the node fills in, as %N, and writes a number for the %a of elements that
    wait."""
    if waits:
        return path.replace(str(filenames.NO_TASK), "%a")
    return filenames.expand(path, names) if "%" in path else path


def _reason(text: str) -> str:
    """A reason as squeue writes it: scontrol joins the words of those that are sentences."""
    return text.replace("_", " ") if text[:1].isupper() else text


def number(text: str) -> int:
    """The number that a text begins with: newer ones write NumNodes=1-1."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _is_decimal(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
