"""Making: `scontrol create|update|delete reservation` as events, with rights and with what must hold of a reservation as a whole.

What the keys say is read in `asking`, nodes are found in `choosing`, what the events do is in `holding`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from slurm.core import events as e
from slurm.core import resolving
from slurm.core.reserving import access, asking, choosing, running, windows
from slurm.core.reserving.asking import Directory, Draft
from slurm.core.rights import is_operator
from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotFound, NotNow, NotPermitted, Unsupported
from slurm.model.ids import NodeName
from slurm.model.reservation import SHOWN, Reservation
from slurm.notation import features, hostlist, recurrence

LATE_SECONDS = 300.0
"""A start may lie so far in the past: commands take time."""


def create(state: ClusterState, changes: Mapping[str, str], caller: e.Caller, directory: Directory, now: float) -> e.ReservationCreated:
    """The event that makes a reservation; its name is in it. Keys as scontrol spells them, case aside."""
    _require_operator(state, caller)
    number = state.next_reservation
    record = Reservation(id=number, name=_name(changes), start=0.0, end=0.0)
    draft = Draft(state, directory, now, record, creating=True)
    for key, text in changes.items():
        asking.read(draft, key, text)
    if "MAINT" in record.flags and not (record.users or record.groups or record.accounts or record.qos):
        record.users = [caller.user]  # Slurm refuses it; guides write it so, and maintenance is for whoever orders it
    record.name = record.name or _made_name(draft)
    if record.name in state.reservations:
        raise InvalidRequest("ESLURM_RESERVATION_NAME_DUP",
            hints=[f"reservation {record.name} exists: scontrol show reservation {record.name}"])
    _check_written(draft)
    _set_times(draft)
    _check_people(draft)
    _check_flags(draft)
    return e.ReservationCreated(at=now, reservation=_placed(draft))


def update(state: ClusterState, name: str, changes: Mapping[str, str], caller: e.Caller, directory: Directory,
        now: float) -> e.ReservationUpdated:
    """The event that changes a reservation."""
    _require_operator(state, caller)
    before = known(state, name)
    record = msgspec.structs.replace(before, users=list(before.users), denied=list(before.denied), flags=list(before.flags))
    draft = Draft(state, directory, now, record, creating=False)
    for key, text in changes.items():
        asking.read(draft, key, text)
    if draft.skip:
        return _skipped(draft)
    if draft.start is not None and windows.active(before, now):
        raise NotNow("ESLURM_RSV_ALREADY_STARTED", hints=["its end can be changed: EndTime= or Duration="])
    if {"TIME_FLOAT"} & (set(record.flags) ^ set(before.flags)):
        raise draft.refusal("TIME_FLOAT cannot be added to or removed from a reservation.")
    _set_times(draft)
    _check_people(draft)
    _check_flags(draft)
    moved = (draft.start, draft.end, draft.length, draft.longer) != (None, None, None, 0)
    if draft.nodes is not None or draft.given & {"NodeCnt", "CoreCnt", "TRES", "PartitionName", "Features"}:
        if before.core_count:
            raise NotNow("ESLURM_CORE_RESERVATION_UPDATE", hints=["delete it and create it anew"])
        record = _changed_nodes(draft, before)
    elif moved:
        choosing.require_free(state, record, now)
    if record.start != before.start:
        record.begun = False
    return e.ReservationUpdated(at=now, reservation=record)


def delete(state: ClusterState, name: str, caller: e.Caller, now: float) -> e.ReservationEnded:
    """The event by which a reservation is no more; NotNow while jobs run in it or wait for it."""
    if not is_operator(state, caller):
        found = state.reservations.get(name)
        accounts = state.policy.book.accounts_of(caller.user)
        groups = (caller.group, *caller.groups)
        if found is None or "USER_DELETE" not in found.flags or not access.may_delete(found, caller.user, groups, accounts):
            raise NotPermitted("ESLURM_USER_ID_MISSING", hints=[
                f"only root and the operators of {state.settings.cluster_name} delete reservations, and with Flags=USER_DELETE those who "
                "may use it"])
    known(state, name)
    using = [job.shown_id for job in state.jobs.values() if running.uses(state, job, name)]
    if using:
        raise NotNow("ESLURM_RESERVATION_BUSY", hints=[
            f"jobs run in it or wait for it: {', '.join(using[:10])}{' …' if len(using) > 10 else ''}",
            "cancel them, or give them another: scontrol update jobid=ID reservationname="])
    return e.ReservationEnded(at=now, name=name, by=caller.uid)


def known(state: ClusterState, name: str) -> Reservation:
    """The reservation of this name; NotFound in Slurm's words."""
    found = state.reservations.get(name)
    if found is None:
        names = list(state.reservations)
        raise NotFound("ESLURM_RESERVATION_INVALID", hints=[
            f'there is no reservation "{name}"', *resolving.meant(name, names),
            *([f"reservations: {', '.join(names[:20])}"] if names else [])])
    return found


def _require_operator(state: ClusterState, caller: e.Caller) -> None:
    if not is_operator(state, caller):
        raise NotPermitted("ESLURM_USER_ID_MISSING",
            hints=[f"only root and the operators of {state.settings.cluster_name} make and change reservations"])


def _name(changes: Mapping[str, str]) -> str:
    name = next((text.strip() for key, text in changes.items() if key.lower() in ("reservationname", "reservation")), "")
    if "," in name or " " in name:
        raise InvalidRequest("ESLURM_RESERVATION_INVALID", hints=["a name has no commas and no blanks: --reservation=a,b names two"])
    return name


def _made_name(draft: Draft) -> str:
    """As Slurm makes it: whom it is for, and its number; the next number when somebody gave a reservation that name."""
    record = draft.record
    whom = (record.users or record.accounts or record.groups or record.qos or ["resv"])[0]
    while f"{whom}_{record.id}" in draft.state.reservations:
        record.id += 1
    return f"{whom}_{record.id}"


def _check_written(draft: Draft) -> None:
    """What scontrol itself finds missing, in its order."""
    record = draft.record
    if draft.start is None:
        raise draft.refusal("A start time must be given.")
    if draft.end is None and draft.length is None:
        raise draft.refusal("An end time or duration must be given.")
    if draft.end is not None and draft.end <= draft.start:
        raise draft.refusal("Start time cannot be after end time.")
    if not (draft.nodes or record.node_count or record.core_count or record.partition):
        if "ANY_NODES" in record.flags:
            raise Unsupported(message="Reservations of licenses or burst buffers alone (ANY_NODES) are not supported by slurm-py yet")
        raise draft.refusal("CoreCnt, Nodes, NodeCnt, BurstBuffer or Licenses must be specified.")
    if record.users and record.groups:
        raise draft.refusal("Users and Groups are mutually exclusive.  You can have one or the other, but not both.")
    if not (record.users or record.groups or record.accounts or record.qos):
        raise draft.refusal("Either Users/Groups and/or Accounts must be specified.")


def _set_times(draft: Draft) -> None:
    """Start and end from what was given; what was not stays, and with a new start alone the length does."""
    record, floating = draft.record, "TIME_FLOAT" in draft.record.flags
    base = draft.now if floating else 0.0
    start = draft.start if draft.start is not None else record.start + base
    length = record.end - record.start if draft.length is None else float(draft.length)
    end = draft.end if draft.end is not None else start + length + draft.longer
    late = start < draft.now - LATE_SECONDS and "FORCE_START" not in record.flags
    if end <= start or (draft.start is not None and late) or (end <= draft.now and not (record.repeats and draft.creating)):
        raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=[
            "it would begin in the past: Flags=FORCE_START allows that" if end > draft.now and late else "it would be over already"
            if end <= draft.now else "it would end before it begins"])
    record.start, record.end = start - base, end - base
    if record.repeats and not floating:
        _move_on(record, draft.now)


def _move_on(record: Reservation, now: float) -> None:
    """The first occurrence that is not over."""
    length = record.end - record.start
    record.start = recurrence.first(record.start, record.repeats)
    while record.start + length <= now:
        record.start = recurrence.following(record.start, record.repeats)
    record.end = record.start + length


def _check_people(draft: Draft) -> None:
    record = draft.record
    if record.users and record.groups:
        raise InvalidRequest("ESLURM_RESERVATION_USER_GROUP")
    if not (record.users or record.groups or record.accounts or record.qos):
        raise InvalidRequest("ESLURM_RESERVATION_EMPTY")
    record.members = sorted({name for group in record.groups for name in draft.directory.members(group) or ()})


def _check_flags(draft: Draft) -> None:
    record = draft.record
    repeats = [name for name in ("HOURLY", "DAILY", "WEEKDAY", "WEEKEND", "WEEKLY") if name in record.flags]
    if len(repeats) > 1:
        raise InvalidRequest("ESLURM_NOT_SUPPORTED", "Requested operation not supported on this system",
            hints=[f"it can repeat in one way only: {', '.join(repeats)}"])
    if repeats and "TIME_FLOAT" in record.flags:
        raise InvalidRequest("ESLURM_NOT_SUPPORTED", "Requested operation not supported on this system",
            hints=["what repeats cannot float (TIME_FLOAT)"])
    if {"REPLACE", "REPLACE_DOWN"} & set(record.flags) and (draft.nodes or "STATIC" in record.flags):
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME",
            hints=["REPLACE and REPLACE_DOWN go with NodeCnt=, not with Nodes= nor STATIC_ALLOC"])
    if "PART_NODES" in record.flags and not record.partition:
        raise InvalidRequest("ESLURM_INVALID_PARTITION_NAME", hints=["PART_NODES goes with PartitionName= and Nodes=ALL"])
    length = record.end - record.start
    step = {"HOURLY": 3600.0, "WEEKLY": 7 * 86400.0}.get(record.repeats, 86400.0)
    if record.repeats and length > step:
        raise InvalidRequest("ESLURM_INVALID_TIME_VALUE",
            hints=[f"it is longer than what lies between two of its starts ({record.repeats})"])


def _placed(draft: Draft) -> Reservation:
    """The record of a new reservation, with its nodes."""
    record, state = draft.record, draft.state
    if "ANY_NODES" in record.flags:
        raise Unsupported(message="Flags=ANY_NODES is for licenses and burst buffers, which slurm-py does not reserve yet")
    if draft.nodes or not (record.node_count or record.core_count):
        _name_nodes(draft)
        counts = _per_node(draft)
        found = choosing.named(state, record, counts, draft.now)
        found.node_count = found.core_count = 0
        if counts:
            found.core_count = sum(counts)
        return found
    record.partition = record.partition or state.default_partition()
    if record.partition not in state.partitions:
        raise InvalidRequest("ESLURM_DEFAULT_PARTITION_NOT_SET")
    record.core_count = sum(_per_node(draft))
    return choosing.chosen(state, record, draft.now)


def _per_node(draft: Draft) -> list[int]:
    """CoreCnt in cores; TRES=cpu= counts CPUs, of which a core may have several."""
    if "CPUs" not in draft.given:
        return draft.counts
    threads = max((node.threads for node in draft.state.nodes.values()), default=1)
    return [-(-count // threads) for count in draft.counts]


def _name_nodes(draft: Draft) -> None:
    """The nodes that were named: a host list, ALL of the cluster, or all of a partition."""
    record, state = draft.record, draft.state
    flags = set(record.flags) | {"SPEC_NODES"}
    text = (draft.nodes or "ALL").strip()
    partition = state.partitions.get(record.partition)
    if text.upper() != "ALL":
        wanted = set(resolving.known_nodes(state, text))
        record.nodes = [name for name in state.nodes if name in wanted]
    elif partition is not None:
        record.nodes = [name for name in state.nodes if name in set(partition.nodes)]
        flags.add("PART_NODES")
    else:
        record.nodes = list(state.nodes)
        flags.add("ALL_NODES")
    _check_features(draft, record.nodes)
    record.flags = [name for name in SHOWN if name in flags]


def _check_features(draft: Draft, names: list[NodeName]) -> None:
    tree = features.parse(draft.record.features) if draft.record.features else None
    if tree is None:
        return
    nodes = draft.state.nodes
    without = [name for name in names if not features.evaluate(tree, frozenset(nodes[name].features))]
    if without:
        raise InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=[
            f"{hostlist.compress(without)} have not the features {draft.record.features}"])


def _changed_nodes(draft: Draft, before: Reservation) -> Reservation:
    """Other nodes for a reservation that exists: named, or so many as are asked for, those that it has first."""
    record, state = draft.record, draft.state
    if draft.counts:
        raise NotNow("ESLURM_CORE_RESERVATION_UPDATE", hints=["delete it and create it with CoreCnt="])
    flags = set(record.flags) - {"SPEC_NODES", "ALL_NODES", "PART_NODES"}
    count = record.node_count if "NodeCnt" in draft.given else len(before.nodes)
    if draft.nodes or ("PartitionName" in draft.given and "NodeCnt" not in draft.given and draft.nodes is None
            and "PART_NODES" in before.flags):
        _name_nodes(draft)
        record.node_count = 0
        if "NodeCnt" not in draft.given:
            return choosing.named(state, record, [], draft.now)
        before, flags = record, set(record.flags)
    elif draft.nodes is None and "NodeCnt" not in draft.given:
        _check_features(draft, record.nodes)
        return record
    if count <= 0:
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT")
    if not draft.nodes and draft.nodes is None:
        flags |= {"SPEC_NODES"} & set(before.flags)
    record.flags = [name for name in SHOWN if name in flags]
    record.node_count = 0 if "SPEC_NODES" in flags else count
    kept = [state.nodes[name] for name in before.nodes if name in state.nodes]
    kept.sort(key=lambda node: not _used(state, before, node.name))
    if len(kept) < count:
        record.partition = record.partition or state.default_partition()
        have = {node.name for node in kept}
        kept += [node for node in choosing.candidates(state, record, draft.now) if node.name not in have]
    if len(kept) < count:
        raise NotNow("ESLURM_NODES_BUSY", hints=[*choosing.NOTE, f"{count} nodes are asked for, {len(kept)} can be had"])
    found = choosing.with_nodes(record, kept[:count])
    choosing.require_free(state, found, draft.now)
    return found


def _used(state: ClusterState, of: Reservation, name: NodeName) -> bool:
    return any(job.holding is not None and job.holding.reservation == of.name and name in job.holding.nodes
        for job in state.active.values())


def _skipped(draft: Draft) -> e.ReservationUpdated:
    """The next occurrence in the place of this one."""
    record = draft.record
    if not record.repeats:
        raise NotNow("ESLURM_RESERVATION_NOT_SKIPPABLE")
    following = windows.after(record, windows.window(record, draft.now))
    record.start, record.end, record.begun, record.idle_since = following.start, following.end, False, 0.0
    return e.ReservationUpdated(at=draft.now, reservation=record)
