"""Resources: licences of a server outside, known by name and server, and what of them each cluster may use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from slurm.model.errors import InvalidRequest
from slurm.model.policy import ABSOLUTE, LICENSE, RESOURCE_FLAGS
from slurm.model.policy_change import RESOURCE, PolicySettings, ResourcePlace, Which
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import reading
from slurm.store.accounting.policy.checking import require_names
from slurm.store.accounting.policy.editing import Editing, changed_words
from slurm.store.accounting.policy.reading import lowered

SERVER = "slurmdb"
"""The server of a resource for which none is named: it is counted here alone."""
_columns = policy.resources.c
_shares = policy.resource_clusters.c


def add_resources(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """Resources that are new, and clusters that may use them."""
    require_names("a resource", which.names)
    servers = lowered(which.servers) or [SERVER]
    require_names("a server", servers)
    for name in lowered(which.names):
        for server in servers:
            if "@" in name or "@" in server:
                raise InvalidRequest(message=f"{name!r} of {server!r} is no name for a resource",
                    hints=["jobs name it NAME@SERVER: neither has an @"])
            row = _row(editing, name, server)
            if row is None:
                row = _added(editing, name, server, settings)
            for cluster in editing.cluster_of(which.clusters) if which.clusters else ():
                if _allowed(editing, row.id).get(editing.clusters[cluster]) is None:
                    _allow(editing, row, cluster, settings.allowed if settings.allowed is not None else 0)
            _require_room(editing, _row(editing, name, server))


def modify_resources(editing: Editing, which: Which, settings: PolicySettings) -> None:
    """What is said of resources, or, with clusters named or an amount that is allowed, what these may use."""
    for row in _meant(editing, which):
        values = _values(settings, row, editing.now)
        if values:
            editing.update(policy.resources, row.id, **values)
            editing.log("Modify Resources", f"{row.name}@{row.server}", {key: str(value) for key, value in values.items()})
            editing.report.resources.append(ResourcePlace(resource=f"{row.name}@{row.server}"))
        shares = _allowed(editing, row.id)
        for cluster in editing.cluster_of(which.clusters):
            if editing.clusters[cluster] in shares and (settings.allowed is not None or values):
                if settings.allowed is not None:
                    _allow(editing, row, cluster, settings.allowed)
                else:
                    _tell(editing, row, cluster, shares[editing.clusters[cluster]])
        _require_room(editing, _row(editing, row.name, row.server))


def remove_resources(editing: Editing, which: Which) -> None:
    """Resources; with clusters named, only what these may use of them."""
    for row in _meant(editing, which):
        shares = _allowed(editing, row.id)
        named = [editing.clusters[name] for name in editing.cluster_of(which.clusters)] if which.clusters else list(shares)
        gone = [cluster for cluster in named if cluster in shares]
        editing.connection.execute(sa.delete(policy.resource_clusters).where(_shares.resource_id == row.id, _shares.cluster_id.in_(gone)))
        editing.touch(policy.resources, row.id)
        for cluster in gone:
            editing.log("Remove Resources", f"{row.name}@{row.server}", cluster=editing.names.get(cluster, ""))
            _tell(editing, row, editing.names.get(cluster, ""), shares[cluster])
        if not which.clusters:
            editing.remove(policy.resources, [row.id])
            editing.log("Remove Resources", f"{row.name}@{row.server}")
            editing.report.resources.append(ResourcePlace(resource=f"{row.name}@{row.server}"))


def _meant(editing: Editing, which: Which) -> Sequence[Any]:
    return editing.connection.execute(sa.select(policy.resources).where(
        *reading.conditions(policy.resources, RESOURCE, which, editing.names)).order_by(_columns.id)).all()


def _row(editing: Editing, name: str, server: str) -> Any:
    return editing.connection.execute(sa.select(policy.resources).where(
        _columns.name == name, _columns.server == server, _columns.deleted == 0)).first()


def _added(editing: Editing, name: str, server: str, settings: PolicySettings) -> Any:
    if settings.resource_type is None:
        raise InvalidRequest(message=f" Need to designate a resource type to initially add '{name}'.", hints=["type=license"])
    if settings.count is None:
        raise InvalidRequest(message=f" Need to designate a count to initially add '{name}'.", hints=["count=NUMBER"])
    values: dict[str, object] = {"description": name, "server_type": "", "flags": "", "type": LICENSE,
        **_values(settings, None, editing.now)}
    if editing.rules.all_absolute and ABSOLUTE not in str(values["flags"]):
        values["flags"] = ABSOLUTE
    editing.insert(policy.resources, name=name, server=server, deleted=0, **values)
    editing.log("Add Resources", f"{name}@{server}", {key: str(value) for key, value in values.items()})
    editing.report.resources.append(ResourcePlace(resource=f"{name}@{server}"))
    return _row(editing, name, server)


def _values(settings: PolicySettings, row: Any, now: float) -> dict[str, object]:
    values: dict[str, object] = {
        name: value for name in ("count", "description", "server_type", "last_consumed") if (value := getattr(settings, name)) is not None}
    if settings.last_consumed is not None:
        values["last_update"] = now
    if settings.resource_type is not None:
        if settings.resource_type.lower() != LICENSE.lower():
            raise InvalidRequest(message=f" Unknown resource type: {settings.resource_type}", hints=[f"valid: {LICENSE}"])
        values["type"] = LICENSE
    if settings.flags is not None:
        for name in settings.flags.names:
            if name not in RESOURCE_FLAGS:
                raise InvalidRequest(message=f"Unknown resource flag: {name}", hints=[f"valid: {', '.join(RESOURCE_FLAGS)}"])
        values["flags"] = ",".join(changed_words(row.flags.split(",") if row is not None and row.flags else [], settings.flags))
    return values


def _allowed(editing: Editing, resource: int) -> dict[int, int]:
    """What each cluster may use, by its id."""
    return {row.cluster_id: row.allowed for row in editing.connection.execute(
        sa.select(policy.resource_clusters).where(_shares.resource_id == resource))}


def _allow(editing: Editing, row: Any, cluster: str, allowed: int) -> None:
    identity = editing.clusters[cluster]
    done = editing.connection.execute(sa.update(policy.resource_clusters).where(
        _shares.resource_id == row.id, _shares.cluster_id == identity).values(allowed=allowed))
    if not done.rowcount and identity not in _allowed(editing, row.id):
        editing.connection.execute(sa.insert(policy.resource_clusters).values(resource_id=row.id, cluster_id=identity, allowed=allowed))
    editing.touch(policy.resources, row.id)
    editing.log("Modify Resources", f"{row.name}@{row.server}", f"allowed={allowed}", cluster=cluster)
    _tell(editing, row, cluster, allowed)


def _tell(editing: Editing, row: Any, cluster: str, allowed: int) -> None:
    editing.report.resources.append(ResourcePlace(
        resource=f"{row.name}@{row.server}", cluster=cluster, allowed=allowed, is_percent=ABSOLUTE not in row.flags))


def _require_room(editing: Editing, row: Any) -> None:
    """All clusters together may use what there is, and no more."""
    shares = _allowed(editing, row.id)
    percent = ABSOLUTE not in row.flags
    total, sign = sum(shares.values()), "%" if percent else ""
    if total > (100 if percent else row.count):
        raise InvalidRequest(message="\n".join([
            f" You can not allocate more than {'100%' if percent else row.count} of a resource",
            " If change was accepted it would look like this...",
            f"  {row.name}@{row.server}", *(f"   Cluster - {editing.names.get(cluster, '')}\t {allowed}{sign}" for cluster,
            allowed in shares.items()),
            f"   total\t\t{total}{sign}"]))
