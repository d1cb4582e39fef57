"""What a user of the SDK is told when something goes wrong: one exception, soon, on our cluster and on Debian's real Slurm over ssh.

    fault                                     exception           its first line
    ----------------------------------------  ------------------  -----------------------------------------------------------------------------
    the task raises                           its own             its own text; the cause shows the traceback there
    … what cannot be pickled or imported      TaskFailed          Job 1 did not succeed. The task raised only_there.Lost: an error
    an argument cannot be pickled             TypeError           argument value of takes (a _thread.lock) cannot be sent to a job: …
    … or not imported in the job              ModuleNotFoundError No module named 'only_here'; a note tells where it was loaded
    the value cannot be pickled               ResultUnwritten     what the task returned cannot be pickled, a _thread.lock: …
    … or not imported here                    ResultUnreadable    the result of job 1 cannot be read from …: ModuleNotFoundError: …
    the result's file is cut, or garbage      ResultUnreadable    the result of job 1 cannot be read from …
    the disk is full when it is written       ResultUnwritten     the task has returned, but its result cannot be written to …
    … and takes not even the error            TaskFailed          Job 1 did not succeed. … it could write neither its result nor an error
    the disk is full at submission            SubmissionError     the job's folder cannot be written: [Errno 28] No space left on device
    sys.exit(3), os._exit(7)                  TaskFailed          Job 1 did not succeed. State: FAILED, Exit Code: 3:0, …
    os._exit(0)                               ResultUnreadable    job 1 (vanishes) is COMPLETED, but there is no result at …
    its output's folder is missing            TaskFailed          Job 1 did not succeed. … its node could not open …
    segmentation fault, kill -9 of the task   TaskFailed          Job 1 did not succeed. State: FAILED, Exit Code: 0:11, …
    kill -9 of its slurmstepd                 TaskFailed          Job 1 did not succeed. State: FAILED … (real Slurm believes that it runs)
    too much memory                           JobOutOfMemory      Job 1 did not succeed. State: OUT_OF_MEMORY (FAILED on real Slurm) …
    its time is over                          JobTimeLimit        Job 1 did not succeed. State: TIMEOUT …
    scancel in another shell                  JobCancelled        Job 1 did not succeed. State: CANCELLED …
    its node dies                             JobNodeFailed       Job 1 did not succeed. State: NODE_FAIL …
    Python 3.12 instead of 3.11               PackagingError      … Python 3.12 … 3.11 … Cluster(python=…)
    Python older than 3.11                    TaskFailed          Job 1 did not succeed. … slurm-py needs Python 3.11 or newer, … is 3.9.18
    the controller is restarted               none                the wait goes on
    … and stays away                          BackendError        the cluster has not answered for 3 s: …
    a submission meanwhile                    SubmissionError     the cluster did not take the job: …
    control-C while waiting                   KeyboardInterrupt   a note: job 1 goes on without this program: …
    the controller has forgotten the job      none                the result is read from its file

Cut connections: test_sdk_ssh.py.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import psutil
import pytest

from bench.real_slurm import RealSlurm
from bench.real_slurm import missing as no_real_slurm
from slurm import (
    BackendError,
    Cluster,
    Job,
    JobCancelled,
    JobNodeFailed,
    JobOutOfMemory,
    JobTimeLimit,
    PackagingError,
    RemoteTraceback,
    ResultUnreadable,
    ResultUnwritten,
    SubmissionError,
    TaskFailed,
)
from tests.system import faulty_tasks as faulty
from tests.system import login_node
from tests.system.harness import Cluster as Embedded
from tests.system.login_node import LoginNode

SECONDS = 60.0
QUICK = 20.0
"""Within so many seconds after the fault the exception is there, this machine being busy."""
LINES = ("MessageTimeout=5", "JobAcctGatherType=jobacct_gather/linux", "JobAcctGatherParams=OverMemoryKill", "JobAcctGatherFrequency=task=1")


class World(Protocol):
    """A cluster to break: `cluster` reaches it, the rest is what befalls it."""

    name: str
    folder: Path

    def cluster(self, **changes: Any) -> Cluster:
        """Where tests submit."""
        ...

    def slurm(self, *words: str) -> str:
        """What a Slurm command prints, in another shell."""
        ...

    def kill_controller(self) -> None:
        """kill -9 slurmctld, where that costs it no job."""
        ...

    def start_controller(self) -> None:
        """Bring it back."""
        ...

    def lose_node(self, node: str) -> None:
        """Whatever makes a node DOWN."""
        ...

    def find_node(self, node: str) -> None:
        """Bring it back."""
        ...


class Ours:
    """Our embedded cluster, through its own protocol."""

    name = "slurm-py"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons = Embedded(folder / "c", "--nodes", "3", "--cpus", "8", "--memory", "16G")
        self.daemons.up()
        self.configure("SlurmdTimeout=10")  # less, and a busy machine loses nodes when the controller comes back
        self._patch = pytest.MonkeyPatch()
        for name in [name for name in os.environ if name.startswith(("SLURM", "SBATCH"))]:
            self._patch.delenv(name)
        for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PATH", "PYTHONPATH"):
            self._patch.setenv(name, self.daemons.environment[name])

    def configure(self, line: str) -> None:
        conf = self.daemons.folder / "slurm.conf"
        conf.write_text(f"{conf.read_text()}{line}\n")
        self.slurm("scontrol", "reconfigure")

    def cluster(self, **changes: Any) -> Cluster:
        return Cluster(**{"job_base_dir": self.folder / "jobs", "mem": "100M", "time": "5", **changes})

    def slurm(self, *words: str) -> str:
        return self.daemons.ok(*words)

    def kill_controller(self) -> None:
        self.daemons.kill("slurmctld")

    def start_controller(self) -> None:
        self.daemons.up()

    def lose_node(self, node: str) -> None:
        self.daemons.kill(f"slurmd-{node}")
        for stepd in self.daemons.stepds():
            if f"spool/{node}/" in stepd.cwd():
                stepd.kill()

    def find_node(self, node: str) -> None:
        self.daemons.up()

    def close(self) -> None:
        self._patch.undo()
        self.daemons.close()


class Real:
    """Debian's real Slurm behind a real sshd."""

    name = "real Slurm"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.real = RealSlurm(*LINES)
        self.node = LoginNode(folder / "login")
        self.real.start()
        self.node.start()

    def configure(self, line: str) -> None:
        conf = Path(self.real.folder) / "slurm.conf"
        conf.write_text(f"{conf.read_text()}{line}\n")
        self.slurm("scontrol", "reconfigure")

    def cluster(self, **changes: Any) -> Cluster:
        given = {"hostname": "127.0.0.1", "port": self.node.port, "key_filename": str(self.node.folder / "key"), "allow_agent": False,
                 "known_hosts": self.node.folder / "known_hosts", "job_base_dir": str(self.folder / "jobs"), "mem": "100M", "time": "5",
                 "env": {"SLURM_CONF": f"{self.real.folder}/slurm.conf"}, "retry_delay": 0.1, **changes}
        return Cluster("ssh", **given)

    def slurm(self, *words: str) -> str:
        return self.real.call(*words)

    def kill_controller(self) -> None:
        self.real.stop_controller()

    def start_controller(self) -> None:
        self.real.start_controller()

    def lose_node(self, node: str) -> None:
        self.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")

    def find_node(self, node: str) -> None:
        self.real.call("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)  # its slurmd may have been quicker

    def close(self) -> None:
        self.node.stop()
        self.real.stop()


class Fault(NamedTuple):
    """A call that goes wrong by itself, and what it raises; `after` is what the test does to its files once it has ended."""

    submit: Callable[[], Job[Any]]
    exception: type[BaseException]
    said: str
    after: Callable[[Job[Any]], object] | None = None


def truncate(job: Job[Any]) -> None:
    """Leave half of the result's file."""
    path = Path(job.files.result)
    path.write_bytes(path.read_bytes()[:-3])


def scribble(job: Job[Any]) -> None:
    """Garbage instead of a result."""
    Path(job.files.result).write_bytes(b"no pickle at all")


FAULTS: dict[str, Fault] = {
    "raises": Fault(lambda: faulty.raises(), faulty.Odd, "^1 and 2$"),
    "raises what is only there": Fault(lambda: faulty.raises_what_is_only_there(), TaskFailed,
                                       r"^Job \d+ did not succeed\. The task raised only_there\.Lost: an error$"),
    "returns a lock": Fault(lambda: faulty.returns_a_lock(), ResultUnwritten, r"^what the task returned cannot be pickled, a _thread\.lock: TypeError"),
    "returns what is only there": Fault(lambda: faulty.returns_what_is_only_there(), ResultUnreadable,
                                        r"^the result of job \d+ cannot be read from .*: ModuleNotFoundError: No module named 'only_there'"),
    "result cut": Fault(lambda: faulty.takes(list(range(99))), ResultUnreadable, r"^the result of job \d+ cannot be read from", truncate),
    "result garbage": Fault(lambda: faulty.takes(1), ResultUnreadable, r"^the result of job \d+ cannot be read from .*UnpicklingError", scribble),
    "disk full": Fault(lambda: faulty.writes_too_much(), ResultUnwritten,
                       r"^the task has returned, but its result cannot be written to /.*: \[Errno 27\] File too large"),
    "disk very full": Fault(lambda: faulty.cannot_write(), TaskFailed,
                            r"^Job \d+ did not succeed\. State: FAILED, Exit Code: 74:0[\s\S]*neither its result nor an error[\s\S]*disk may be full"),
    "sys.exit(3)": Fault(lambda: faulty.exits(3), TaskFailed, r"^Job \d+ did not succeed\. State: FAILED, Exit Code: 3:0, Reason: NonZeroExitCode"),
    "os._exit(7)": Fault(lambda: faulty.vanishes(7), TaskFailed, r"^Job \d+ did not succeed\. State: FAILED, Exit Code: 7:0"),
    "os._exit(0)": Fault(lambda: faulty.vanishes(0), ResultUnreadable, r"^job \d+ \(vanishes\) is COMPLETED, but there is no result at /"),
    "nowhere to print": Fault(lambda: faulty.takes.with_options(output="/proc/nowhere/out")(1), TaskFailed,
                              r"^Job \d+ did not succeed\. State: FAILED, Exit Code: \d+:53[\s\S]*its node could not open /proc/nowhere/out or /.*writable on every node"),
    "crashes": Fault(lambda: faulty.crashes(), TaskFailed, r"^Job \d+ did not succeed\. State: FAILED, Exit Code: 0:11"),
    "is killed": Fault(lambda: faulty.is_killed(), TaskFailed, r"^Job \d+ did not succeed\. State: FAILED, Exit Code: 0:9"),
    "out of memory": Fault(lambda: faulty.is_greedy(), JobOutOfMemory,
                           r"^Job \d+ did not succeed\. State: (OUT_OF_MEMORY|FAILED)[\s\S]*exceeded memory limit \(\d+ > 104857600\)"),
    "out of memory in one of two tasks": Fault(lambda: faulty.is_greedy.with_options(ntasks=2)(), JobOutOfMemory,
                                               r"^Job \d+ did not succeed\. State: (OUT_OF_MEMORY|FAILED)[\s\S]*exceeded memory limit \("),
    "Python too old": Fault(lambda: faulty.takes(2), TaskFailed,
                            r"slurm-py needs Python 3\.11 or newer, \S+ is 3\.\d+\.\d+: name another with Cluster\(python="),
    "another Python": Fault(lambda: faulty.takes(3), PackagingError,
                            rf"submitted from Python {sys.version_info[0]}\.{sys.version_info[1]} and cannot run in \S+, which is Python 3\."),
}
OTHER_PYTHON = {"Python too old": (3, 6, 10), "another Python": (3, 12, 99)}
"""Fault → major version, least and largest minor version of the interpreter that it needs."""


class Casualty(NamedTuple):
    """A fault under way."""

    job: Job[Any] | None
    cluster: Cluster
    missing: str = ""


def other_python(name: str) -> str:
    """An interpreter of this machine for a fault, "" when there is none."""
    major, least, most = OTHER_PYTHON[name]
    folders = [*os.environ["PATH"].split(os.pathsep), *map(str, Path.home().glob(".pyenv/versions/*/bin")), "/root/.pyenv/versions/3.9.18/bin"]
    for folder in folders:
        for minor in range(least, most + 1):
            path = Path(folder, f"python{major}.{minor}")
            if minor != sys.version_info[1] and path.exists() and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
                return str(path)
    return ""


def _require(missing: str) -> None:
    if missing:
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="module", params=[Ours, Real], ids=lambda kind: kind.name)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Each kind of cluster in turn."""
    if request.param is Real:
        _require(login_node.missing() or no_real_slurm())
    found = request.param(tmp_path_factory.mktemp("faults"))
    yield found
    found.close()


@pytest.fixture
def cluster(world: World) -> Iterator[Cluster]:
    """The active cluster of a test."""
    with world.cluster() as found:
        yield found
    found.close()


@pytest.fixture(scope="module")
def casualties(world: World) -> Iterator[dict[str, Casualty]]:
    """All faults that need nothing from outside, under way together."""
    found: dict[str, Casualty] = {}
    ours = world.cluster()
    for name, fault in FAULTS.items():
        where = ours
        if name in OTHER_PYTHON:
            python = other_python(name)
            if not python:
                found[name] = Casualty(None, ours, f"no Python {OTHER_PYTHON[name]} here")
                continue
            where = world.cluster(python=python)
        with where:
            try:
                found[name] = Casualty(fault.submit(), where)
            except PackagingError:
                assert world.name == "real Slurm"  # over ssh the Python there is asked first
                found[name] = Casualty(None, where)
    yield found
    for one in found.values():
        one.cluster.close()


@pytest.fixture(scope="module")
def overdue(world: World, casualties: object) -> Iterator[Job[float] | None]:
    """A job that has one minute, the least that Slurm gives, and runs while the other tests do; ours ends one in test_sdk.py."""
    if world.name != "real Slurm":
        yield None
        return
    with world.cluster(time="1") as found:
        yield faulty.waits(300)
    found.close()


@pytest.mark.usefixtures("overdue")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_clear_exception(world: World, casualties: dict[str, Casualty], name: str) -> None:
    fault, (job, cluster, missing) = FAULTS[name], casualties[name]
    _require(missing)
    if job is None:
        with cluster, pytest.raises(PackagingError, match=r"is Python 3\.\d+, this is 3\.\d+: .* Name a Python 3\.\d+ with Cluster\(…, python="):
            fault.submit()
        return
    assert job.wait(SECONDS) in (True, False)
    if fault.after is not None:
        fault.after(job)
    began = time.monotonic()
    with pytest.raises(fault.exception, match=fault.said) as raised:
        job.result(SECONDS)
    assert time.monotonic() - began < QUICK
    if fault.exception in (faulty.Odd, ResultUnwritten, TaskFailed) and job.files.error and "raise" in name:
        assert isinstance(raised.value.__cause__, RemoteTraceback)


def test_an_argument_that_cannot_be_pickled_is_named_before_anything_is_submitted(cluster: Cluster) -> None:
    with pytest.raises(TypeError, match=r"^argument value of takes \(a _thread\.lock\) cannot be sent to a job: TypeError"):
        faulty.takes(threading.Lock())
    with pytest.raises(TypeError, match=r"^item 1 of takes\.map\(\): argument value of takes \(a _thread\.lock\)"):
        faulty.takes.map([1, threading.Lock()])


def test_an_argument_of_a_module_that_the_job_has_not_says_where_it_was_missed(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    exec("class Thing: pass", vars(module))
    job = faulty.takes(module.Thing())  # type: ignore[attr-defined]
    with pytest.raises(ModuleNotFoundError, match="No module named 'only_here'") as raised:
        job.result(SECONDS)
    assert re.search(r"\(raised on \S+ while \S+ loaded what it was to call, before takes began\)", "".join(raised.value.__notes__))


def test_scancel_in_another_shell_and_kill_of_the_task_are_told_at_once(world: World, cluster: Cluster, tmp_path: Path) -> None:
    marks = [tmp_path / name for name in "ab"]
    cancelled, killed = (faulty.waits(300, str(mark)) for mark in marks)
    _until(lambda: all(mark.exists() for mark in marks))
    world.slurm("scancel", cancelled.id)
    os.kill(int(marks[1].read_text()), signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(JobCancelled, match=rf"^Job {cancelled.id} did not succeed\. State: CANCELLED"):
        cancelled.result(SECONDS)
    with pytest.raises(TaskFailed, match=rf"^Job {killed.id} did not succeed\. State: FAILED, Exit Code: 0:9"):
        killed.result(SECONDS)
    assert time.monotonic() - began < QUICK


def test_a_killed_slurmstepd_is_told_at_once(world: Any, cluster: Cluster, tmp_path: Path) -> None:
    if world.name == "real Slurm":
        pytest.skip("Slurm 22.05 goes on to say RUNNING: nothing a client could notice")
    mark = tmp_path / "mark"
    job = faulty.waits.with_options(no_requeue=True)(300, str(mark))
    _until(mark.exists)
    (stepd,) = world.daemons.stepds(job.id)
    stepd.kill()
    with pytest.raises((TaskFailed, JobNodeFailed), match=rf"^Job {job.id} did not succeed\. State: (FAILED|NODE_FAIL)"):
        job.result(QUICK)
    _until(lambda: not psutil.pid_exists(int(mark.read_text())))


def test_a_full_disk_is_told_at_submission(world: World, tmp_path: Path) -> None:
    _require("" if os.getuid() == 0 else "only root can mount a disk that is full")
    disk = tmp_path / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        with world.cluster(job_base_dir=str(disk)) as cluster, pytest.raises(SubmissionError, match="^the job's folder cannot be written: .*(No space left|may be full)"):
            faulty.takes(bytes(1 << 20))
        cluster.close()
        left = [path for path in disk.rglob("*") if path.is_file()]
        assert not any(path.name.endswith(".new") for path in left), left
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_control_c_leaves_the_job_running_and_says_how_to_find_it(world: World, tmp_path: Path) -> None:
    if world.name == "real Slurm":
        pytest.skip("waiting is the same for all backends")
    script = tmp_path / "waits.py"
    script.write_text(
        "from slurm import Cluster, task\n@task\ndef waits():\n    import time\n    time.sleep(300)\n"
        f"with Cluster(job_base_dir={str(tmp_path)!r}, mem='50M', time='5'):\n    job = waits()\n    print(job.id, flush=True)\n    job.result()\n")
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    job = process.stdout.readline().strip()
    _until(lambda: world.slurm("squeue", "-h", "-j", job, "-o", "%T").strip() == "RUNNING")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=QUICK)
    assert f"KeyboardInterrupt\njob {job} goes on without this program: `squeue -j {job}` shows, `scancel {job}` ends what is left of it" in said
    assert world.slurm("squeue", "-h", "-j", job, "-o", "%T").strip() == "RUNNING"
    world.slurm("scancel", job)


def test_a_cluster_is_used_from_many_threads_and_after_a_fork(cluster: Cluster) -> None:
    takes = cluster.submit(faulty.takes)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda number: takes(number).result(SECONDS), range(6))) == list("012345")
    slow = faulty.waits(1.0)
    slow.add_done_callback(lambda _: None)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if (slow.result(SECONDS), takes(7).result(SECONDS)) == (1.0, "7") else 1)
        finally:
            os._exit(2)
    assert (slow.result(SECONDS), takes(8).result(SECONDS)) == (1.0, "8")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_controller_that_is_killed_is_waited_for_and_one_that_stays_away_is_told(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    with world.cluster(patience=3.0) as hasty, world.cluster() as patient, ThreadPoolExecutor(4) as pool:
        running = faulty.waits(4.0)
        lost: Job[float] = Job(running.id, hasty, running.files, name="waits")
        _until(running.is_running)
        world.kill_controller()
        try:
            waiting, giving_up = pool.submit(running.result, SECONDS), pool.submit(lost.result)
            with pytest.raises(SubmissionError, match="^the cluster did not take the job: .*Unable to contact slurm controller"):
                faulty.takes(1)
            with pytest.raises(BackendError, match=r"^the cluster has not answered for \d+ s: .*[Uu]nable to contact slurm controller"):
                giving_up.result(30)
            _until(lambda: "the cluster has not answered for" in capfd.readouterr().err)
        finally:
            world.start_controller()
        assert waiting.result(SECONDS) == 4.0
        assert lost.result(SECONDS) == 4.0
        assert faulty.takes(2).result(SECONDS) == "2"
        for one in (hasty, patient):
            one.close()


def test_a_job_whose_time_is_over_is_told(world: World, overdue: Job[float] | None) -> None:
    if overdue is None:
        pytest.skip("test_sdk.py waits for it")
    with pytest.raises(JobTimeLimit, match=rf"^Job {overdue.id} did not succeed\. State: TIMEOUT"):
        overdue.result(2 * SECONDS)


def test_a_lost_node_is_told(world: World, cluster: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    job = faulty.waits.with_options(no_requeue=True)(300, str(mark))
    _until(mark.exists)
    node = world.slurm("squeue", "-h", "-j", job.id, "-o", "%N").strip()
    world.lose_node(node)
    try:
        with pytest.raises(JobNodeFailed, match=rf"^Job {job.id} did not succeed\. State: NODE_FAIL"):
            job.result(SECONDS)
    finally:
        world.find_node(node)
    if psutil.pid_exists(int(mark.read_text())):
        _until(lambda: not psutil.pid_exists(int(mark.read_text())))
    assert faulty.takes(1).result(SECONDS) == "1"


def test_a_job_that_the_controller_has_forgotten_still_has_its_result(world: Any, cluster: Cluster) -> None:
    world.configure("MinJobAge=2")
    good, bad, unread = faulty.takes(5), faulty.raises(), faulty.takes(6)
    assert good.result(SECONDS) == "5"
    _until(lambda: all(job.id not in world.slurm("squeue", "-h", "-t", "all", "-o", "%i").split() for job in (good, bad, unread)))
    with world.cluster() as later:
        forgotten = [Job(job.id, later, job.files, name=job.name) for job in (good, bad, unread)]
        assert [job.wait(QUICK) for job in forgotten] == [False] * 3
        assert [job.result(QUICK) for job in (forgotten[0], forgotten[2], unread)] == ["5", "6", "6"]
        with pytest.raises(faulty.Odd):
            forgotten[1].result(QUICK)
    later.close()


def _until(found: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
