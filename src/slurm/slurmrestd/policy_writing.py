"""Changes of policy by HTTP: accounts, users, associations, QOS, clusters and wckeys, each made or, where it is there, changed.

Slurm's records are read into the changes that sacctmgr asks for, so that rights, checks and sentences are the same. Fields that say nothing
("", 0, []) change nothing. Each record of a request is a change of its own: those before the first that is refused hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from slurm.model.errors import InvalidRequest, NotFound, Unsupported
from slurm.model.policy import SHARES_OF_PARENT, Association, Wckey
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    ASSOCIATION,
    CLUSTER,
    COORDINATOR,
    MODIFY,
    PLUS,
    QOS,
    REMOVE,
    REPLACE,
    USER,
    WCKEY,
    Change,
    ChangeReport,
    ListChange,
    PolicySettings,
    Which,
)
from slurm.render.policy_json import AT_ASSOCIATION, AT_QOS, PREEMPT_MODES, QOS_FLAGS
from slurm.slurmrestd.database import association_filter, listed_tres, policy_records
from slurm.slurmrestd.operation import Call
from slurm.slurmrestd.reading import Body

Record = dict[str, Any]
ROOT = "root"
_PARENT = 0x7FFFFFFF
_DELETED = "DELETED"
_SHORT_LIMITS = {key.lower(): key for key in AT_ASSOCIATION}
_FLAG_OF = {theirs: ours for ours, theirs in QOS_FLAGS.items()}
_MODE_OF = {theirs: ours for ours, theirs in PREEMPT_MODES.items()}


def change(call: Call, verb: str, entity: str, which: Which, settings: PolicySettings | None = None) -> ChangeReport:
    """Change something; what clusters have not heard of yet becomes a warning."""
    done = call.doors.policy.change(Change(verb=verb, entity=entity, which=which, settings=settings or PolicySettings()))
    call.warnings += [*done.report.notes, *(f"cluster {name}: {why}" for name, why in done.late)]
    return done.report


def _listed(call: Call, key: str) -> list[Body]:
    found: list[Body] = call.body.get(key, [])
    if not found:
        raise InvalidRequest(message=f"Nothing is to be changed: `{key}` holds the records")
    return found


def _name(body: Body, key: str, what: str) -> str:
    name = str(body.get(key, ""))
    if not name:
        raise InvalidRequest(message=f"{what} needs a {key}")
    if _DELETED in body.get("flags", ()):
        raise Unsupported(message="flags: DELETED is not supported by slurm-py yet", hints=["DELETE removes it"])
    return name


def _exists(call: Call, entity: str, name: str) -> bool:
    return any(True for _ in call.doors.policy.records(entity, Which(names=[name])))


# --- settings --------------------------------------------------------------------------------------------------------------------------


def _at(body: Mapping[str, Any], place: str) -> Any:
    found: Any = body
    for folder in place.split("."):
        found = found.get(folder) if isinstance(found, Mapping) else None
    return found


def _limits(pairs: Iterable[tuple[str, Any]]) -> dict[str, dict[str, int]]:
    """Limits by their key; infinite ones are none any more."""
    found: dict[str, dict[str, int]] = {}
    for key, value in pairs:
        if isinstance(value, list):
            if value:
                found[key] = {_tres_name(one): int(one.get("count", 0)) for one in value}
        elif value is not None and not isinstance(value, Mapping):
            found[key] = {"": -1 if math.isinf(value) else int(value)}
    return found


def _tres_name(one: Body) -> str:
    if not one.get("type"):
        raise InvalidRequest(message="A TRES needs a type", hints=['{"type": "gres", "name": "gpu", "count": 4}'])
    return f"{one['type']}/{one['name']}" if one.get("name") else str(one["type"])


def _names(words: list[str]) -> ListChange | None:
    """A list in the place of the old one, or with a + before each name more for it."""
    if not words:
        return None
    if all(word.startswith("+") for word in words):
        return ListChange(operation=PLUS, names=[word[1:] for word in words])
    return ListChange(operation=REPLACE, names=words)


def _whole(value: float | None) -> int | None:
    return None if value is None else -1 if math.isinf(value) else int(value)


def _real(value: float | None) -> float | None:
    return None if value is None else -1.0 if math.isinf(value) else float(value)


def _of_association(body: Body) -> PolicySettings:
    shares = body.get("shares_raw") or None
    return PolicySettings(
        parent=body.get("parent_account") or None if not body.get("user") else None,
        shares=SHARES_OF_PARENT if shares == _PARENT else shares, default_qos=_at(body, "default.qos") or None,
        qos=_names(body.get("qos", [])), priority=_whole(body.get("priority")), comment=body.get("comment") or None,
        limits=_limits((key, _at(body, place)) for key, place in AT_ASSOCIATION.items()))


def _of_short(body: Body) -> PolicySettings:
    """What POST users_association and accounts_association call an association."""
    shares = body.get("fairshare") or None
    return PolicySettings(
        parent=body.get("parent") or None, shares=SHARES_OF_PARENT if shares == _PARENT else shares,
        default_qos=body.get("defaultqos") or None, qos=_names(body.get("qoslevel", [])), priority=_whole(body.get("priority")),
        comment=body.get("comment") or None, limits=_limits((key, body.get(name)) for name, key in _SHORT_LIMITS.items()))


def _of_qos(body: Body) -> PolicySettings:
    limits, preempt = body.get("limits", {}), body.get("preempt", {})
    modes = [_MODE_OF[mode] for mode in preempt.get("mode", [])]
    if len(modes) > 1 and modes != ["suspend", "gang"]:
        raise InvalidRequest(message="preempt.mode: one mode is due", hints=[f"valid: {', '.join(_MODE_OF)}"])
    return PolicySettings(
        description=body.get("description") or None, flags=_flags(body.get("flags", [])), priority=_whole(body.get("priority")),
        limits=_limits((key, _at(limits, place)) for key, place in AT_QOS.items()), grace_time=limits.get("grace_time") or None,
        preempts=_names(preempt.get("list", [])), preempt_mode=modes[0] if modes else None,
        preempt_exempt_time=_whole(preempt.get("exempt_time")), usage_factor=_real(body.get("usage_factor")),
        usage_threshold=_real(body.get("usage_threshold")), limit_factor=_real(limits.get("factor")))


def _flags(words: list[str]) -> ListChange | None:
    """Flags of a QOS; with ADD or REMOVE among them they are more, or less, else they are all."""
    operation = {"ADD": PLUS, "REMOVE": "-="}
    chosen = [operation[word] for word in words if word in operation]
    if len(chosen) > 1:
        raise InvalidRequest(message="flags: ADD or REMOVE, not both")
    names = [word for word in words if word not in (*operation, "NOT_SET")]
    if unknown := [word for word in names if word not in _FLAG_OF]:
        raise Unsupported(message=f"flags: {unknown[0]} is not supported by slurm-py yet", hints=[f"supported: {', '.join(_FLAG_OF)}"])
    return ListChange(operation=chosen[0] if chosen else REPLACE, names=[_FLAG_OF[name] for name in names]) if names else None


# --- operations ------------------------------------------------------------------------------------------------------------------------


def post_accounts(call: Call) -> Record:
    """POST accounts. A new one has a place below root in every cluster: accounts_association and associations move it."""
    for body in _listed(call, "accounts"):
        put_account(call, body)
        put_coordinators(call, body)
    return {}


def put_account(call: Call, body: Body) -> None:
    """Make an account, or change what it is called."""
    name = _name(body, "name", "An account")
    _require_known(call, body, Which(accounts=[name]))
    settings = PolicySettings(description=body.get("description") or None, organization=body.get("organization") or None)
    if not _exists(call, ACCOUNT, name):
        change(call, ADD, ACCOUNT, Which(names=[name]), settings)
    elif settings != PolicySettings():
        change(call, MODIFY, ACCOUNT, Which(names=[name]), settings)


def put_coordinators(call: Call, body: Body) -> None:
    """More coordinators for an account; none is taken away."""
    users = [str(one.get("name", "")) for one in body.get("coordinators", []) if one.get("direct", True)]
    if users:
        change(call, ADD, COORDINATOR, Which(users=users, accounts=[_name(body, "name", "An account")]))


def _require_known(call: Call, body: Body, which: Which) -> None:
    """Refuse a record with associations that are not there: they are not made on the way."""
    wanted = {(one.get("account", ""), one.get("cluster", ""), one.get("user", ""), one.get("partition", ""))
        for one in body.get("associations", [])}
    known = {(one.account, one.cluster, one.user, one.partition) for one in _associations(call, which)} if wanted else set()
    if wanted - known:
        raise InvalidRequest(message="associations: one of them is not there", hints=["POST associations/ makes associations"])


def post_users(call: Call) -> Record:
    """POST users. A new one needs `default.account`, in which he gets an association in every cluster."""
    for body in _listed(call, "users"):
        put_user(call, body)
    return {}


def put_user(call: Call, body: Body) -> None:
    """Make a user, or change him; `old_name` is what he was called."""
    name, old = _name(body, "name", "A user"), str(body.get("old_name", ""))
    levels = [word for word in body.get("administrator_level", []) if word != "Not Set"]
    if len(levels) > 1:
        raise InvalidRequest(message="administrator_level: one level is due")
    account, wckey = _at(body, "default.account") or None, _at(body, "default.wckey") or None
    _require_known(call, body, Which(users=[old or name]))
    if _at(body, "default.qos"):
        raise Unsupported(message="default.qos of a user is not supported by slurm-py yet", hints=["associations have a default QOS"])
    settings = PolicySettings(admin_level=levels[0] if levels else None, default_account=account, default_wckey=wckey)
    if old and old != name:
        change(call, MODIFY, USER, Which(names=[old]), PolicySettings(new_name=name))
    if _exists(call, USER, name):
        if settings != PolicySettings():
            change(call, MODIFY, USER, Which(names=[name]), settings)
    elif account is None and not body.get("wckeys"):
        raise InvalidRequest("ESLURM_INVALID_ACCOUNT", f"User {name} has no account", hints=[
            "give `default.account`, or use POST users_association/"])
    else:
        report = change(call, ADD, USER, Which(names=[name], accounts=[account] if account else [], wckeys=[
            str(one.get("name", "")) for one in body.get("wckeys", [])]), settings)
        _require_accounts(report)
    given = [str(one.get("name", "")) for one in body.get("coordinators", []) if one.get("direct", True)]
    if given:
        change(call, ADD, COORDINATOR, Which(users=[name], accounts=given))


def _require_accounts(report: ChangeReport) -> None:
    if report.unknown_accounts:
        account, cluster = report.unknown_accounts[0]
        raise NotFound("ESLURM_INVALID_ACCOUNT", hints=[f"there is no account {account}{f' in cluster {cluster}' if cluster else ''}"])


def post_users_association(call: Call) -> Record:
    """POST users_association: users with associations in accounts, clusters and partitions, all alike."""
    wanted, user = call.body.get("association_condition", {}), call.body.get("user", {})
    if not wanted.get("users"):
        raise InvalidRequest(message="association_condition.users names nobody")
    if user.get("defaultqos"):
        raise Unsupported(message="user.defaultqos is not supported by slurm-py yet",
            hints=["association.defaultqos is that of associations"])
    settings = _of_short(wanted.get("association", {}))
    levels = [word for word in user.get("adminlevel", []) if word != "Not Set"]
    settings.parent = None
    settings.admin_level = levels[0] if levels else None
    settings.default_account, settings.default_wckey = user.get("defaultaccount") or None, user.get("defaultwckey") or None
    report = change(call, ADD, USER, Which(
        names=wanted["users"], accounts=wanted.get("accounts", []), clusters=wanted.get("clusters", []),
        partitions=wanted.get("partitions", []), wckeys=wanted.get("wckeys", [])), settings)
    _require_accounts(report)
    return {"added_users": _told(report)}


def post_accounts_association(call: Call) -> Record:
    """POST accounts_association: accounts with their place in clusters, all alike."""
    wanted, account = call.body.get("association_condition", {}), call.body.get("account", {})
    if not wanted.get("accounts"):
        raise InvalidRequest(message="association_condition.accounts names no account")
    settings = _of_short(wanted.get("association", {}))
    settings.description, settings.organization = account.get("description") or None, account.get("organization") or None
    return {"added_accounts": _told(change(call, ADD, ACCOUNT, Which(
        names=wanted["accounts"], clusters=wanted.get("clusters", [])), settings))}


def _told(report: ChangeReport) -> str:
    """What was made, a name a line, then associations."""
    return "\n".join([*report.names, *(_place_text(one.cluster, one.account, one.user, one.partition) for one in report.places)])


def _place_text(cluster: str, account: str, user: str, partition: str) -> str:
    parts = (("C", cluster), ("A", account), ("U", user), ("P", partition))
    return " ".join(f"{key} = {value}" for key, value in parts if value)


def post_associations(call: Call) -> Record:
    """POST associations: made where they are not there, else changed; of an account where `user` is empty."""
    for body in _listed(call, "associations"):
        put_association(call, body)
    return {}


def put_association(call: Call, body: Body) -> None:
    """Make or change one association, in the cluster that it names, else in this one."""
    account, user, partition = _name(body, "account", "An association"), str(body.get("user", "")), str(body.get("partition", ""))
    settings = _of_association(body)
    cluster = str(body.get("cluster", "")) or _own_cluster(call)
    if body.get("is_default") and user:
        settings.default_account = account
    there = [one for one in _associations(call, Which(clusters=[cluster], accounts=[account]))
        if (one.user, one.partition) == (user, partition)]
    if user:
        which = Which(names=[user], accounts=[account], clusters=[cluster], partitions=[partition])
        if not there:
            _require_accounts(change(call, ADD, USER, which, settings))
        elif settings != PolicySettings():
            change(call, MODIFY, USER, which, settings)
    elif account.lower() == ROOT:
        settings.parent = None
        if settings != PolicySettings():
            change(call, MODIFY, CLUSTER, Which(names=[cluster]), settings)
    elif not there:
        change(call, ADD, ACCOUNT, Which(names=[account], clusters=[cluster]), settings)
    elif settings != PolicySettings():
        change(call, MODIFY, ACCOUNT, Which(names=[account], clusters=[cluster]), settings)


def _own_cluster(call: Call) -> str:
    policy = call.doors.policy
    policy.clusters()
    return policy.cluster


def _associations(call: Call, which: Which) -> list[Association]:
    return [one for one in policy_records(call, Association, ASSOCIATION, which)]


def post_qos(call: Call) -> Record:
    """POST qos."""
    for body in _listed(call, "qos"):
        put_qos(call, body)
    return {}


def put_qos(call: Call, body: Body) -> None:
    """Make or change a QOS."""
    name = _name(body, "name", "A QOS")
    settings = _of_qos(body)
    if not _exists(call, QOS, name):
        change(call, ADD, QOS, Which(names=[name]), settings)
    elif settings != PolicySettings():
        change(call, MODIFY, QOS, Which(names=[name]), settings)


def post_clusters(call: Call) -> Record:
    """POST clusters: those that are not there are made; what else a cluster is, its slurmctld tells."""
    for body in _listed(call, "clusters"):
        put_cluster(call, body)
    return {}


def put_cluster(call: Call, body: Body) -> None:
    """Make a cluster."""
    name = _name(body, "name", "A cluster")
    if not any(one.name == name.lower() for one in call.doors.policy.clusters()[0]):
        change(call, ADD, CLUSTER, Which(names=[name]))


def post_tres(call: Call) -> Record:
    """POST tres: slurmctld registers what AccountingStorageTRES names, so that only what is there already is taken."""
    require_tres(call, _listed(call, "TRES"))
    return {}


def require_tres(call: Call, wanted: list[Body]) -> None:
    """Refuse TRES that are not there."""
    known = {(one["type"], one["name"]) for one in listed_tres(call)}
    unknown = [one for one in wanted if (one.get("type", ""), one.get("name", "")) not in known]
    if unknown:
        raise Unsupported(message=f"TRES {_tres_name(unknown[0])} is not there, and cannot be made by REST", hints=[
            "AccountingStorageTRES in slurm.conf names what is counted: slurmctld registers it"])


def post_wckeys(call: Call) -> Record:
    """POST wckeys."""
    for body in _listed(call, "wckeys"):
        put_wckey(call, body)
    return {}


def put_wckey(call: Call, body: Body) -> None:
    """Make a wckey of a user, in its cluster, else in this one."""
    name, user = _name(body, "name", "A wckey"), _name(body, "user", "A wckey")
    cluster = str(body.get("cluster", "")) or _own_cluster(call)
    which = Which(names=[name.removeprefix("*")], users=[user], clusters=[cluster])
    if not policy_records(call, Wckey, WCKEY, which):
        change(call, ADD, WCKEY, which)


def load_config(call: Call) -> Record:
    """POST config: whatever of a dump is not there, or is otherwise, is made or changed; nothing is removed."""
    body = call.body
    if body.get("instances"):
        raise Unsupported(message="instances are not supported by slurm-py yet", hints=["there are no cloud nodes"])
    require_tres(call, body.get("tres", []))
    for one in body.get("clusters", []):
        put_cluster(call, one)
    for one in sorted(body.get("qos", []), key=lambda one: bool(_at(one, "preempt.list"))):
        put_qos(call, one)
    places = body.get("associations", [])
    for one in _downwards([one for one in places if not one.get("user")]):
        put_association(call, one)
    for one in body.get("accounts", []):
        put_account(call, one)
    for one in sorted((one for one in places if one.get("user")), key=lambda one: not one.get("is_default", False)):
        put_association(call, one)
    for one in body.get("wckeys", []):
        put_wckey(call, one)
    for one in body.get("users", []):
        put_user(call, one)
    for one in body.get("accounts", []):
        put_coordinators(call, one)
    return {}


def _downwards(accounts: list[Body]) -> list[Body]:
    """Associations of accounts, those above before those below."""
    above = {(one.get("cluster", ""), str(one.get("account", "")).lower()): str(one.get("parent_account", "")).lower() for one in accounts}

    def depth(one: Body) -> int:
        cluster, name, found = one.get("cluster", ""), str(one.get("account", "")).lower(), 0
        while (name := above.get((cluster, name), "")) and found <= len(accounts):
            found += 1
        return found

    return sorted(accounts, key=depth)


# --- removing --------------------------------------------------------------------------------------------------------------------------


def _removed(call: Call, entity: str, name: str, error: str) -> ChangeReport:
    report = change(call, REMOVE, entity, Which(names=[name]))
    if report.is_empty:
        raise NotFound(error, hints=[f"there is no {name[:64]}"])
    return report


def delete_account(call: Call) -> Record:
    """DELETE account: it, and what is below it."""
    return {"removed_accounts": _removed(call, ACCOUNT, call.path["account_name"], "ESLURM_INVALID_ACCOUNT").names}


def delete_user(call: Call) -> Record:
    """DELETE user."""
    _removed(call, USER, call.path["name"], "ESLURM_USER_ID_MISSING")
    return {}


def delete_qos(call: Call) -> Record:
    """DELETE qos."""
    return {"removed_qos": _removed(call, QOS, call.path["qos"], "ESLURM_INVALID_QOS").names}


def delete_cluster(call: Call) -> Record:
    """DELETE cluster."""
    return {"deleted_clusters": _removed(call, CLUSTER, call.path["cluster_name"], "SLURM_ERROR").names}


def delete_wckey(call: Call) -> Record:
    """DELETE wckey of an id."""
    text = call.path["id"]
    found = policy_records(call, Wckey, WCKEY, Which(ids=[int(text)])) if text.isascii() and text.isdigit() and len(text) < 19 else []
    if not found:
        raise NotFound("ESLURM_INVALID_WCKEY", hints=[f"there is no wckey {text[:64]}"])
    one: Wckey = found[0]
    change(call, REMOVE, WCKEY, Which(names=[one.name], users=[one.user], clusters=[one.cluster]))
    return {"deleted_wckeys": [f"{one.name} C = {one.cluster} U = {one.user}"]}


def delete_associations(call: Call) -> Record:
    """DELETE associations: all that the query means, users' before accounts'."""
    return {"removed_associations": _remove_associations(call, _meant(call))}


def delete_association(call: Call) -> Record:
    """DELETE association: the one that the query means."""
    found = _meant(call)
    exact = [one for one in found if one.user or not call.query.get("user")]
    if len(exact) > 1:
        narrow = [one for one in exact if one.user == call.query.get("user", "") and one.partition == call.query.get("partition", "")]
        exact = narrow if len(narrow) == 1 else exact
    if len(exact) != 1:
        raise InvalidRequest(message=f"{len(exact)} associations fit", hints=["name one by account, user, cluster and partition, or by id"])
    return {"removed_associations": _remove_associations(call, exact)}


def _meant(call: Call) -> list[Association]:
    which = association_filter(call)
    if which == Which():
        raise InvalidRequest(message="No association is named", hints=["account=, user=, cluster=, partition= or id= say which"])
    found = [one for one in _associations(call, which) if not one.deleted]
    if not found:
        raise NotFound("ESLURM_INVALID_ACCOUNT", "Nothing found", hints=["no association fits"])
    return found


def _remove_associations(call: Call, found: list[Association]) -> list[str]:
    for one in sorted(found, key=lambda one: (not one.user, -one.id)):
        if one.user:
            change(call, REMOVE, USER, Which(users=[one.user], accounts=[one.account], clusters=[one.cluster], partitions=[one.partition]))
        else:
            change(call, REMOVE, ACCOUNT, Which(names=[one.account], clusters=[one.cluster]))
    return [_place_text(one.cluster, one.account, one.user, one.partition) for one in found]
