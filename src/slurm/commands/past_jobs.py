"""What sacct's options ask of the past: a JobFilter, and what of the answer is to be left out here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from slurm.commands.shell import Shell
from slurm.model.accounting import JobFilter, JobRow
from slurm.model.errors import NotationError
from slurm.model.ids import STEP_NAMES, Gid, JobId, StepId, Uid
from slurm.model.states import JOB_FLAGS, STATE_NAMES, JobState, Reason
from slurm.notation import duration, jobref
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved

_MOST_TASKS = 100
"""An array reference of more tasks asks for the whole array, of which the others are left out here."""
_FLAGS_THAT_END_A_LIFE = ("requeued", "revoked", "resizing")
_STARTED_BY = ("SchedSubmit", "SchedMain", "SchedBackfill")
_STEP_IDS = {name: step for step, name in STEP_NAMES.items()}


class Window(NamedTuple):
    """The time that is looked at, seconds since the epoch; `since` 0: from the beginning, `until` 0: to the present."""

    since: float
    until: float


class Question(NamedTuple):
    """The filters to ask, one after another, and the references of --jobs that the answer is checked against ([]: all)."""

    filters: list[JobFilter]
    references: list[jobref.JobRef]
    window: Window
    alone: bool = False  # the number of a heterogeneous job's leader means only that component

    def keeps(self, row: JobRow) -> JobRow | None:
        """The row with the steps that were asked for; None when it is not asked for at all."""
        if not self.references:
            return row if row.job.eligible_time or row.job.end_time else None
        found = [reference for reference in self.references if _means(reference, row) and not (self.alone and _is_other(reference, row))]
        if not found:
            return None
        steps = {_step_id(reference.step) for reference in found if reference.step}
        if not steps or any(not reference.step for reference in found):
            return row
        return JobRow(row.cluster, row.index, row.job, [step for step in row.steps if step.step in steps])

    @property
    def only_steps(self) -> bool:
        """Whether every reference of --jobs is to a step: then the jobs themselves have no line."""
        return bool(self.references) and all(reference.step for reference in self.references)


def question(shell: Shell, resolved: Resolved, qos: list[str] | None = None) -> Question:
    """What the options ask for; OptionError in Slurm's words where one is wrong. `qos`: those of --qos as they are known."""
    references = _references(resolved)
    whole = _whole_hetjob(resolved)
    if whole == "yes":
        references = [reference._replace(het=None) for reference in references]
    states, flags = _states(resolved.texts("state"))
    window = _window(shell, resolved, bool(references), bool(states or flags))
    users, uids = _users(resolved.texts("uid") + resolved.texts("user"))
    gids = [_gid(word) for word in resolved.texts("gid") + resolved.texts("group")]
    if not (users or uids or references or resolved.flag("allusers")):
        uids = _own()
    clusters = resolved.texts("clusters")
    fields: dict[str, object] = {
        "clusters": [] if "all" in clusters else clusters,
        "all_clusters": resolved.flag("allclusters") or "all" in clusters,
        "jobs": [triple for reference in references for triple in _triples(reference)],
        "users": users, "uids": uids, "gids": gids,
        "accounts": resolved.texts("accounts"), "associations": _numbers(resolved.texts("associations")),
        "partitions": resolved.texts("partition"),
        "qos": resolved.texts("qos") if qos is None else qos, "wckeys": resolved.texts("wckeys"), "names": resolved.texts("name"),
        "reasons": _reasons(resolved.texts("reason")),
        "constraints": resolved.texts("constraints"), "nodes": _nodes(resolved), "since": window.since, "until": window.until,
        "cpus": _range(resolved, "ncpus", "cpu"), "node_counts": _range(resolved, "nnodes", "node"), "time_limits": _limits(resolved),
        "duplicates": resolved.flag("duplicates"), "steps": not resolved.flag("allocations"),
    }
    ways = _ways(resolved.texts("flags"))
    filters = [JobFilter(**fields, states=states, flags=ways)] if states or not flags else []  # type: ignore[arg-type]
    if flags:
        fields["duplicates"] = True
        filters.append(JobFilter(**fields, flags=flags))  # type: ignore[arg-type]
    return Question(filters, references, window, whole == "no")


def known_qos(shell: Shell, resolved: Resolved) -> list[str]:
    """The QOS of --qos as accounting spells them, removed ones too; OptionError in Slurm's words for one that it does not know."""
    if not resolved.text("qos"):
        return []
    asked = resolved.texts("qos")
    if not asked:
        raise _WrongQos("You gave me an empty qos list")
    from slurm.client.policy import PolicyDoor  # few ask for a QOS
    from slurm.model.policy import Qos
    from slurm.model.policy_change import QOS, Which

    every = PolicyDoor(shell.accounting_channel()).records(QOS, Which(with_deleted=True))
    names = [one.name for one in every if isinstance(one, Qos)]
    known = {name.lower(): name for name in names}
    for word in asked:
        if word.lower() not in known:
            raise _WrongQos(f"You gave a bad qos '{word}'. Valid QOS's are {','.join(names)}")
    return [known[word.lower()] for word in asked]


class _WrongQos(OptionError):
    def __init__(self, first: str) -> None:
        super().__init__("problem processing qos list", exit_code=1, fatal=True, preface=[first])


def _whole_hetjob(resolved: Resolved) -> str:
    """yes | no, "" when it was not said: a leader means all components, 12+1 one."""
    word = resolved.text("whole_hetjob").lower()
    if word not in ("yes", "no") and "whole_hetjob" in resolved.settings:
        raise OptionError(f'Invalid --whole-hetjob value "{resolved.text("whole_hetjob")}". Valid values: [yes|no].', exit_code=1)
    return word


def _references(resolved: Resolved) -> list[jobref.JobRef]:
    if resolved.settings.get("jobs") is None:
        return []
    found = []
    for text in _split(resolved.text("jobs")):
        try:
            found.append(jobref.parse(text))
        except NotationError as error:
            raise OptionError(_wrong_reference(text), exit_code=1, fatal=True, hints=[error.message]) from error
    return found


def _wrong_reference(text: str) -> str:
    number, mark, _ = text.partition("." if "." in text else "_")
    if number.isdigit() and mark:
        return f"Bad {'step' if mark == '.' else 'job array element'} specified: {text}"
    return f"Bad job/step specified: {text}"


def _split(text: str) -> Iterator[str]:
    """References between commas outside brackets."""
    start = depth = 0
    for place, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    if text[start:].strip():
        yield text[start:].strip()


def _step_id(name: str) -> StepId:
    return _STEP_IDS[name] if name in _STEP_IDS else StepId(int(name))


def _triples(reference: jobref.JobRef) -> list[tuple[JobId, int | None, StepId | None]]:
    job, step = JobId(reference.job), _step_id(reference.step) if reference.step else None
    if reference.tasks is None or len(reference.tasks) > _MOST_TASKS:
        return [(job, None, step)]
    return [(job, task, step) for task in reference.tasks]


def _means(reference: jobref.JobRef, row: JobRow) -> bool:
    job = row.job
    if reference.job not in (job.id, job.array_job, job.het_job):
        return False
    if reference.het is not None:
        return job.het_offset == reference.het and bool(job.het_job)
    if reference.tasks is None:
        return True
    if job.array_task is not None:
        return job.array_task in reference.tasks
    from slurm.notation import array

    return bool(job.array_tasks) and any(task in reference.tasks for task in array.parse(job.array_tasks).tasks)


def _is_other(reference: jobref.JobRef, row: JobRow) -> bool:
    """Whether a row is another component than the one that has the number of a reference."""
    return reference.het is None and bool(row.job.het_job) and row.job.id != reference.job


def _states(words: list[str]) -> tuple[list[JobState], list[str]]:
    """States and those that lie over one, given by name or letters in any case."""
    states: list[JobState] = []
    flags: list[str] = []
    known = {state.name.lower(): state for state in JobState} | {state.compact.lower(): state for state in JobState}
    over = {name: name for name in _FLAGS_THAT_END_A_LIFE} | {JOB_FLAGS[name].lower(): name for name in _FLAGS_THAT_END_A_LIFE}
    for word in words:
        if word.lower() in known:
            states.append(known[word.lower()])
        elif word.lower() in over:
            flags.append(over[word.lower()])
        else:
            valid = [name for name in STATE_NAMES if name in known or name in over]
            raise OptionError(f"unrecognized job state value '{word}'", exit_code=1, fatal=True,
                hints=[f"valid states: {', '.join(valid)}"])
    return states, flags


def _window(shell: Shell, resolved: Resolved, jobs: bool, states: bool) -> Window:
    """The default window of sacct(1): since midnight; with --jobs since ever; with --state now; and with --state to --starttime where that
    is given."""
    now = shell.now()
    since = _moment(resolved, "starttime", now)
    until = _moment(resolved, "endtime", now)
    if since is None:
        since_or = 0.0 if jobs else now if states else _midnight(now)
        return _checked(since_or, until if until is not None else now + 1 if states and not jobs else 0.0)
    return _checked(since, until if until is not None else since + 1 if states else 0.0)


def _midnight(now: float) -> float:
    from slurm.notation import moment  # who names jobs does without datetime

    return moment.parse("midnight", now, past=True)


def _checked(since: float, until: float) -> Window:
    if until and since > until:
        from slurm.notation import moment  # only when something is wrong

        message = f"Start time ({moment.show(since)}) requested is after end time ({moment.show(until)})."
        raise OptionError(message, exit_code=1, hints=["give --starttime, too: without it the window begins at midnight"])
    return Window(since, until)


def _moment(resolved: Resolved, key: str, now: float) -> float | None:
    if not resolved.text(key):
        return None
    from slurm.notation import moment  # who names no time does without datetime

    try:
        return moment.parse(resolved.text(key), now, past=True)
    except NotationError as error:
        first, _, rest = error.message.partition("; ")
        raise OptionError(first, exit_code=1, bare=True, hints=[rest] if rest else []) from error


def _users(words: list[str]) -> tuple[list[str], list[Uid]]:
    """Users by name and by number; OptionError for a number that nobody can have."""
    numbers = [word for word in words if word.isascii() and word.isdigit()]
    for word in numbers:
        if not _is_id(word):
            raise OptionError(f"Invalid user id: {word}", exit_code=1)
    return [word for word in words if word not in numbers], [Uid(int(word)) for word in numbers]


def _is_id(digits: str) -> bool:
    return len(digits) < 11 and int(digits) < 2**32


def check_users(names: list[str]) -> None:
    """An empty answer for a user whom this machine does not know is more likely a slip than the truth: OptionError."""
    import pwd

    for name in names:
        try:
            pwd.getpwnam(name)
        except KeyError as error:
            hint = "neither accounting nor this machine knows such a user"
            raise OptionError(f"Invalid user id: {name}", exit_code=1, hints=[hint]) from error


def _gid(name: str) -> Gid:
    if name.isascii() and name.isdigit():
        if not _is_id(name):
            raise OptionError(f"Invalid group id: {name}", exit_code=1)
        return Gid(int(name))
    import grp

    try:
        return Gid(grp.getgrnam(name).gr_gid)
    except KeyError as error:
        raise OptionError(f"Invalid group id: {name}", exit_code=1, hints=["this machine knows no such group"]) from error


def _own() -> list[Uid]:
    """Whose jobs are shown when neither users nor jobs are named: of root everybody's, else one's own."""
    import os

    return [] if os.getuid() == 0 else [Uid(os.getuid())]


def _numbers(words: list[str]) -> list[int]:
    for word in words:
        if not (word.isascii() and word.isdigit()):
            raise OptionError(f'Invalid numeric value "{word}" for association id.', exit_code=1, hints=["sacct -o associd shows them"])
    return [int(word) for word in words]


def _nodes(resolved: Resolved) -> list[str]:
    if resolved.settings.get("nodelist") is None:
        return []
    from slurm.notation import hostlist

    return hostlist.expand(resolved.text("nodelist"))


def _range(resolved: Resolved, key: str, what: str) -> tuple[int, int] | None:
    text = resolved.text(key)
    if not text:
        return None
    low, dash, high = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in ((low, high) if dash else (low,))):
        hint = "give a number, or a range such as 2-8"
        raise OptionError(f'Invalid numeric value "{text}" for requested {what} range.', exit_code=1, hints=[hint])
    return int(low), int(high or low)


def _limits(resolved: Resolved) -> tuple[int, int] | None:
    """Seconds; --timelimit-max alone is ignored, as in Slurm."""
    found = {key: _limit(resolved.text(key)) for key in ("timelimit_min", "timelimit_max") if key in resolved.settings}
    low = found.get("timelimit_min")
    return None if low is None else (low, found.get("timelimit_max", low))


def _limit(text: str) -> int:
    try:
        return duration.parse(text)
    except NotationError as error:
        raise OptionError("Invalid time limit specification", exit_code=1, fatal=True, hints=[error.message]) from error


def _reasons(words: list[str]) -> list[str]:
    known = {reason.lower(): reason for name, reason in vars(Reason).items() if name.isupper()}
    for word in words:
        if word.lower() not in known:
            raise OptionError(f"unrecognized job reason value '{word}'", exit_code=1, fatal=True, hints=["sacct --helpreason lists them"])
    return [known[word.lower()] for word in words]


def _ways(words: list[str]) -> list[str]:
    known = {way.lower(): way for way in _STARTED_BY}
    for word in words:
        if word.lower() not in known:
            raise OptionError(f"str_2_job_flags: Invalid job flag {word}", exit_code=1, hints=[f"valid flags: {', '.join(_STARTED_BY)}"])
    return [known[word.lower()] for word in words]


def shown_window(window: Window, states: list[str], now: float) -> str:
    """What -v says: "Jobs Eligible in the time window from Epoch 0 to Mon Nov 30 07:46:03 2026"."""
    import time

    since = time.ctime(window.since) if window.since else "Epoch 0"
    return f"Jobs {','.join(states) or 'Eligible'} in the time window from {since} to {time.ctime(window.until or now)}"


