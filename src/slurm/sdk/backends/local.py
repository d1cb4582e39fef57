"""`local`: the cluster of this machine through its own protocol, started with `slurm up` when there is none."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from slurm.model.errors import NotFound, SlurmError, Unreachable
from slurm.net import client, container_options
from slurm.net.batch_environment import submitted_environment
from slurm.net.circumstances import completed_request, present_folder
from slurm.net.client import CALL_SECONDS, Connection
from slurm.net.discovery import INSTANCE_VARIABLE
from slurm.options.resolve import resolve
from slurm.sdk.backends.backend import array_words, handing_in, longest_array
from slurm.sdk.backends.disk import SharedDisk
from slurm.sdk.backends.program import ours, plain, said
from slurm.sdk.errors import BackendError, BackendTimeout, SubmissionError
from slurm.sdk.following.status import UNKNOWN, Status

START_SECONDS = 60.0
LISTED = ["JobArrayId", "State", "exit_code", "Reason"]
RECHECK_SECONDS = (0.25, 2.0, 15.0)
"""When everything is asked again after the stream of events began: the first time for what happened as it was opened."""
_LOOKS = ("Ping", "ListJobs", "Describe", "FindUsage", "ExplainJob", "ReadPlan")
"""Questions that change nothing."""
PAST_SECONDS = 150.0
"""How long a question about the past may take: it is folded anew."""
_KEPT = (INSTANCE_VARIABLE, "SLURM_CONF")
_OF_SLURM = ("SLURM_", "SLURMD_", "SBATCH_")
"""Variables of the job around this process: not for those that it submits, but for those in `_KEPT`."""


class _Unsure(BackendError):
    """The controller went after it was asked for something that must not be done twice."""


class _Asked(NamedTuple):
    """The kept connection as typed questions need it."""

    ask: Callable[[Mapping[str, Any]], dict[str, Any]]

    def call(self, message: dict[str, object]) -> Mapping[str, object]:
        """A request's reply."""
        return self.ask(message)


class LocalBackend(SharedDisk):
    """Jobs on the cluster that `environ` leads to, as sbatch finds it."""

    name = "local"
    look_seconds = 15.0
    """How long a look may take; whoever waits for jobs would wait as long for a controller that hangs."""
    unsure_seconds = 30.0
    """How long a controller that went during a submission may take to come back and tell whether it took the job."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = os.environ if environ is None else environ
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._stream: Connection | None = None
        self._seen: set[str] = set()
        self._rechecks: list[float] = []
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def _after_fork(self) -> None:
        """A child has connections of its own: on shared ones each would read the other's replies."""
        if self._process != os.getpid():
            self.__del__()
            self._begin()

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # at the end of a program the module `os` may be gone before
        for descriptor in (self._wake_read, self._wake_write):
            close(descriptor)

    def ensure(self, start: bool = True) -> None:
        """Start a cluster on this machine unless one answers, or with start=False only see whether one does; BackendError says why there is
        none."""
        try:
            self._ask({"type": "Ping"})
        except BackendError:
            if not start or self.environ.get("SLURM_CONF"):
                raise
            words = [sys.executable, "-m", "slurm.commands.slurm", "up"]
            try:
                done = subprocess.run(words, env=dict(self.environ), capture_output=True, text=True, timeout=START_SECONDS, check=False)
            except subprocess.TimeoutExpired as error:
                raise BackendTimeout(f"no cluster here, and `slurm up` did not end within {START_SECONDS:.0f} s") from error
            if done.returncode:
                raise BackendError(f"no cluster here, and `slurm up` failed: {done.stderr.strip() or done.stdout.strip()}") from None
            print(f"slurm: there was no cluster here. {done.stdout.partition(chr(10))[0]}. It stays up; `slurm down` stops it",
                file=sys.stderr)

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        """Hand the script in and return the id; the reply means that the job is on disk."""
        words = array_words(array, limit)
        try:
            resolved = resolve("sbatch", words, {}, script=script, script_name=path, now=time.time())
            own = {name: value for name, value in self.environ.items() if not name.startswith(_OF_SLURM) or name in _KEPT}
            request = {**completed_request(resolved, [*words, path], own, os.path.basename(path)), "command": path}
            export = resolved.text("export") if "export" in resolved.settings else None
            environment = submitted_environment(own, export, resolved.text("export_file"), present_folder(), leave_out=_tell_left_out)
            environment.update(container_options.asked(resolved, str(request.get("work_dir") or present_folder())))
            payload = {"script": script, "argv": [], "environment": environment}
            with handing_in(path):
                reply = self._handed_in({"type": "SubmitJob", "request": request, "payload": payload, "key": os.urandom(16).hex()}, path)
        except (SlurmError, BackendError) as error:
            lines = error.lines() if isinstance(error, SlurmError) else [str(error)]
            raise SubmissionError("the cluster did not take the job: " + "; ".join(lines), script=script,
                metadata={"path": path}) from error
        for warning in reply.get("warnings", ()):
            print(f"slurm: job {reply['job_id']}: {warning}", file=sys.stderr)
        return str(reply["job_id"])

    def _handed_in(self, message: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The reply to a submission. When the controller goes before it replies, it is handed in again: by its key it makes one job."""
        try:
            return self._ask(message)
        except _Unsure as error:
            problem: BackendError = error
        deadline, pause = time.monotonic() + self.unsure_seconds, 0.1
        while time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2.0, pause * 2)
            try:
                return self._ask(message)
            except BackendError as error:
                problem = error
        raise BackendError(f"whether it did is unknown: {problem}. If it did, squeue -o '%A %o' shows the script {path}") from problem

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        """How these jobs stand."""
        if not ids:
            return {}
        wanted = sorted({one.partition("_")[0] for one in ids}) if len(ids) > 20 else list(ids)
        message = {"type": "ListJobs", "fields": LISTED, "expand_arrays": True, "filter": {"ids": wanted, "all_states": True}}
        try:
            reply = self._ask(message)
        except BackendError as error:
            if isinstance(error.__cause__, NotFound):
                return {one: Status(UNKNOWN) for one in ids}
            raise
        found = {row[0]: Status(row[1], row[2], row[3]) for row in reply["rows"]}
        return {one: found.get(one, Status(UNKNOWN)) for one in ids}

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        """What the cluster tells within `timeout` seconds, at once when it tells something."""
        self._after_fork()
        new = [one for one in ids if one not in self._seen]
        if self._stream is None:
            self._listen()
            new = list(ids)
        if new:
            self._seen.update(new)
            return self.states(new)
        now = time.monotonic()
        due = self._rechecks[0] - now if self._rechecks else timeout
        stream = self._stream
        assert stream is not None
        ready, _, _ = select.select([stream.fileno(), self._wake_read], [], [], max(0.0, min(timeout, due)))
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if stream.fileno() in ready:
            return self._told(stream)
        if self._rechecks and time.monotonic() >= self._rechecks[0]:
            self._rechecks = self._rechecks[1:] or [time.monotonic() + RECHECK_SECONDS[-1]]
            return self.states(ids)
        return {}

    def wake(self) -> None:
        """End the wait of `changes`."""
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            return  # so many wakes are waiting that one more changes nothing

    def rest(self) -> None:
        """Hang up the stream of events."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def cancel(self, ids: Sequence[str]) -> None:
        """scancel; BackendError when a job is somebody else's."""
        reply = self._ask({"type": "CancelJobs", "filter": {"ids": list(ids)}})
        refused = [f"{job}: {message}" for job, name, message in reply.get("refused", ()) if name != "ESLURM_ALREADY_DONE"]
        if refused:
            raise BackendError(f"not cancelled: {'; '.join(refused)}")

    def ask(self, words: Sequence[str]) -> str:
        """What one of our commands printed."""
        return said(ours(words), plain(self.environ), words[0])

    def explain(self, id: str, *, priority: bool = False, at: float = 0.0) -> Mapping[str, Any]:
        """The fields of a `model.explanation.Explanation`; a BackendError because of NotFound where there is no such job."""
        explained: Mapping[str, Any] = self._ask({"type": "ExplainJob", "job_id": id, "priority": priority, "at": at})["explanation"]
        return explained

    def history(self, id: str) -> Mapping[str, Any]:
        """What is kept of what happened to a job: the fields of a HistoryRead; a BackendError because of NotFound where that is nothing."""
        return self._ask({"type": "ReadHistory", "job_id": id})

    def plan(self, configured: str = "") -> Mapping[str, Any]:
        """The fields of a `model.schedule.Schedule`, under another configuration where one is given."""
        planned: Mapping[str, Any] = self._ask({"type": "ReadPlan", "configured": configured})["schedule"]
        return planned

    def usage(self, ids: Sequence[str]) -> Sequence[Any]:
        """The running steps of these jobs, `client.usage.StepUsage` each; those that are not ours to see are left out."""
        from slurm.client.usage import running  # here: tasks, whose environment need not have msgspec, submit too

        return running(_Asked(self._ask), ids).steps

    def max_array(self) -> int:
        """As the controller says."""
        return longest_array(str(self._ask({"type": "Describe", "what": "config"}).get("text", "")))

    def close(self) -> None:
        """Hang up; the stream of events ends by itself when nobody waits."""
        self._after_fork()
        with self._lock:
            self._drop()

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """One question on the kept connection.

        A connection that broke is opened again once, except for submissions: they may have arrived.
        """
        self._after_fork()
        with self._lock:
            fresh = self._connection is None
            try:
                connection = self._kept()
            except SlurmError as error:
                raise _backend_error(error) from error
            patience = PAST_SECONDS if message["type"] == "ReadHistory" or message.get("at") else (
                self.look_seconds if message["type"] in _LOOKS else CALL_SECONDS)
            try:
                return connection.call(message, patience)
            except Unreachable as error:
                self._drop()
                if message["type"] == "SubmitJob":
                    raise _Unsure("; ".join(error.lines())) from error
                if fresh or _timed_out(error):
                    raise _backend_error(error) from error
            except SlurmError as error:
                raise _backend_error(error) from error
            except KeyboardInterrupt:
                self._drop()  # its reply is still to come, and the next question would take it for its own
                raise
            try:
                return self._kept().call(message, patience)
            except (SlurmError, KeyboardInterrupt) as error:
                self._drop()
                if isinstance(error, KeyboardInterrupt):
                    raise
                raise _backend_error(error) from error

    def _kept(self) -> Connection:
        if self._connection is not None and (self._connection.ready() or self._connection.closed):
            self._drop()  # the controller has gone since the last question
        if self._connection is None:
            self._connection = client.connect_waiting(self.environ, _tell)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listen(self) -> None:
        try:
            self._stream = client.connect_waiting(self.environ, _tell)
            self._stream.send({"type": "WatchEvents"})
        except SlurmError as error:
            self._stream = None
            raise _backend_error(error) from error
        self._seen.clear()
        self._rechecks = [time.monotonic() + seconds for seconds in RECHECK_SECONDS]

    def _told(self, stream: Connection) -> dict[str, Status]:
        try:
            frames = stream.ready()
            told = [client.decode(payload) for _, payload in frames]
        except SlurmError as error:
            self.rest()
            raise _backend_error(error) from error
        if stream.closed:
            self.rest()
        return {str(one["shown_id"]): _status(one) for one in told if one.get("type") == "Changed"}


def _tell(line: str) -> None:
    print(f"slurm: {line}", file=sys.stderr)


def _tell_left_out(name: str) -> None:
    shown = name.encode(errors="surrogateescape").decode(errors="replace")
    print(f"slurm: the variable {shown} is no UTF-8 text, the job does not get it", file=sys.stderr)


def _status(changed: Mapping[str, Any]) -> Status:
    status = int(changed.get("exit_status", 0))
    return Status(str(changed["state"]), f"{status >> 8}:{status & 0x7F}")


def _backend_error(error: SlurmError) -> BackendError:
    kind = BackendTimeout if _timed_out(error) else BackendError
    return kind("; ".join(error.lines()))


def _timed_out(error: SlurmError) -> bool:
    return "timed out" in error.message
