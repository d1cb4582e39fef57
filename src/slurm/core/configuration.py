"""Configuration: what a (re)loaded slurm.conf and `scontrol update partitionname=` make of nodes and partitions."""

from __future__ import annotations

from typing import Any

import msgspec

from slurm.core import events as e
from slurm.core import machines, recording
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition
from slurm.core.nodes import registering
from slurm.core.policy import state as counting
from slurm.core.reserving import running
from slurm.core.state import ClusterState
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.states import NodeState, Power

_PARTITION_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Partition)}
_KEPT = (
    "state", "drain", "responding", "reason", "reason_user", "reason_uid", "reason_time", "comment", "extra", "registered", "arch", "os",
    "version", "boot_time", "boot_id", "slurmd_start_time", "last_busy_time", "last_heard", "cpu_load", "free_memory", "cpus_used",
    "memory_used",
    "gres_used", "jobs", "completing", "remains", "exclusive_user", "power", "power_since", "power_asked", "reboot", "reboot_since",
    "reboot_next", "resume_after",
)
"""What a node keeps when its configuration is read again: all that was not configured."""


def on_configured(state: ClusterState, event: e.Configured) -> list[Effect]:
    """Take the configuration over; nodes and partitions that still exist keep what operators and jobs made of them.

    Jobs that hold a node which is not in the configuration any more lose it; its record stays until nothing of theirs can be left there.
    """
    first = not state.nodes
    effects: list[Effect] = []
    wanted = {node.name for node in event.nodes}
    for name in [name for name in state.nodes if name not in wanted]:
        effects += machines.on_removed(state, state.nodes[name], event)
    kept = {name: node for name, node in state.nodes.items() if name not in wanted and (node.jobs or node.remains)}
    begins = event.settings.accounting and not state.settings.accounting
    state.settings = event.settings
    if begins:
        recording.everything(state)
    if not event.settings.accounting:
        state.recording.end()
    if first:
        state.next_job_id = max(state.next_job_id, type(state.next_job_id)(event.settings.first_job_id))
    state.unsaved.nodes |= state.nodes.keys() | wanted
    state.nodes = {node.name: _merged(state.nodes.get(node.name), node) for node in event.nodes} | kept
    previous = state.partitions
    state.unsaved.partitions |= previous.keys() | {partition.name for partition in event.partitions}
    state.partitions = {}
    for partition in event.partitions:
        fresh = msgspec.structs.replace(partition)
        before = previous.get(partition.name)
        if before is not None and event.keeps == "all":
            fresh = msgspec.structs.replace(before, position=partition.position)
        elif before is not None and event.keeps:
            fresh.state = before.state
        state.partitions[fresh.name] = fresh
    if event.keeps == "all":
        for other, as_it_was in previous.items():
            state.partitions.setdefault(other, as_it_was)
        for each in state.partitions.values():
            each.nodes = [name for name in each.nodes if name in wanted]
    running.follow_nodes(state, event.at)
    counting.configured(state, event.at)
    if {name: one.qos for name, one in previous.items()} != {name: one.qos for name,
            one in state.partitions.items()} and state.policy.known:
        counting.recount(state, event.at)
    return effects


def on_partition_updated(state: ClusterState, event: e.PartitionUpdated) -> list[Effect]:
    """`scontrol update partitionname=`, already checked."""
    partition = state.partitions.get(event.partition)
    if partition is None:
        raise IllegalTransition(f"partition {event.partition} is not known")
    for key, raw in event.changes.items():
        setattr(partition, key, msgspec.msgpack.decode(raw, type=_PARTITION_TYPES[key]))
    state.unsaved.partitions.add(partition.name)
    if "qos" in event.changes and state.policy.known:
        counting.recount(state, event.at)
    if partition.default:
        state.unsaved.partitions |= state.partitions.keys()
        for other in state.partitions.values():
            other.default = other is partition
    running.follow_nodes(state, event.at)
    return []


def on_partition_created(state: ClusterState, event: e.PartitionCreated) -> list[Effect]:
    """`scontrol create partitionname=`: the last of all partitions."""
    fresh = msgspec.structs.replace(event.partition, position=1 + max((each.position for each in state.partitions.values()), default=-1))
    if fresh.name in state.partitions:
        raise IllegalTransition(f"partition {fresh.name} is there already")
    state.partitions[fresh.name] = fresh
    state.unsaved.partitions.add(fresh.name)
    if fresh.default:
        state.unsaved.partitions |= state.partitions.keys()
        for other in state.partitions.values():
            other.default = other is fresh
    running.follow_nodes(state, event.at)
    if fresh.qos and state.policy.known:
        counting.recount(state, event.at)
    return []


def on_partition_deleted(state: ClusterState, event: e.PartitionDeleted) -> list[Effect]:
    """`scontrol delete partitionname=`, of which nothing depends on."""
    gone = state.partitions.pop(event.partition, None)
    if gone is None:
        raise IllegalTransition(f"partition {event.partition} is not known")
    state.unsaved.partitions.add(gone.name)
    running.follow_nodes(state, event.at)
    if gone.qos and state.policy.known:
        counting.recount(state, event.at)
    return []


def encode(changes: dict[str, object]) -> dict[str, msgspec.Raw]:
    """Changes as PartitionUpdated carries them; KeyError for a key that is no field of Partition."""
    unknown = changes.keys() - _PARTITION_TYPES.keys()
    if unknown:
        raise KeyError(f"no such field of a partition: {', '.join(sorted(unknown))}")
    return {key: msgspec.Raw(msgspec.msgpack.encode(value)) for key, value in changes.items()}


def _merged(before: Node | None, configured: Node) -> Node:
    fresh = msgspec.structs.replace(configured, gres=[msgspec.structs.replace(pool) for pool in configured.gres])
    if before is None:
        fresh.jobs, fresh.completing, fresh.gres_used, fresh.remains = set(), set(), {}, []
        return fresh
    for field in _KEPT:
        setattr(fresh, field, getattr(before, field))
    fresh.gres = [part for pool in fresh.gres for part in registering.filled(pool, before.gres)]  # what its slurmd found
    if configured.state is NodeState.FUTURE:
        fresh.state = NodeState.FUTURE
    elif fresh.state is NodeState.FUTURE or (configured.power is Power.OFF and not before.cloud and not before.registered):
        fresh.state, fresh.power = configured.state, configured.power
    if not fresh.address or before.registered:
        fresh.address = before.address or configured.address
        fresh.hostname = before.hostname or configured.hostname
    return fresh
