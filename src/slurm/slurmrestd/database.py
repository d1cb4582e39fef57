"""Operations on what slurmdbd keeps: past jobs, and accounts, users, associations, QOS … as they are."""

from __future__ import annotations

import pwd
import time
from collections.abc import Iterable, Mapping
from typing import Any

from slurm.model.accounting import JobFilter, JobRow
from slurm.model.errors import InvalidRequest, NotationError, NotFound, Unsupported
from slurm.model.ids import JobId, NodeName, StepId
from slurm.model.policy import Account, Association, Qos, User, Wckey
from slurm.model.policy_change import ACCOUNT, ASSOCIATION, QOS, USER, WCKEY, Which
from slurm.model.states import JobState
from slurm.notation import hostlist, jobref, moment
from slurm.render import accounting_json, policy_json
from slurm.render.accounting_entry import Style
from slurm.slurmrestd.operation import Call

Record = dict[str, Any]
_MICROSECONDS = 1_000_000
_LISTS = {
    "account": "accounts", "users": "users", "partition": "partitions", "qos": "qos", "wckey": "wckeys", "job_name": "names",
    "cluster": "clusters",
    "reason": "reasons", "constraints": "constraints"}
"""Query parameter of jobs/ → field of a JobFilter."""
_STARTED = {
    "scheduled_on_submit": "SchedSubmit", "scheduled_by_main": "SchedMain", "scheduled_by_backfill": "SchedBackfill"}
_ROLLED = {"hour": "hourly", "day": "daily", "month": "monthly"}
_TRUE = ("true", "yes", "1", "on")
_READ = frozenset({
    *_LISTS, *_STARTED, "step", "association", "end_time", "groups", "node", "show_duplicates", "skip_steps", "start_time", "state"})


def _said(call: Call, name: str) -> bool:
    return call.query.get(name, "").lower() in _TRUE


def _listed(call: Call, name: str) -> list[str]:
    return [piece.strip() for piece in call.query.get(name, "").split(",") if piece.strip()]


def _refuse_others(call: Call, read: Iterable[str]) -> None:
    """Unsupported for a query parameter that nothing is made of."""
    for name, text in call.query.items():
        if name not in read and text.lower() not in ("", "0", "false", "no"):
            raise Unsupported(message=f"The query parameter {name!r} is not supported by slurm-py yet",
                hints=[f"supported: {', '.join(sorted(read))}"])


def list_jobs(call: Call) -> Record:
    """GET jobs: those of a window of time; without one, of today, as sacct."""
    _refuse_others(call, _READ)
    chosen = _chosen(call)
    started = [flag for name, flag in _STARTED.items() if _said(call, name)]
    until = _moment(call, "end_time")
    since = _moment(call, "start_time")
    if since is None:
        since = 0.0 if chosen else moment.parse("midnight", call.now, past=True)
    listed: dict[str, Any] = {field: _listed(call, name) for name, field in _LISTS.items() if call.query.get(name)}
    nodes = [NodeName(name) for name in hostlist.expand(call.query["node"])] if call.query.get("node") else []
    wanted = JobFilter(
        jobs=chosen, **listed,
        associations=_numbers(call, "association"), nodes=nodes, gids=[*map(_gid, _listed(call, "groups"))],
        states=_states(call), flags=started, since=since,
        until=until if until is not None else 0.0, duplicates=_said(call, "show_duplicates"), steps=not _said(call, "skip_steps"))
    return {"jobs": _records(call, call.doors.accounting.jobs(wanted))}


def show_job(call: Call) -> Record:
    """GET job: all lives of one job, however long ago."""
    text = call.path["job_id"]
    try:
        reference = jobref.parse(text)
    except NotationError as error:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error
    found = _records(call, call.doors.accounting.jobs(JobFilter(jobs=_jobs_of(reference), duplicates=True)))
    if not found:
        raise NotFound("ESLURM_INVALID_JOB_ID", hints=[f"accounting knows no job {text[:64]}"])
    return {"jobs": found}


def _jobs_of(reference: jobref.JobRef) -> list[tuple[JobId, int | None, StepId | None]]:
    tasks: list[int | None] = [*reference.tasks] if reference.tasks is not None else [None]
    return [(JobId(reference.job), task, None) for task in tasks]


def _chosen(call: Call) -> list[tuple[JobId, int | None, StepId | None]]:
    """The jobs in the query parameter `step`: "12,13_4,14.0"; steps of a job come with it."""
    text = call.query.get("step", "")
    try:
        return [one for reference in (jobref.parse_list(text) if text else ()) for one in _jobs_of(reference)]
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_JOB_ID", hints=[error.message]) from error


def _records(call: Call, rows: Iterable[JobRow]) -> list[Record]:
    style, names = Style(call.now), _Names()
    return [dict(accounting_json.job_record(row, style, names, steps=not _said(call, "skip_steps"))) for row in rows]


def _moment(call: Call, name: str) -> float | None:
    text = call.query.get(name, "")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) > 6:
        return float(text)  # seconds since the epoch
    return moment.parse(text.removeprefix("uts"), call.now, past=True)


def _numbers(call: Call, name: str) -> list[int]:
    found = _listed(call, name)
    wrong = [text for text in found if not (text.isascii() and text.isdigit() and len(text) < 19)]
    if wrong:
        raise InvalidRequest(message=f"{name}: {wrong[0][:64]!r} is no number")
    return [int(text) for text in found]


def _gid(text: str) -> Any:
    if text.isascii() and text.isdigit() and len(text) < 11:
        return int(text)
    import grp

    try:
        return grp.getgrnam(text).gr_gid
    except (KeyError, ValueError) as error:
        raise InvalidRequest(message=f"Invalid group: {text[:64]}", hints=["this machine knows no such group"]) from error


def _states(call: Call) -> list[JobState]:
    known = {name.lower(): state for state in JobState for name in (state.name, state.compact)}
    found = []
    for word in _listed(call, "state"):
        if word.lower() not in known:
            raise InvalidRequest(message=f"Invalid job state: {word[:64]}", hints=[f"valid: {', '.join(state.name for state in JobState)}"])
        found.append(known[word.lower()])
    return found


class _Names(dict[int, str]):
    """uid → name on this machine, looked up when it is asked for."""

    def get(self, uid: int, default: str = "") -> str:  # type: ignore[override]
        """The user's name, else `default`."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return default


def policy_records(call: Call, kind: type[Any], entity: str, which: Which | None = None) -> list[Any]:
    """Records of policy of one kind."""
    return [one for one in call.doors.policy.records(entity, which) if isinstance(one, kind)]


def _tres_ids(call: Call) -> Mapping[str, int]:
    return {f"{kind}/{name}" if name else kind: number for number, kind, name in call.doors.policy.clusters()[1]}


_WITH_DELETED = ("with_deleted", "DELETED", "Include deleted associations", "Include deleted QOS")


def _which(call: Call, **lists: str) -> Which:
    """Field of Which=query parameter."""
    which = Which(with_deleted=any(_said(call, name) for name in _WITH_DELETED))
    for field, name in lists.items():
        if call.query.get(name):
            setattr(which, field, _listed(call, name))
    return which


_ASSOCIATION_QUERY = {
    "accounts": "account", "clusters": "cluster", "default_qos": "default_qos", "parents": "parent_account", "partitions": "partition",
    "qos": "qos",
    "users": "user"}


def association_filter(call: Call) -> Which:
    """Which associations a query means."""
    _refuse_others(call, {*_ASSOCIATION_QUERY.values(), "id", "format", "Include deleted associations", "Filter to only defaults"})
    which = _which(call, **_ASSOCIATION_QUERY)
    which.ids = _numbers(call, "id")
    return which


def list_associations(call: Call) -> Record:
    """GET associations."""
    which = association_filter(call)
    found: list[Association] = policy_records(call, Association, ASSOCIATION, which)
    if _said(call, "Filter to only defaults"):
        found = [one for one in found if one.is_default]
    return {"associations": _association_records(call, found)}


def _association_records(call: Call, found: list[Association]) -> list[Record]:
    above: dict[int, Association] = {one.id: one for one in found}
    if any(one.parent and one.parent not in above for one in found):
        above |= {one.id: one for one in policy_records(call, Association, ASSOCIATION)}
    ids = _tres_ids(call)
    return [policy_json.association(one, above, ids) for one in found]


def show_association(call: Call) -> Record:
    """GET association: those that fit, of which there must be one at least."""
    found = list_associations(call)
    if not found["associations"]:
        raise NotFound("ESLURM_INVALID_ACCOUNT", "Nothing found", hints=["no association fits"])
    return found


def list_qos(call: Call) -> Record:
    """GET qos."""
    _refuse_others(call, {"description", "Include deleted QOS", "id", "format", "name", "preempt_mode"})
    which = _which(call, names="name", descriptions="description")
    which.ids = _numbers(call, "id")
    found: list[Qos] = policy_records(call, Qos, QOS, which)
    modes = {word.lower() for word in _listed(call, "preempt_mode")}
    ids = _tres_ids(call)
    return {"qos": [policy_json.qos(one, ids) for one in found if not modes or one.preempt_mode in modes]}


def show_qos(call: Call) -> Record:
    """GET qos of a name."""
    found = policy_records(call, Qos, QOS, Which(names=[call.path["qos"]], with_deleted=_said(call, "with_deleted")))
    if not found:
        raise NotFound("ESLURM_INVALID_QOS", hints=[f"there is no QOS {call.path['qos']}"])
    return {"qos": [policy_json.qos(found[0], _tres_ids(call))]}


def list_users(call: Call) -> Record:
    """GET users."""
    _refuse_others(call, {"admin_level", "default_account", "default_wckey", "with_assocs", "with_coords", "with_deleted", "with_wckeys"})
    which = _which(call, default_accounts="default_account", admin_levels="admin_level")
    wanted = set(_listed(call, "default_wckey"))
    return {"users": [one for one in _user_records(call, which) if not wanted or one["default"]["wckey"] in wanted]}


def show_user(call: Call) -> Record:
    """GET user of a name."""
    found = _user_records(call, Which(names=[call.path["name"]], with_deleted=_said(call, "with_deleted")))
    if not found:
        raise NotFound("ESLURM_USER_ID_MISSING", hints=[f"accounting knows no user {call.path['name']}"])
    return {"users": found}


def _user_records(call: Call, which: Which) -> list[Record]:
    users: list[User] = policy_records(call, User, USER, which)
    mine: dict[str, list[Association]] = {}
    for one in policy_records(call, Association, ASSOCIATION, Which(users=which.names)):
        mine.setdefault(one.user, []).append(one)
    coordinates: dict[str, list[str]] = {}
    for account in policy_records(call, Account, ACCOUNT) if _said(call, "with_coords") else ():
        for name in account.coordinators:
            coordinates.setdefault(name, []).append(account.name)
    keys: dict[str, list[Wckey]] = {}
    for key in policy_records(call, Wckey, WCKEY) if _said(call, "with_wckeys") else ():
        keys.setdefault(key.user, []).append(key)
    found = []
    for user in users:
        record = policy_json.user(user, mine.get(user.name, ()), coordinates.get(user.name, ()), keys.get(user.name, ()))
        if not _said(call, "with_assocs"):
            record["associations"] = []
        found.append(record)
    return found


def list_accounts(call: Call) -> Record:
    """GET accounts."""
    _refuse_others(call, {"description", "DELETED", "WithAssociations", "WithCoordinators"})
    return {"accounts": _account_records(call, _which(call, descriptions="description"), "WithAssociations", "WithCoordinators")}


def show_account(call: Call) -> Record:
    """GET account of a name."""
    which = Which(names=[call.path["account_name"]], with_deleted=_said(call, "with_deleted"))
    found = _account_records(call, which, "with_assocs", "with_coords")
    if not found:
        raise NotFound("ESLURM_INVALID_ACCOUNT", hints=[f"there is no account {call.path['account_name']}"])
    return {"accounts": found}


def _account_records(call: Call, which: Which, associations: str, coordinators: str) -> list[Record]:
    below: dict[str, list[Association]] = {}
    for one in policy_records(call, Association, ASSOCIATION, Which(accounts=which.names)) if _said(call, associations) else ():
        below.setdefault(one.account, []).append(one)
    accounts: list[Account] = policy_records(call, Account, ACCOUNT, which)
    return [policy_json.account(one, below.get(one.name, ()), with_coordinators=_said(call, coordinators)) for one in accounts]


def list_clusters(call: Call) -> Record:
    """GET clusters."""
    _refuse_others(call, ())
    return {"clusters": _cluster_records(call, None)}


def show_cluster(call: Call) -> Record:
    """GET cluster of a name."""
    _refuse_others(call, {"with_deleted", "format", "cluster"})
    found = _cluster_records(call, Which(names=[call.path["cluster_name"]], with_deleted=_said(call, "with_deleted")))
    if not found:
        raise NotFound("SLURM_ERROR", "Nothing found", hints=[f"accounting knows no cluster {call.path['cluster_name']}"])
    return {"clusters": found}


def _cluster_records(call: Call, which: Which | None) -> list[Record]:
    lines, _ = call.doors.policy.clusters(which)
    roots = {one.cluster: one for one in policy_records(call, Association, ASSOCIATION, Which(accounts=["root"])) if not one.parent}
    return [policy_json.cluster(one.name, one.control_host, one.control_port, one.rpc_version, roots.get(one.name)) for one in lines]


def list_wckeys(call: Call) -> Record:
    """GET wckeys."""
    _refuse_others(call, {"cluster", "format", "id", "name", "only_defaults", "user", "with_deleted"})
    which = _which(call, names="name", clusters="cluster", users="user")
    which.ids = _numbers(call, "id")
    found: list[Wckey] = policy_records(call, Wckey, WCKEY, which)
    return {"wckeys": [policy_json.wckey(one) for one in found if one.is_default or not _said(call, "only_defaults")]}


def show_wckey(call: Call) -> Record:
    """GET wckey of an id."""
    text = call.path["id"]
    found = policy_records(call, Wckey, WCKEY, Which(ids=[int(text)])) if text.isascii() and text.isdigit() and len(text) < 19 else []
    if not found:
        raise NotFound("ESLURM_INVALID_WCKEY", hints=[f"there is no wckey {text[:64]}"])
    return {"wckeys": [policy_json.wckey(found[0])]}


def list_tres(call: Call) -> Record:
    """GET tres."""
    return {"TRES": listed_tres(call)}


def listed_tres(call: Call) -> list[Record]:
    """The TRES that are counted."""
    return [{"type": kind, "name": name, "id": number, "count": 0} for number, kind, name in call.doors.policy.clusters()[1]]


def list_instances(call: Call) -> Record:
    """GET instances: of cloud nodes, of which there are none here."""
    _refuse_others(call, ("cluster", "extra", "format", "instance_id", "instance_type", "node_list", "time_end", "time_start"))
    call.doors.policy.clusters()
    return {"instances": []}


def dump_config(call: Call) -> Record:
    """GET config: everything that there is of policy."""
    ids = _tres_ids(call)
    return {
        "clusters": _cluster_records(call, None), "tres": listed_tres(call),
        "accounts": _account_records(call, Which(), "", ""), "users": _user_records(call, Which()),
        "qos": [policy_json.qos(one, ids) for one in policy_records(call, Qos, QOS)], "wckeys": [policy_json.wckey(one)
        for one in policy_records(call, Wckey, WCKEY)],
        "associations": _association_records(call, policy_records(call, Association, ASSOCIATION)), "instances": []}


def ping(call: Call) -> Record:
    """GET ping."""
    began = time.perf_counter()
    found = call.doors.daemon.ping()
    if found.problem:
        call.warnings.append(found.problem)
    latency = round((time.perf_counter() - began) * _MICROSECONDS)
    return {"pings": [{"hostname": found.host, "responding": not found.problem, "latency": latency, "primary": True}]}


def diag(call: Call) -> Record:
    """GET diag."""
    found = call.doors.daemon.statistics()

    def work(one: Any, key: str) -> Record:
        total = round(one.seconds * _MICROSECONDS)
        return {key: one.name, "count": one.count, "time": {"average": total // one.count if one.count else 0, "total": total}}

    rolled = {name: {"count": 0, "last_run": 0, "duration": {"last": 0, "max": 0, "time": 0}} for name in _ROLLED.values()}
    for one in found.rollups:
        kind = _ROLLED.get(one.name.rpartition(" ")[2])
        if kind is not None:
            record: Record = rolled[kind]
            record["count"] += one.count
            record["duration"]["time"] += round(one.seconds * _MICROSECONDS)
    return {"statistics": {
        "time_start": int(found.since), "rollups": rolled, "RPCs": [work(one, "rpc") for one in found.requests],
        "users": [work(one, "user") for one in found.users]}}

