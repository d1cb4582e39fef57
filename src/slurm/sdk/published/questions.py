"""What a cluster says, in the published SDK's dictionaries, whose keys are those of Slurm's commands.

How it is asked stands in `inspection`.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from slurm.notation import duration
from slurm.notation.errors import NotationError
from slurm.sdk.backends.backend import Backend
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import BackendCommandError, BackendError, SdkError
from slurm.sdk.following.inspection import JobRecord
from slurm.sdk.following.status import UNKNOWN, JobSnapshot
from slurm.sdk.following.tracker import Home, Tracker

_WORDS = ("task_func", "args", "kwargs", "target_job_dir", "pre_submission_id", "sbatch_options", "backend", "on_completed")


def taken(job: Any, cluster: Any, files: JobFiles | None, words: Mapping[str, Any]) -> tuple[Home, JobFiles | None]:
    """Its cluster and files, its attributes having been set; TypeError for words that nobody knows, ValueError without a cluster.

    `on_completed` is called once the job has ended, in another thread, with the job, what `get_status` says of it, and the time.
    """
    unknown = words.keys() - set(_WORDS)
    if unknown:
        raise TypeError(f"Job() got an unexpected keyword argument {min(unknown)!r}; valid: {', '.join(_WORDS)}")
    job.sbatch_options.update(words.get("sbatch_options") or {})
    job.remember(words.get("task_func"), tuple(words.get("args") or ()), dict(words.get("kwargs") or {}))
    folder, key = words.get("target_job_dir"), words.get("pre_submission_id")
    if files is None and folder and key:
        element = job.id.partition("_")[2]
        array_key = key.removesuffix(f"_{element}") if element else key
        files = JobFiles(os.fspath(folder), array_key, int(element) if array_key != key else None)
    home = _home(cluster, words.get("backend"))
    if (told := words.get("on_completed")) is not None:
        job.cluster = home
        home.tracker.when_done(job.id, lambda: told(job, job.get_status(), time.time()), lambda lost: _untold(job, lost))
    return home, files


def _untold(job: Any, lost: BackendError) -> None:
    import warnings

    warnings.warn(f"on_completed of job {job.id} is not called: {lost}", RuntimeWarning, stacklevel=2)


def _home(cluster: Any, backend: Any) -> Home:
    if cluster is None and backend is None:
        raise ValueError("a job belongs to a cluster: Job(id, cluster)")
    if hasattr(cluster, "tracker"):
        home: Home = cluster
        return home
    from slurm.sdk.published.backends import ours  # few programs make jobs of a backend

    return _Bare(ours(backend if backend is not None else cluster.backend))


class _Bare:
    """As much of a cluster as a job needs, on a backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.tracker = backend, Tracker(backend)


_SCRIPT = re.compile(r"^slurm_job_(\w+)_script\.sh(?:\.\d+)?(?:\.again\d+)?$")
_OUTPUT = re.compile(r"^slurm_(\d{8}_\d{6}_[0-9a-f]{8})(?:_\d+)?\.out$")
_BASE = re.compile(r" --base (\d+)")


def status(job: Any) -> dict[str, str]:
    """As `job_status`; where the cluster has no such commands, the keys that are known of it here.

    BackendError when nobody knows the job any more.
    """
    told = _told(job)
    if told["JobState"] == UNKNOWN:
        raise BackendError(f"the cluster knows no job {job.id}, nor does its accounting: it never was, or it ended too long ago")
    return told


def _told(job: Any) -> dict[str, str]:
    known = job.cluster.tracker.status(job.id)
    methods: Any = job.cluster.backend
    told = {"JobId": job.id, "JobState": known.state, "ExitCode": known.exit_code or "0:0", "Reason": known.reason or "None"}
    if "files" in vars(job):
        told |= {"JobName": job.name, "WorkDir": job.files.folder, "StdOut": job.stdout_path, "StdErr": job.stderr_path}
    try:
        return {**told, **methods.get_job_status(job.id)}
    except BackendError:
        # The tracker has just had an answer: it is this job that the cluster cannot speak of any more.
        pass
    try:
        return {**told, **methods.get_job_accounting(job.id)}
    except BackendError:
        return told


def moment(job: Any, key: str) -> float | None:
    """When a job began (`StartTime`) or ended (`EndTime`); None before that, when Slurm says what it expects, and for what is not known."""
    if job.cached:
        return None
    known = job.cluster.tracker.status(job.id)
    if known.state == "PENDING" or (key == "EndTime" and not known.finished):
        return None
    try:
        return datetime.fromisoformat(_told(job).get(key, "")).timestamp()
    except ValueError:
        return None  # Unknown, or nothing: it never began


def snapshot(job: Any, lines: int) -> JobSnapshot:
    """How a job stands, with the last `lines` that it wrote."""
    known = job.cluster.tracker.status(job.id)
    told = _told(job)
    return JobSnapshot(job.id, known.state, told.get("ExitCode"), told.get("Reason"), _tail(job.stdout, lines), _tail(job.stderr, lines),
                       _seconds(told.get("RunTime") or told.get("Elapsed") or ""), known.finished, known.successful)


def located(cluster: Home, job: str) -> dict[str, Any]:
    """What the cluster says of where a job lies: its `files`, `name`, `stdout_path` and `stderr_path`. For jobs of both SDKs.

    RuntimeError when it has forgotten the job, when the job is none of a task, a whole array, or not this user's; BackendError when it
    cannot be asked.
    """
    backend: Any = cluster.backend
    try:
        record: JobRecord = backend.described(job)
    except BackendCommandError as error:
        raise RuntimeError(f"where job {job} lies is not known: {error}") from error
    own = cluster.backend.around().user
    if record.user not in ("", own) and not own.isdecimal():
        # Results are pickles, and whoever submits a job says where it lies.
        raise RuntimeError(f"job {job} is a job of {record.user}: reading its result runs whatever code they put there. Its output is "
                           f"said to be in {record.stdout}")
    if record.array_id == job:
        raise RuntimeError(f'job {job} is an array; each of its elements is a job: cluster.get_job("{job}_0") …')
    script = _SCRIPT.match(os.path.basename(record.command))
    output = _OUTPUT.match(os.path.basename(record.stdout))
    if script is not None:
        files = JobFiles(os.path.dirname(record.command), script[1])
    elif output is not None:  # over ssh, the published SDK submits a copy of the script
        files = JobFiles(record.work_dir, output[1])
    else:
        raise RuntimeError(f"job {job} is none of a task: its script is {record.command or 'not known'}")
    element = job.partition("_")[2]
    if element:
        files = files.element(_base(cluster.backend, record.command) + int(element))
    return {"files": files, "name": record.name, "stdout_path": record.stdout, "stderr_path": record.stderr}


def diagnose(cluster: Any) -> dict[str, Any]:
    """Whether the cluster can be reached and what it says, without ever raising: what went wrong stands in `errors`."""
    errors: list[str] = []
    methods: Any = cluster.backend

    def tried(what: str, question: Any, otherwise: Any) -> Any:
        try:
            return question()
        except (SdkError, OSError) as error:
            errors.append(f"{what}: {error}")
            return otherwise

    said = tried("connectivity", lambda: cluster.backend.ask(["sbatch", "--version"]).strip(), "")
    base = tried("job_base_dir", lambda: cluster.job_base_dir, None)
    rows = tried("queue", methods.get_queue, [])
    return {
        "backend_type": cluster.backend_type,
        "backend_config": {"job_base_dir": base, "default_packaging": cluster.default_packaging, "default_account": cluster.default_account,
                           "default_partition": cluster.default_partition},
        "connectivity": {"success": bool(said), "message": said or (errors[0] if errors else "")},
        "cluster_info": tried("cluster_info", methods.get_cluster_info, {}),
        "queue": rows, "queue_summary": {"total_jobs": len(rows), "by_state": dict(Counter(row["STATE"] for row in rows))},
        "slurm_commands": {"sbatch": "available" if said else "not found"}, "errors": errors}


def _base(backend: Backend, script: str) -> int:
    """The number of an array's first element: not 0 in the later parts of one that was cut, whose script says so."""
    try:
        with backend.read(script) as file:
            found = _BASE.search(file.read().decode(errors="replace"))
    except OSError:
        return 0
    return int(found[1]) if found is not None else 0


def _tail(read: Any, lines: int) -> str:
    try:
        return "\n".join(str(read()).splitlines()[-lines:])
    except OSError:
        return ""  # it has not started, so it wrote nothing


def _seconds(text: str) -> float | None:
    """Seconds of `[days-]hours:minutes:seconds`."""
    try:
        return float(duration.parse(text))
    except NotationError:
        return None
