"""Cluster: where tasks run, with what every job there shares. The backends that do it stand in `backends`.

Modules of tasks import Cluster beside `task`, and every job imports such a module: what only submitting needs is imported then.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from contextvars import Token
from datetime import timedelta
from functools import partial
from typing import Any, Self

from slurm.model.errors import SlurmError
from slurm.sdk import context, options
from slurm.sdk.array_job import ArrayJob
from slurm.sdk.backends.backend import BACKENDS, DEFAULT_BASE, SSH_WORDS, Backend, Distant, base_of, login_of
from slurm.sdk.errors import BackendError
from slurm.sdk.following.tracker import GONE_SECONDS, Tracker
from slurm.sdk.job import Job
from slurm.sdk.packaging import settings
from slurm.sdk.tasks import P, SlurmTask, Submittable, T
from slurm.sdk.tidying.removed import Cleanup

_WORDS = ("backend_type", "callbacks", "job_base_dir", "default_packaging", "default_account", "default_partition", "python", "setup",
    "script_permissions",
          "patience", "backend", "start", *sorted(SSH_WORDS))
"""What Cluster knows beside the options of sbatch."""


class Cluster:
    """A cluster to run tasks on; `with cluster:` makes it the active one.

    Args:
        backend_type: `local`, the cluster of this machine as sbatch finds it, started with `slurm up` when there is none; `commands`, any
        Slurm by its
            commands on PATH; `ssh`, any Slurm behind a login node (hostname, username, key_filename …: see `backends.ssh_login.Login`);
            `subprocess` and `inline` need no cluster. By default `ssh` where there is a hostname, else `local`.
        callbacks: Who is told what becomes of the jobs.
        job_base_dir: Below which the folders of jobs are made; `~/slurm_jobs`.
        default_packaging: How code travels for tasks that do not say so; `default_packaging_…` as `packaging_…` in @task.
        default_account: The account to charge; `account` does the same.
        default_partition: The partition to run in; `partition` does the same.
        python: The interpreter of the jobs: this one; over ssh `python3`.
        setup: Shell lines before it, such as `module load python` or `source venv/bin/activate`. Relative paths begin where the program
        stands, over ssh at home. script_permissions: The mode of the jobs' scripts; 0o700. Their folders are this user's alone.
        patience: Seconds that the cluster may be away before those who wait get a BackendError; without `ssh`, `timeout=` a number is the
        same. backend: A backend of your own.
        start: With False no cluster is started: BackendError when there is none.
        keywords: Options of sbatch (time="1:00:00", mem="4G") for every job that does not say otherwise, and the words of `ssh`; of these
        `local` and
            `commands` have `env`, variables for the commands and the jobs.
    """

    backend: Backend
    tracker: Tracker
    slurmfile_path: str | None = None
    env_name: str | None = None
    environment_config: Mapping[str, Any] | None = None
    """The tables of the Slurmfile's environment, the user's own too; None where it was no Slurmfile that described the cluster."""
    submit_defaults: Mapping[str, Any] | None = None
    """Its table `submit`, as it stands there."""
    _home = ""

    def __init__(self, backend_type: str = "", callbacks: Sequence[object] | None = None,
            job_base_dir: str | os.PathLike[str] | None = None,
                 default_packaging: str | Mapping[str, Any] | None = None, default_account: str | None = None,
                 default_partition: str | None = None, *,
                 python: str = "", setup: str = "", script_permissions: int = 0o700, patience: float = GONE_SECONDS,
                 backend: Backend | None = None,
                 start: bool = True, **keywords: Any) -> None:
        self.callbacks = _callbacks(callbacks)
        self._audience: Any = None
        backend_type = backend_type or ("ssh" if keywords.get("hostname") else "local")
        login = login_of(backend_type, keywords)
        if backend_type != "ssh" and isinstance(keywords.get("timeout"), int | float):
            patience = keywords.pop("timeout")  # as in the published SDK; text is a job's time, as in @task
        self.default_packaging_kwargs = settings.taken(keywords, f"default_{settings.PREFIX}")
        self.packaging_defaults = settings.default_of(default_packaging, self.default_packaging_kwargs)
        self.backend_type = backend_type
        self._base = os.fspath(job_base_dir or base_of(backend) or DEFAULT_BASE)
        self.default_packaging = default_packaging
        self.default_account = default_account
        self.default_partition = default_partition
        self.python = python or ("python3" if backend_type == "ssh" else sys.executable)
        if "/" in self.python and backend_type != "ssh":
            self.python = os.path.abspath(self.python)  # jobs run in other folders
        self.setup = setup
        self.script_permissions = script_permissions
        self.patience = patience
        asked = {"account": default_account, "partition": default_partition, **keywords}
        self._defaults = options.checked({name: value for name, value in asked.items() if value is not None}, "Cluster", _WORDS)
        self.backend = _ours(backend if backend is not None else create_backend(backend_type, start=start, **login))
        if not isinstance(self.backend, Distant):
            self._base = self.backend.base(self._base)  # the program may go elsewhere
        if backend is None:
            ours: Any = self.backend
            ours.base_dir = self._base
        self.tracker = Tracker(self.backend, patience)
        self._tokens: list[Token[context.Submitter | None]] = []

    @property
    def job_base_dir(self) -> str:
        """Below which the folders of jobs are made, as the jobs see it."""
        return self.backend.base(self._base)

    @property
    def home(self) -> str:
        """Where relative paths begin that are for jobs: where the program stands, for a workflow where its program stood, over ssh the
        folder of the login."""
        return self._home or self.backend.around().folder

    @classmethod
    def from_env(cls, slurmfile_path_or_env: str | os.PathLike[str] | None = None, *, env: str | None = None,
                 overrides: Mapping[str, Any] | None = None, callbacks: Sequence[object] | None = None) -> Self:
        """The cluster that a Slurmfile describes: found as `slurmfile.find` says, in the environment `env` ($SLURM_ENV, else `default`).

        `overrides` are arguments of Cluster that win; `backend` may stand for backend_type, and `backend_config` holds more of them.
        """
        from slurm.sdk import slurmfile  # only submitting needs it

        path, name = slurmfile.where(slurmfile_path_or_env, env, os.environ)
        tables = slurmfile.environment(path, name)
        found = slurmfile.arguments(tables, f"{path}: [{name}]") | ({} if callbacks is None else {"callbacks": callbacks})
        changed = {**(overrides or {})}
        found |= changed.pop("backend_config", None) or {}
        found |= {"backend_type" if key == "backend" and isinstance(value, str) else key: value for key, value in changed.items()}
        made = cls(**found)
        made.slurmfile_path, made.env_name = os.path.abspath(path), name
        made.environment_config = {key: value for key, value in tables.items() if key != "callbacks"}
        made.submit_defaults = tables.get("submit")
        return made

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **extra: Any) -> Self:
        """The cluster that a TOML file describes: the arguments of this class by name, `backend` for backend_type."""
        from slurm.sdk import slurmfile  # only submitting needs it

        return cls(**{**slurmfile.flat(path), **extra})

    @classmethod
    def from_backend(cls, backend: Any, **keywords: Any) -> Self:
        """A cluster on a backend of your own: a `Backend`, or an object with the methods of the published SDK's backends.

        `default_packaging_kwargs` and `packaging_defaults` are taken as there: `packaging_…` words as a table, and packaging unless
        `default_packaging` says it.
        """
        ours = _ours(backend)
        keywords |= {f"default_{settings.PREFIX}{name}": value for name, value in (keywords.pop("default_packaging_kwargs", None)
            or {}).items()}
        lowest = keywords.pop("packaging_defaults", None)
        keywords["default_packaging"] = keywords.get("default_packaging") or lowest
        return cls(**{"backend_type": ours.name, **keywords, "backend": ours})

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Self:
        """The cluster that `spec` of another described."""
        words = dict(spec)
        described = words.pop("described", {})
        made = cls(**words)
        vars(made).update(described)
        return made

    @staticmethod
    def add_argparse_args(parser: Any) -> None:
        """Add the options that `from_args` reads to an argparse.ArgumentParser."""
        parser.add_argument("--backend", choices=BACKENDS, help="how jobs are run (ssh with --hostname, else local)")
        parser.add_argument("--job-base-dir", help=f"where the folders of jobs are made ({DEFAULT_BASE})")
        parser.add_argument("--account", help="account to charge")
        parser.add_argument("--partition", help="partition to run in")
        parser.add_argument("--packaging", default="auto", help="how code gets to the jobs: auto, wheel, none, container:IMAGE (auto)")
        parser.add_argument("--packaging-registry", help="where images of containers are pushed and pulled")
        parser.add_argument("--packaging-platform", help="platform that images are built for, such as linux/amd64")
        parser.add_argument("--packaging-tls-verify", type=_truth, default=True, metavar="{true,false}",
            help="whether the registry has to prove who it is (true)")
        parser.add_argument("--hostname", help="login node, for ssh")
        parser.add_argument("--username", help="user there, for ssh")
        parser.add_argument("--port", type=int, help="port there, for ssh (22)")
        parser.add_argument("--password", help="password there, for ssh; others may see it while this program runs: keys are better")
        parser.add_argument("--host-key-policy", choices=("auto", "warn", "reject"),
            help="what to do with hosts that known_hosts lacks (reject)")
        parser.add_argument("--banner-timeout", type=float, help="seconds that logging in may take, for ssh (30)")

    @classmethod
    def from_args(cls, args: Any, **extra: Any) -> Self:
        """The cluster that the options of `add_argparse_args` describe; `extra` arguments win."""
        names = {"backend": "backend_type", "job_base_dir": "job_base_dir", "account": "default_account", "partition": "default_partition",
                 "packaging": "default_packaging", **{f"packaging_{key}": f"default_packaging_{key}"
                 for key in ("registry", "platform", "tls_verify")}}
        if args.backend == "ssh" or (args.backend is None and args.hostname):
            names |= {name: name for name in ("hostname", "username", "port", "password", "host_key_policy", "banner_timeout")}
        usual = {"packaging": "auto", "packaging_tls_verify": True}  # which not every packaging knows
        found = {argument: value for name, argument in names.items() if (value := getattr(args, name, None)) not in (None, usual.get(name))}
        return cls(**{**found, **extra})

    def activate(self) -> Self:
        """Make it the active one from here on, as `with` does for a block: for notebooks. Another that is activated takes its place."""
        context.stay(self)
        return self

    def __enter__(self) -> Self:
        self._tokens.append(context.enter(self))
        return self

    def __exit__(self, *reason: object) -> None:
        context.leave(self._tokens.pop())

    def submit_call(self, task: SlurmTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job[Any]:
        """Submit one call of a task."""
        from slurm.sdk.calls import submission  # only submitting needs it
        from slurm.sdk.published import metadata  # only submitting needs it

        job = submission.submit_call(self, self.job_base_dir, task, args, kwargs)
        metadata.submitted(self, job, task.name, task.workflow)
        return job

    def submit_map(self, task: SlurmTask[..., Any], items: list[Any], limit: int) -> ArrayJob[Any]:
        """Submit an array, a call an item."""
        from slurm.sdk.calls import submission  # only submitting needs it
        from slurm.sdk.published import metadata  # only submitting needs it

        array = submission.submit_map(self, self.job_base_dir, task, items, limit)
        metadata.submitted(self, array, task.name, task.workflow)
        return array

    def submit(self, task_func: SlurmTask[P, T], packaging_config: object = None, after: Any = None, **options: Any) -> Submittable[P, T]:
        """What submits this task here with these options, after these jobs, when it is called with the task's arguments."""
        if not isinstance(task_func, SlurmTask):
            raise ValueError(f"Expected SlurmTask instance, got {type(task_func).__name__}: put @task over the function")
        if packaging_config is not None:
            options["packaging"] = packaging_config
        jobs = () if after is None else tuple(after) if isinstance(after, list | tuple) else (after,)
        return Submittable(self, task_func.with_options(**options).after(*jobs))

    def get_job(self, job_id: str) -> Job[Any]:
        """A job by its id ("12", or "12_3" for an element of an array), also one that another program submitted.

        Where it lies is asked when that is needed, as for its result: RuntimeError when the cluster has forgotten it, or it is an array or
        none of a task.
        """
        return Job(job_id, self)

    def get_jobs(self) -> list[Job[Any]]:
        """Your jobs that have not ended, the elements of arrays singly."""
        from slurm.sdk.following import inspection  # no job needs it

        return [Job(row.id, self) for row in inspection.queue(self.backend.ask, mine=True, elements=True)]

    def get_queue(self) -> list[dict[str, str]]:
        """The queue, jobs of all users: JOBID, NAME, STATE, USER, START_TIME, TIME, TIME_LIMIT, PARTITION, ACCOUNT, NODES, REASON."""
        methods: Any = self.backend
        rows: list[dict[str, str]] = methods.get_queue()
        return rows

    def get_cluster_info(self) -> dict[str, list[dict[str, str]]]:
        """The partitions, a row for each state that nodes of it are in: PARTITION, AVAIL, TIMELIMIT, NODES, STATE."""
        methods: Any = self.backend
        rows: dict[str, list[dict[str, str]]] = methods.get_cluster_info()
        return rows

    def diagnose(self) -> dict[str, Any]:
        """What can be said of this cluster, and what stands in the way; never raises: errors are listed under `errors`."""
        from slurm.sdk.published.questions import diagnose  # a name of the published SDK, which few call

        return diagnose(self)

    def defaults(self) -> Mapping[str, str | None]:
        """The options of sbatch that hold for every job."""
        return self._defaults

    def audience(self) -> Any:
        """Who tells the callbacks of this cluster (`callbacks.client.Client`); None when it has none."""
        if self.callbacks and self._audience is None:
            from slurm.sdk.callbacks.client import Client  # most clusters have no callbacks

            self._audience = Client(self)
        return self._audience if self.callbacks else None

    def spec(self) -> dict[str, Any]:
        """The arguments that make such a cluster inside a job, as a workflow does: there ssh's cluster is that of the commands on PATH.

        What a Slurmfile says comes along, but for its table `cluster`: passwords stay here.
        """
        described = {name: value for name in ("slurmfile_path", "env_name", "submit_defaults")
            if (value := getattr(self, name)) is not None}
        if self.setup or not isinstance(self.backend, Distant):
            described["_home"] = self.home
        if self.environment_config is not None:
            described["environment_config"] = {name: table for name, table in self.environment_config.items() if name != "cluster"}
        return {**({"described": described} if described else {}), "backend_type": "commands" if self.backend_type == "ssh"
            else self.backend_type, "job_base_dir": self.job_base_dir, "default_packaging": self.packaging_defaults or None,
                "default_account": self.default_account, "default_partition": self.default_partition,
                "python": self.python, "setup": self.setup, "script_permissions": self.script_permissions, "patience": self.patience,
                **{name: text if text is not None else True for name, text in self._defaults.items()}}

    def travelling(self, packaging: dict[str, Any]) -> bytes:
        """This cluster for a workflow's job, whose children have this packaging: `pickle.loads(…)(callbacks)` makes it there."""
        return pickle.dumps(partial(_made, {**self.spec(), "default_packaging": packaging}))

    def cleanup(self, *, older_than: float | timedelta = 7 * 86400.0, keep_failed: bool = False, dry_run: bool = False,
            cache: bool = False) -> Cleanup:
        """Remove the folders of jobs that have ended and in which nothing was written for `older_than` (seconds or a timedelta, a week),
        and old copies of code.

        Never those of this user's jobs that have not ended, nor those whose results such a job was handed. `keep_failed` keeps folders of
        jobs without a result, `cache` removes cached results too, `dry_run` only says what would be removed. BackendError when the cluster
        cannot say what is live.
        """
        from slurm.sdk.tidying import cleanup  # only who cleans up needs it

        return cleanup.cleanup(self, older_than=older_than, keep_failed=keep_failed, dry_run=dry_run, cache=cache)

    def reconnect(self) -> None:
        """Open connections anew when they are needed next."""
        self.backend.close()

    def close(self) -> None:
        """Let go of connections; the cluster and its jobs stay usable."""
        self.backend.close()

    def __reduce__(self) -> Any:
        return _made, (self.spec(),)

    def __repr__(self) -> str:
        return f"Cluster(backend_type={self.backend_type!r}, job_base_dir={self._base!r})"


def create_backend(backend_type: str, *, start: bool = True, **login: Any) -> Backend:
    """The backend of this name; for `local` the one that reaches the Slurm which is there, with `start` begun when there is none. `login`
    is for ssh, of which `local` and `commands` have `env`. Every Cluster without a backend of its own gets it here."""
    if backend_type == "ssh":
        return _ssh(login)
    environ = {**os.environ, **login["env"]} if login.get("env") else None
    if backend_type == "subprocess":
        from slurm.sdk.backends.subprocess import SubprocessBackend  # one kind is made, the others are not loaded

        return SubprocessBackend()
    if backend_type == "inline":
        from slurm.sdk.backends.inline import InlineBackend  # one kind is made, the others are not loaded

        return InlineBackend()
    from slurm.sdk.backends.commands import CommandsBackend  # one kind is made, the others are not loaded

    if backend_type == "commands":
        return CommandsBackend(environ)
    from slurm.sdk.backends.local import LocalBackend  # one kind is made, the others are not loaded

    local = LocalBackend(environ)
    try:
        local.ensure(start)
    except BackendError:
        # A cluster that does not speak our protocol is a real Slurm; its commands do.
        if _real_slurm():
            return CommandsBackend(environ)
        raise
    return local


def _ours(backend: Any) -> Backend:
    if hasattr(backend, "changes"):
        found: Backend = backend
        return found
    from slurm.sdk.published.backends import ours  # few programs bring one of their own

    return ours(backend)


def _real_slurm() -> bool:
    import shutil

    from slurm.net.discovery import find_site  # only where a cluster of this machine is looked for

    try:
        return not find_site(os.environ).embedded and shutil.which("sbatch") is not None
    except SlurmError:
        return False


def _ssh(login: Mapping[str, Any]) -> Backend:
    try:
        from slurm.sdk.backends.ssh import SshBackend  # it needs asyncssh
    except ImportError as error:
        raise BackendError(f'backend_type="ssh" needs asyncssh, which is not installed ({error}): pip install asyncssh') from error
    return SshBackend(**login)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


def _callbacks(given: Sequence[object] | None) -> list[Any]:
    if not given:
        return []
    from slurm.sdk.callbacks.base import BaseCallback  # most clusters have no callbacks

    if isinstance(given, BaseCallback):
        raise TypeError(f"callbacks=[{type(given).__name__}(…)]: give a list of them")
    for one in given:
        if not isinstance(one, BaseCallback):
            what = f"the class {one.__name__}: give an instance, {one.__name__}()" if isinstance(one, type) else f"{one!r}, no BaseCallback"
            raise TypeError(f"Cluster: callbacks has {what}")
    return list(given)


def _made(spec: dict[str, Any], callbacks: Sequence[Any] = ()) -> Cluster:
    return Cluster.from_spec({**spec, "callbacks": callbacks})
