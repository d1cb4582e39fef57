"""Job descriptions of the API in terms of sbatch: THE table of their fields, each as the option that it is.

So a description is read by the readers of `options`, refused in their words where an option is refused, and changed by the keys that the
table of options gives for `scontrol update`. Not here: whether the cluster takes the job.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from slurm.model.errors import InvalidRequest, NotPermitted, Unsupported
from slurm.model.request import LIMIT_NAMES
from slurm.net import container_options
from slurm.notation import moment
from slurm.options import tables
from slurm.options.option import Option
from slurm.options.resolve import Resolved, resolve
from slurm.slurmrestd.reading import Body

DEFAULT_NAME = "rest"
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
Spoken = Iterator[tuple[str, str | None]]
"""Options by name with their texts; None: a flag."""
Speak = Callable[[Any, Body], Spoken]
"""From a field's value, and the whole description, to options."""


class Field(NamedTuple):
    """One field: what becomes of it. `refused` says why it is not carried out, `neutral` are values that ask for nothing."""

    name: str
    speak: Speak | None = None
    refused: str = ""
    neutral: tuple[Any, ...] = ("", 0, False)


class Asked(NamedTuple):
    """A submission: the fields of a JobRequest and of a BatchPayload, and lines about what has no effect.

    `components`: the JobRequests of the other components of a heterogeneous job.
    """

    request: dict[str, object]
    payload: dict[str, object]
    notes: list[str]
    components: list[dict[str, object]] = []  # noqa: RUF012 - never changed


def _option(name: str, unit: str = "") -> Speak:
    """The value is the option's text, with its unit behind it."""
    def speak(value: Any, body: Body) -> Spoken:
        if isinstance(value, list):
            value = ",".join(value)
        if value != "":
            yield name, f"{_whole(value)}{unit}"

    return speak


def _positive(name: str, unit: str = "") -> Speak:
    """As _option for a count, whose 0 says nothing."""
    def speak(value: Any, body: Body) -> Spoken:
        if value:
            yield name, f"{_whole(value)}{unit}"

    return speak


def _flag(name: str, absent: str = "") -> Speak:
    """True is the option, False the option `absent`."""
    def speak(value: Any, body: Body) -> Spoken:
        word = name if value else absent
        if word:
            yield word, None

    return speak


def _moment(name: str) -> Speak:
    def speak(value: Any, body: Body) -> Spoken:
        if value:
            if math.isinf(value):
                raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=[f"--{name} takes a moment, not an infinite number"])
            yield name, moment.show(value)

    return speak


def _minutes(name: str) -> Speak:
    def speak(value: Any, body: Body) -> Spoken:
        yield name, "UNLIMITED" if math.isinf(value) else str(_whole(value))

    return speak


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        if math.isinf(value):
            return "UNLIMITED"
        return int(value)
    return value


def _tres(name: str, per: str = "") -> Speak:
    """A list of TRES as Slurm keeps it, "gres/gpu:a100:2"; `per`: only GPUs, for an option that takes nothing else."""
    def speak(value: Any, body: Body) -> Spoken:
        if not value:
            return
        pieces = [piece.strip() for piece in value.replace("gres:", "gres/").split(",") if piece.strip()]
        for piece in pieces if per else ():
            if not piece.startswith("gres/gpu"):
                raise Unsupported(message=f"{per}={value}: {piece} is not supported by slurm-py yet",
                    hints=["GPUs are: gres/gpu[:TYPE]:NUMBER"])
        short = [piece.removeprefix("gres/").replace("=", ":") for piece in pieces]
        yield name, ",".join(piece.removeprefix("gpu").removeprefix(":") or "1" if per else piece for piece in short)

    return speak


def _nodes(value: Any, body: Body) -> Spoken:
    """`nodes`, else minimum_nodes and maximum_nodes."""
    least, most = _whole(body.get("minimum_nodes", 0)), _whole(body.get("maximum_nodes", 0))
    text = body.get("nodes") or (f"{least or 1}-{most}" if most else str(least) if least else "")
    if text:
        yield "nodes", text


def _cpus(value: Any, body: Body) -> Spoken:
    """minimum_cpus, which sbatch makes of tasks and CPUs a task: so many tasks where none are asked for."""
    each = int(body.get("cpus_per_task") or 1)
    tasks = int(body.get("tasks") or 0)
    if value and not tasks:
        yield "ntasks", str(-(-int(value) // each))
    elif value and tasks * each < value:
        raise InvalidRequest("ESLURM_BAD_TASK_COUNT",
            hints=[f"minimum_cpus={_whole(value)}, but {tasks} tasks of {each} CPUs are {tasks * each}"])


def _shared(value: Any, body: Body) -> Spoken:
    for word in value:
        if word == "none":
            yield "exclusive", None
        elif word == "oversubscribe":
            yield "oversubscribe", None
        else:
            yield "exclusive", word


_MAIL = {"INVALID_DEPENDENCY": "INVALID_DEPEND", "TIME=100%": "TIME_LIMIT", "TIME=90%": "TIME_LIMIT_90", "TIME=80%": "TIME_LIMIT_80",
    "TIME=50%": "TIME_LIMIT_50"}
_FLAGS: dict[str, tuple[str, str | None]] = {
    "KILL_INVALID_DEPENDENCY": ("kill-on-invalid-dep", "yes"), "NO_KILL_INVALID_DEPENDENCY": ("kill-on-invalid-dep", "no"),
    "SPREAD_JOB": ("spread-job", None),
    "PREFER_MINIMUM_NODE_COUNT": ("use-min-nodes", None), "GRES_BINDING_ENFORCED": ("gres-flags", "enforce-binding"),
    "GRES_BINDING_DISABLED": ("gres-flags", "disable-binding"), "STEPMGR_ENABLED": ("stepmgr", None),
}


def _mail(value: Any, body: Body) -> Spoken:
    if value:
        yield "mail-type", ",".join(_MAIL.get(word, word) for word in value)


def _flags(value: Any, body: Body) -> Spoken:
    for word in value:
        if word not in _FLAGS:
            raise InvalidRequest(message=f"flags: {word} is told of jobs, and not asked for", hints=[f"valid: {', '.join(_FLAGS)}"])
        yield _FLAGS[word]


def _signal(value: Any, body: Body) -> Spoken:
    """kill_warning_signal with its delay in seconds and its flags, as --signal=[B:]SIGNAL@SECONDS."""
    flags = body.get("kill_warning_flags", [])
    unknown = [word for word in flags if word not in ("BATCH_JOB", "RESERVATION_JOB")]
    if unknown:
        raise Unsupported(message=f"kill_warning_flags: {unknown[0]} is not supported by slurm-py yet",
            hints=["valid: BATCH_JOB, RESERVATION_JOB"])
    if value:
        letters = ("R" if "RESERVATION_JOB" in flags else "") + ("B" if "BATCH_JOB" in flags else "")
        delay = body.get("kill_warning_delay")
        yield "signal", f"{letters}{':' if letters else ''}{value}" + (f"@{_whole(delay)}" if delay is not None else "")


def _distribution(value: Any, body: Body) -> Spoken:
    size = body.get("distribution_plane_size")
    if size:
        yield "distribution", f"plane={_whole(size)}"
    elif body.get("distribution"):
        yield "distribution", body["distribution"]


def _switches(value: Any, body: Body) -> Spoken:
    if value:
        wait = body.get("wait_for_switch")
        yield "switches", f"{_whole(value)}" + (f"@{-(-int(wait) // 60)}" if wait else "")


def _wait_all(value: Any, body: Body) -> Spoken:
    yield "wait-all-nodes", "1" if value else "0"


def _said_elsewhere(value: Any, body: Body) -> Spoken:
    """Read with another field, or below."""
    return iter(())


_FOR_STEPS = "it is about steps, which srun makes"
FIELDS: tuple[Field, ...] = (
    Field("account", _option("account")), Field("account_gather_frequency", _option("acctg-freq")), Field("admin_comment", _said_elsewhere),
    Field("allocation_node_list", _said_elsewhere),
    Field("allocation_node_port", refused="slurmctld calls nobody back: whoever allocated asks for the job"),
    Field("argv", _said_elsewhere), Field("array", _option("array")), Field("batch_features", _option("batch")),
    Field("begin_time", _moment("begin")),
    Field("flags", _flags), Field("burst_buffer", _option("bb")), Field("clusters", _option("clusters")),
    Field("cluster_constraint", _option("cluster-constraint")),
    Field("comment", _option("comment")), Field("contiguous", _flag("contiguous")), Field("container", _option("container")),
    Field("container_id", _option("container-id")), Field("core_specification", _positive("core-spec")),
    Field("thread_specification", _positive("thread-spec")),
    Field("cpu_binding", refused=_FOR_STEPS), Field("cpu_binding_flags", refused=_FOR_STEPS, neutral=([],)),
    Field("cpu_frequency", _option("cpu-freq")),
    Field("cpus_per_tres", _tres("cpus-per-gpu", "cpus_per_tres")), Field("crontab", refused="scrontab makes such jobs", neutral=({},)),
    Field("deadline", _moment("deadline")), Field("delay_boot", _positive("delay-boot")), Field("dependency", _option("dependency")),
    Field("end_time", refused="a job ends by its time limit or its deadline"), Field("environment", _said_elsewhere),
    Field("rlimits", _said_elsewhere),
    Field("excluded_nodes", _option("exclude")), Field("extra", _option("extra")), Field("constraints", _option("constraint")),
    Field("group_id", _said_elsewhere),
    Field("hetjob_group", _said_elsewhere), Field("immediate", refused="nobody waits here for a batch job to start"),
    Field("job_id", refused="slurmctld numbers jobs"), Field("kill_on_node_fail", lambda value,
    body: iter(() if value else (("no-kill", None),))),
    Field("licenses", _option("licenses")), Field("mail_type", _mail), Field("mail_user", _option("mail-user")),
    Field("mcs_label", _option("mcs-label")),
    Field("memory_binding", _option("mem-bind")), Field("memory_binding_type", refused="tasks are not bound to memory",
    neutral=([], ["NONE"])),
    Field("memory_per_tres", _tres("mem-per-gpu", "memory_per_tres")), Field("name", _option("job-name")),
    Field("network", _option("network")),
    Field("nice", _option("nice")), Field("tasks", _positive("ntasks")), Field("oom_kill_step", _positive("oom-kill-step")),
    Field("open_mode", lambda value, body: iter([("open-mode", word.lower()) for word in value])),
    Field("reserve_ports", refused="ports are kept for steps: give it to srun"),
    Field("overcommit", _flag("overcommit")), Field("partition", _option("partition")), Field("distribution_plane_size", _said_elsewhere),
    Field("power_flags", refused="Slurm itself took power management of jobs away", neutral=([],)), Field("prefer", _option("prefer")),
    Field("hold", _flag("hold")), Field("priority", _option("priority")),
    Field("profile", lambda value, body: iter([("profile", ",".join(words))]
    if (words := [word.lower() for word in value if word != "NOT_SET"]) else [])),
    Field("qos", _option("qos")), Field("reboot", _flag("reboot")), Field("required_nodes", _option("nodelist")),
    Field("requeue", _flag("requeue", "no-requeue")),
    Field("reservation", _option("reservation")), Field("script", _said_elsewhere), Field("shared", _shared),
    Field("site_factor", refused="there is no site factor of priorities"), Field("spank_environment", refused="there are no SPANK plug-ins",
    neutral=([],)),
    Field("step_id", refused=_FOR_STEPS, neutral=({},)), Field("distribution", _distribution), Field("time_limit", _minutes("time")),
    Field("time_minimum", _minutes("time-min")),
    Field("tres_bind", _option("tres-bind")), Field("tres_freq", _tres("gpu-freq", "tres_freq")),
    Field("tres_per_job", _tres("gpus", "tres_per_job")),
    Field("tres_per_node", _tres("gres")), Field("tres_per_socket", _tres("gpus-per-socket", "tres_per_socket")),
    Field("tres_per_task", _option("tres-per-task")),
    Field("user_id", _said_elsewhere), Field("wait_all_nodes", _wait_all), Field("kill_warning_flags", _said_elsewhere),
    Field("kill_warning_signal", _signal),
    Field("kill_warning_delay", _said_elsewhere), Field("current_working_directory", _option("chdir")),
    Field("cpus_per_task", _positive("cpus-per-task")),
    Field("minimum_cpus", _cpus), Field("maximum_cpus", refused="a job has the CPUs of its tasks"), Field("nodes", _nodes),
    Field("minimum_nodes", _said_elsewhere),
    Field("maximum_nodes", _said_elsewhere), Field("minimum_boards_per_node", refused="nodes are chosen by sockets, not by boards",
    neutral=("", 0, 1)),
    Field("minimum_sockets_per_board", refused="nodes are chosen by sockets, not by boards"),
    Field("sockets_per_node", _positive("sockets-per-node")),
    Field("threads_per_core", _positive("threads-per-core")), Field("tasks_per_node", _positive("ntasks-per-node")),
    Field("tasks_per_socket", _positive("ntasks-per-socket")), Field("tasks_per_core", _positive("ntasks-per-core")),
    Field("tasks_per_board", refused="tasks are counted by sockets, not by boards"), Field("ntasks_per_tres", _positive("ntasks-per-gpu")),
    Field("minimum_cpus_per_node", _positive("mincpus")), Field("memory_per_cpu", _option("mem-per-cpu", "M")),
    Field("memory_per_node", _option("mem", "M")),
    Field("temporary_disk_per_node", _positive("tmp", "M")), Field("selinux_context", refused="there are no SELinux contexts of jobs"),
    Field("required_switches", _switches), Field("segment_size", _positive("segment")), Field("standard_error", _option("error")),
    Field("standard_input", _option("input")), Field("standard_output", _option("output")), Field("wait_for_switch", _said_elsewhere),
    Field("wckey", _option("wckey")),
    Field("x11", refused=_FOR_STEPS, neutral=([],)), Field("x11_magic_cookie", refused=_FOR_STEPS),
    Field("x11_target_host", refused=_FOR_STEPS),
    Field("x11_target_port", refused=_FOR_STEPS),
)
BY_NAME = {field.name: field for field in FIELDS}
_TOGETHER = {
    "minimum_nodes": "nodes", "maximum_nodes": "nodes", "distribution_plane_size": "distribution",
    "kill_warning_delay": "kill_warning_signal",
    "kill_warning_flags": "kill_warning_signal"}
"""Fields that are read with another."""


def _options(body: Body) -> list[tuple[str, str | None]]:
    """All that a description says, as options of sbatch."""
    found: list[tuple[str, str | None]] = []
    done: set[str] = set()
    for name, value in body.items():
        field = BY_NAME[_TOGETHER.get(name, name)]
        if BY_NAME[name].refused:
            if value not in BY_NAME[name].neutral:
                raise Unsupported(message=f"The field {name} is not supported by slurm-py yet: {BY_NAME[name].refused}")
        elif field.speak is not None and field.name not in done:
            done.add(field.name)
            found += field.speak(body.get(field.name), body)
    return found


def submission(bodies: Sequence[Body], script: str, user: str, uid: int, *, now: float, host: str) -> Asked:
    """What is asked of slurmctld for the description of a batch job, or for those of a heterogeneous job's components; `user` is whom the
    request comes from.

    InvalidRequest, Unsupported, NotPermitted.
    """
    body, *others = bodies
    for place, each in enumerate(bodies):
        _require_own(each, user, uid)
        _require_place(each, place)
    script = body.get("script") or script
    if not script.strip():
        raise InvalidRequest("ESLURM_JOB_SCRIPT_MISSING", hints=["`script` holds its text, and begins with #!"])
    if not script.startswith("#!"):
        raise InvalidRequest(message="This does not look like a batch script.  The first line must start with #! followed by the path to "
                                     "an interpreter.")
    folder = str(body.get("current_working_directory", ""))
    if not all(str(each.get("current_working_directory", folder)).startswith("/") for each in bodies):
        raise InvalidRequest(message="current_working_directory must be an absolute path", hints=["it is the folder in which the job runs"])
    for each in others:
        if each.get("script") not in (None, "", script):
            raise InvalidRequest(message="The components of a heterogeneous job have one script, which runs in the first one")
    notes = [f"{name} of component {place} has no effect: the script runs in the first one" for place, each in enumerate(others, 1)
        for name in ("argv", "environment") if each.get(name) and each[name] != body.get(name)]
    resolved = [resolve("sbatch", _words({"current_working_directory": folder, **each}), {}, now=now) for each in bodies]
    request, *components = [_completed(one, each, host) for one, each in zip(resolved, bodies, strict=True)]
    environment = _environment(body.get("environment", []))
    environment.update(container_options.asked(resolved[0], folder))
    payload: dict[str, object] = {"script": script, "argv": body.get("argv", [])[1:], "environment": environment}
    return Asked(request, payload, [*(note for one in resolved for note in one.notes), *notes], components)


def _words(body: Body) -> list[str]:
    """A description as a command line."""
    return [f"--{name}" if text is None else f"--{name}={text}" for name, text in _options(body)]


def _completed(resolved: Resolved, body: Body, host: str) -> dict[str, object]:
    """A JobRequest with what is no option of sbatch."""
    request = dict(resolved.request)
    request["name"] = request.get("name") or DEFAULT_NAME
    request["submit_host"] = body.get("allocation_node_list") or host
    if body.get("admin_comment"):
        request["admin_comment"] = body["admin_comment"]
    if body.get("rlimits"):
        request["rlimits"] = {name: -1 if math.isinf(limit) else int(limit) for name,
            limit in body["rlimits"].items() if name in LIMIT_NAMES}
    return request


def _require_place(body: Body, place: int) -> None:
    if body.get("hetjob_group") not in (None, place):
        raise InvalidRequest(message=f"hetjob_group={_whole(body['hetjob_group'])} of component {place}", hints=[
            "components are numbered as they stand, from 0 on"])


_OF_SCRIPTS = ("script", "argv", "environment", "standard_input", "standard_output", "standard_error", "open_mode", "requeue", "rlimits",
    "container")
"""What a description says of a script, which an allocation has none of."""
ALLOCATION_NAME = "no-shell"
"""What `salloc --no-shell` calls a job that has no name."""


def allocation(bodies: Sequence[Body], user: str, uid: int, *, now: float, host: str) -> Asked:
    """What is asked of slurmctld for an allocation that nobody holds, of one component or several: it is there until its time limit, or
    until it is cancelled.

    InvalidRequest, Unsupported, NotPermitted.
    """
    found: list[dict[str, object]] = []
    notes: list[str] = []
    for place, body in enumerate(bodies):
        _require_own(body, user, uid)
        _require_place(body, place)
        notes += [f"{name} says nothing of an allocation: it has no script" for name in _OF_SCRIPTS if body.get(name)]
        resolved = resolve("salloc", _words({name: value for name, value in body.items() if name not in _OF_SCRIPTS}), {}, now=now)
        notes += resolved.notes
        submit_host = body.get("allocation_node_list") or host
        found.append({**resolved.request, "kind": "alloc", "no_shell": True, "submit_host": submit_host,
            "name": resolved.request.get("name") or ALLOCATION_NAME})
    return Asked(found[0], {}, notes, found[1:])


def _require_own(body: Body, user: str, uid: int) -> None:
    """A job is that of whoever submits it: naming another user is refused, whoever asks."""
    for name, own in (("user_id", (user, str(uid))), ("group_id", ())):
        wanted = str(body.get(name, ""))
        if wanted and own and wanted not in own:
            raise NotPermitted("ESLURM_USER_ID_MISSING", hints=[f"{name}={wanted[:64]}: a job is that of its submitter, {user}"])
        if wanted and not own:
            raise Unsupported(message=f"The field {name} is not supported by slurm-py yet: a job runs as its user's first group")


def _environment(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not (name and equals):
            raise InvalidRequest(message=f"environment: {line[:64]!r} is no NAME=value")
        found[name] = value
    found.setdefault("PATH", DEFAULT_PATH)
    found.pop("SLURM_JWT", None)
    return found


_CHANGED = {"admin_comment": "AdminComment"}


def changes(body: Body) -> dict[str, str]:
    """What is asked of a job that exists, in keys of `scontrol update`; holding and releasing are not among them.

    InvalidRequest, Unsupported.
    """
    rows = {option.name: option for option in tables.rows("sbatch")}
    found: dict[str, str] = {key: str(body[name]) for name, key in _CHANGED.items() if name in body}
    fixed = [name for name in ("script", "argv", "environment", "rlimits", "user_id", "group_id", "hetjob_group",
        "allocation_node_list") if body.get(name)]
    if fixed:
        raise InvalidRequest(message=f"{fixed[0]} cannot be changed once a job is submitted")
    asked = {name: value for name, value in body.items() if name not in (*_CHANGED, "hold", "job_id")}
    for name, text in _options(asked):
        key, value = _change(rows[name], text)
        found[key] = value
    # Flags that are switched off say nothing to sbatch, but something to a job that has them.
    for name, key in (("contiguous", "Contiguous"), ("requeue", "Requeue")):
        if body.get(name) is False:
            found[key] = "0"
    return found


def _change(option: Option, text: str | None) -> tuple[str, str]:
    if option.name == "no-requeue":
        return "Requeue", "0"
    if not option.update:
        raise InvalidRequest(message=f"Update of this parameter is not supported: {option.name}", hints=[
            f"what can be changed of a job: {', '.join(sorted(_changeable()))}"])
    return option.update, "1" if text is None else text


def _changeable() -> Mapping[str, str]:
    """Option → key, of those that can be changed."""
    return {option.name: option.update for option in tables.rows("sbatch") if option.update}
