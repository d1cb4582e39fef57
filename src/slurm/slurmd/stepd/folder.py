"""A step's folder in the node's spool: its name, and the journal in it that outlives every process.

    <spool>/steps/job00012.1.batch/journal       first line the StepRecord, second how it ended; each a JSON object
                                  /slurm_script  the batch script, the owner's
                                  /step.sock     where the step's slurmstepd takes orders while it lives
                                  /xauthority    the cookie of its X11 display, the owner's
                                  /pmix          files of its PMIx server, the owner's
                                  /processes     where there is no cgroup: pid and start of each process that became slurmstepd's child

Whoever owns the step holds a lock on the open journal: slurmd while it prepares, then slurmstepd until it ends. A journal that can be
locked and has no last line belongs to nobody any more. Light on purpose: the zygote imports it. Not here: what the step does.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slurm.slurmd.stepd import tree_removal

BATCH = -5
EXTERN = -4
JOURNAL = "journal"
SCRIPT = "slurm_script"
SOCKET = "step.sock"
PROCESSES = "processes"
PMIX = "pmix"
"""The folder with the files of the step's PMIx server, where there is one."""
XAUTHORITY = "xauthority"
"""The file with the cookie of the step's X11 display, the owner's, where it has one."""
EARLY = "early_input"
"""What srun had sent already when its connection was taken over."""
GONE = (FileNotFoundError, NotADirectoryError)
"""What is raised by a look into a folder that somebody removed, or put something else in the place of."""
REMOVE_SECONDS = 1.0
"""So long removing what a step's owner left may keep slurmd from other work."""
_LONGEST_NOTE = 2000
_MOSTLY_ENOUGH = 4096
_NAMES = {BATCH: "batch", EXTERN: "extern", -6: "interactive"}
_NUMBERS = {name: number for number, name in _NAMES.items()}
_FOLDER = re.compile(rf"job([0-9]{{5,}})\.([0-9]+)\.([0-9]+|{'|'.join(_NUMBERS)})")


class StepKey(NamedTuple):
    """Which step of which attempt of which job."""

    job: int
    attempt: int
    step: int

    @property
    def folder_name(self) -> str:
        """`job00012.1.batch`."""
        return f"job{self.job:05d}.{self.attempt}.{self.step_name}"

    @property
    def job_name(self) -> str:
        """`job00012.1`: what its job's steps of this attempt share."""
        return self.folder_name.rpartition(".")[0]

    @property
    def step_name(self) -> str:
        """`batch`, `extern`, `0`."""
        return _NAMES.get(self.step, str(self.step))

    @property
    def shown(self) -> str:
        """`12.batch`, as ps and logs show it."""
        return f"{self.job}.{self.step_name}"


def is_job_name(name: str) -> bool:
    """Whether this is a StepKey.job_name."""
    return parse_folder_name(f"{name}.0") is not None


def parse_folder_name(name: str) -> StepKey | None:
    """The step whose folder has this name; None for any other name."""
    found = _FOLDER.fullmatch(name)
    if found is None:
        return None
    job, attempt, step = found.groups()
    return StepKey(int(job), int(attempt), _NUMBERS[step] if step in _NUMBERS else int(step))


class StepRecord(NamedTuple):
    """All that a slurmstepd needs to know of its step. Memory MB, `cpus` CPU numbers to bind to (none: not bound).

    A batch step has one task, whose `argv` is the script and its arguments; `environment` and `task_environment` are complete but for
    SLURM_TASK_PID. "" as `stdout` or `stderr` of an srun step: to srun. `stdin`: "all", "none", a rank as text, or a path.
    """

    job: int
    attempt: int
    step: int
    node: str
    uid: int
    gid: int
    user: str
    argv: list[str]
    environment: dict[str, str]
    work_dir: str
    rlimits: dict[str, int]
    stdin: str = "/dev/null"
    stdout: str = "/dev/null"
    stderr: str = ""
    append: bool = False
    umask: int = 0o022
    cpus: Sequence[int] = ()
    task_cpus: Sequence[Sequence[int]] = []  # of each task, where they are not all bound to `cpus`
    bind_report: str = ""  # what tasks say of that they are bound to: MASK, NONE, "" nothing
    memory: int = 0
    cgroup: str = ""  # folder under which the step makes its cgroup; "": none
    ranks: Sequence[int] = (0,)
    node_rank: int = 0
    task_environment: Sequence[dict[str, str]] = ()
    multi_prog: Sequence[list[str]] = ()
    pty: bool = False
    rows: int = 24
    cols: int = 80
    kill_on_bad_exit: bool = False
    memory_looks: float = 0.0  # seconds from one look at the memory in use to the next; 0: nobody looks
    groups: Sequence[int] | None = None  # all groups of the user; None: they are looked up here
    kill_wait: int = 30  # seconds from SIGTERM to SIGKILL when the step is ended without an order that says otherwise
    mark: str = ""  # what slurmd put into the environment of its tasks to know them by; no request can choose it
    confined: Mapping[str, Any] = {}  # stepd.confinement.Confined: what its cgroups hold it to; {}: nothing
    login: str = "ALL"  # the text of --export: whether a task gets what a login would set
    start_seconds: float = 60.0  # how long finding the owner, opening files and entering the folder may take
    commands: str = ""  # the folder with the Slurm commands that its tasks find first
    unkillable_seconds: float = 60.0  # how long after the first SIGKILL processes may be left
    deadline: float = 0.0  # CLOCK_BOOTTIME at which its job's time limit comes; 0: none
    allowed_seconds: int = 0  # how long it may run by its own limit (srun --time); 0: as long as its job
    lease: int = 0  # seconds after the last heartbeat at which it is ended; 0: never
    heartbeat: str = ""  # the file in which slurmd notes the last one
    gpus: bool = False  # whether it has device files
    sample_seconds: float = 0.0  # from one look at what its tasks use to the next; 0: only at their end
    memory_by: str = "rss"  # what counts as memory of a process: stepd.usage.processes
    cgroup_usage: bool = False  # whether what its cgroup tells counts (jobacct_gather/cgroup)
    gpu_readings: str = ""  # the file in which slurmd's readings of GPUs lie; "": there are none
    energy: bool = False
    task_prologs: Sequence[str] = []  # run before each task's program, in its process
    task_epilogs: Sequence[str] = []  # run after each task has ended
    mpi: str = ""  # "pmi2" or "pmix": what its tasks may ask when they begin MPI
    places: Sequence[Sequence[str]] = []  # of such a step: (node, its ranks as "0-3,8")
    size: int = 0  # tasks on all nodes
    container: Mapping[str, str] = {}  # the options of a step that runs in one: stepd.container.asked
    wait_for_children: bool = False  # what tasks leave is waited for
    nice: int = 0  # the nice value of its tasks, where it is higher than slurmd's
    private: Sequence[Sequence[str]] = []  # (what it lies over, where it lies) of the folders of which its job has its own
    private_shared: bool = False  # what the host mounts later is seen by its tasks too
    plugins: Sequence[Mapping[str, Any]] = []  # the site's around it: plugins.plugstack.StepPlugin
    x11_cookie: str = ""  # hexadecimal digits: what X clients of its tasks show; "": they are not forwarded
    x11_screen: int = 0
    x11_home: bool = False  # whether it goes into its owner's ~/.Xauthority
    x11_display: int = 0  # the number that it got here
    energy_seconds: float = 0.0  # how often its counters are read besides the looks at tasks; 0: seldom

    @property
    def key(self) -> StepKey:
        """Which step it is."""
        return StepKey(self.job, self.attempt, self.step)

    @property
    def brief(self) -> StepRecord:
        """Without what only its start needs, which may be long."""
        return self._replace(argv=[], environment={}, rlimits={}, ranks=(), task_environment=(), multi_prog=(), task_cpus=(), task_prologs=(),
            task_epilogs=())

    def cpus_of(self, local: int) -> Sequence[int]:
        """What a task is bound to, by its number on this node; none: it is not bound."""
        return self.task_cpus[local] if self.task_cpus else self.cpus

    @property
    def is_batch(self) -> bool:
        """Whether its task is the batch script."""
        return self.step == BATCH

    @property
    def is_extern(self) -> bool:
        """Whether it holds what comes from outside of the job's steps, until the job ends."""
        return self.step == EXTERN


class Ended(NamedTuple):
    """How a step's tasks on this node ended: the highest wait status, what they used (as stepd.usage.gatherer tells it; None: nothing was
    measured), time since the epoch.

    `note` is a sentence for the job's owner, "" when there is nothing to say; `began` False: none of its programs ran. `unkillable` are
    processes that SIGKILL did not end.
    """

    status: int
    oom: bool = False
    usage: Mapping[str, object] | None = None
    at: float = 0.0
    note: str = ""
    statuses: Mapping[str, int] = {}  # of a step of srun: rank → wait status of each task that was started
    began: bool = True
    unkillable: Sequence[int] = ()
    limit: str = ""  # timeout | lease: its slurmstepd ended it for that by itself


class Journal(NamedTuple):
    """A journal as read: `ended` is None while the step runs or when it was cut short."""

    record: StepRecord
    ended: Ended | None


def create(path: str, record: bytes) -> int:
    """Make the folder with a journal whose first line is `record` (JSON of a StepRecord); the open, locked journal. OSError.

    FileExistsError: the step was begun before.
    """
    os.mkdir(path, 0o711)
    journal = os.open(os.path.join(path, JOURNAL), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fcntl.flock(journal, fcntl.LOCK_EX)
    try:
        if os.write(journal, record + b"\n") <= len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.close(journal)
        remove(path)
        raise
    return journal


def append_ended(journal: int, ended: Ended) -> None:
    """Add the last line to an open journal and wait until it is on disk. OSError leaves the journal as it was."""
    size = os.fstat(journal).st_size
    line = json.dumps({"ended": ended._replace(note=ended.note[:_LONGEST_NOTE])._asdict()}).encode() + b"\n"
    try:
        if os.write(journal, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(journal)
    except OSError:
        os.ftruncate(journal, size)
        raise


def read(path: str) -> Journal | None:
    """The journal in a folder; None when there is none or it was cut short within its first line (nothing has run then)."""
    try:
        with open(os.path.join(path, JOURNAL), "rb") as file:
            return read_lines(file.read())
    except FileNotFoundError:
        return None


def read_lines(text: bytes) -> Journal | None:
    """What a journal says; None when it was cut short within its first line. ValueError, TypeError when it is none."""
    lines = text.split(b"\n")[:-1]
    if not lines:
        return None
    record = _record_of(lines[0])
    ended = _ended_of(lines[1]) if len(lines) > 1 else None
    return Journal(record, ended)


def read_record(journal: int) -> StepRecord:
    """The first line of an open journal. ValueError when it is not whole."""
    text = os.pread(journal, os.fstat(journal).st_size, 0)
    return _record_of(text[:text.index(b"\n")])


def _record_of(line: bytes) -> StepRecord:
    fields = json.loads(line)
    return StepRecord(**{name: value for name, value in fields.items() if name in StepRecord._fields})


def _ended_of(line: bytes) -> Ended:
    fields = json.loads(line)["ended"]
    ended = Ended(**{name: value for name, value in fields.items() if name in Ended._fields})
    return ended._replace(unkillable=tuple(ended.unkillable))


def read_ended(path: str) -> Ended | None:
    """The last line of the journal in a folder, if the step has ended; cheaper than reading all of it."""
    with open(os.path.join(path, JOURNAL), "rb") as file:
        start = max(0, os.fstat(file.fileno()).st_size - _MOSTLY_ENOUGH)
        file.seek(start)
        tail = file.read()
        if not tail.endswith(b"\n"):
            return None
        if start and b"\n" not in tail[:-1]:  # the last line is long
            file.seek(0)
            tail = file.read()
    line = tail[tail.rfind(b"\n", 0, -1) + 1:]
    if not line.startswith(b'{"ended"'):
        return None
    return _ended_of(line)


def read_early(path: str) -> bytes:
    """What srun had sent before its connection was handed over; mostly nothing."""
    try:
        with open(os.path.join(path, EARLY), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def note_processes(path: str, found: Sequence[tuple[int, int]]) -> None:
    """Add (pid, start) pairs to those that are known of a step. OSError."""
    with open(os.path.join(path, PROCESSES), "a", encoding="ascii") as file:
        file.writelines(f"{pid} {started}\n" for pid, started in found)


def noted_processes(path: str) -> list[tuple[int, int]]:
    """The (pid, start) pairs that slurmstepd noted; mostly none."""
    try:
        with open(os.path.join(path, PROCESSES), encoding="ascii") as file:
            return [(int(words[0]), int(words[1])) for line in file if len(words := line.split()) == 2]
    except (*GONE, ValueError):
        return []


def abandoned(path: str) -> int:
    """The open, locked journal of a step that nobody owns any more; -1 while somebody does."""
    journal = os.open(os.path.join(path, JOURNAL), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(journal)
        return -1
    text = os.pread(journal, os.fstat(journal).st_size, 0)
    os.ftruncate(journal, text.rfind(b"\n") + 1)  # a line that was being written when the machine stopped
    return journal


def began(path: str) -> bool:
    """Whether a slurmstepd ever listened in a folder: it does before it starts anything."""
    return os.path.lexists(os.path.join(path, SOCKET))


def remove(path: str, seconds: float = REMOVE_SECONDS) -> None:
    """Remove a folder and what the step left in it; nothing happens when it is gone.

    OSError where something is left; what its owner made is being removed for so many seconds at most.
    """
    for name in (SCRIPT, SOCKET, EARLY, XAUTHORITY, PROCESSES, JOURNAL):  # the journal last: a folder without one counts as never begun
        try:
            os.unlink(os.path.join(path, name))
        except FileNotFoundError:
            continue
    tree_removal.remove(os.path.join(path, PMIX), seconds)  # where slurmstepd was killed
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return
