"""Checks: the second half of admission. Each step refuses a request for one cause, in Slurm's words with ours below; STEPS is their order.

Whether any node is large enough is judged in `sched.feasible`, which knows how nodes are filled.
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.core import entitlement, resolving
from slurm.core.draft import Draft
from slurm.core.gates import partition_access
from slurm.core.policy import exemptions
from slurm.core.reserving import access, making
from slurm.core.rights import is_operator
from slurm.model import bounds
from slurm.model.errors import InvalidRequest, NotationError, NotNow, NotPermitted
from slurm.model.partition import Partition
from slurm.model.request import JobRequest
from slurm.model.topology import BLOCK, of_partition
from slurm.notation import duration, features, gres, hostlist
from slurm.notation import licenses as notation
from slurm.notation import signal as signals


def room_in_queue(draft: Draft, count: int = 1) -> None:
    """MaxJobCount: jobs that wait or run; `count` more are to come."""
    state = draft.state
    limit = state.settings.max_job_count
    if len(state.pending) + len(state.active) + count > limit:
        raise NotNow("ESLURM_MAX_JOB_COUNT", hints=[f"{limit} jobs wait or run, no more are taken (MaxJobCount={limit})"])
    if state.in_use(state.next_job_id):
        raise NotNow("ESLURM_MAX_JOB_COUNT", hints=[f"every job id up to {state.settings.max_job_id} is in use (MaxJobId)"])


def partition_open(draft: Draft) -> None:
    """A partition that is INACTIVE or DRAIN takes no jobs; one that is DOWN takes them and lets them wait."""
    for partition in draft.partitions:
        if partition.state in ("INACTIVE", "DRAIN"):
            raise NotNow("ESLURM_PARTITION_NOT_AVAIL", hints=[f"partition {partition.name} is {partition.state} and takes no jobs"])


def partition_rights(draft: Draft) -> None:
    """RootOnly, DisableRootJobs, AllowGroups, AllowAccounts, AllowQos and what denies, of every partition asked for."""
    settings, caller = draft.state.settings, draft.caller
    for partition in draft.partitions:
        hint = _forbidden(draft, partition)
        if caller.uid == 0 and (settings.disable_root_jobs or partition.disable_root_jobs):
            hint = "root may not run jobs here (DisableRootJobs)"
        if hint:
            raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[f"partition {partition.name}: {hint}"])


def _forbidden(draft: Draft, partition: Partition) -> str:
    caller, request = draft.caller, draft.request
    if partition.root_only and caller.uid != 0:
        return "only root may use it (RootOnly)"
    if caller.uid != 0 and not partition_access.is_listed(partition.allow_groups, *caller.groups, caller.group):
        return f"it is for the groups {partition.allow_groups} (AllowGroups), you are in {', '.join(caller.groups) or caller.group}"
    if not partition_access.is_open(partition.alloc_nodes):
        here = caller.host or request.submit_host
        names = resolving.hosts(draft.state, partition.alloc_nodes)
        if here not in names and here.partition(".")[0] not in names:
            return f"jobs for it are submitted on {partition.alloc_nodes} (AllocNodes), not on {here or 'an unknown machine'}"
    return partition_access.forbidden(request, partition)


def reservation(draft: Draft) -> None:
    """Each reservation named must exist and be for this job; and where a partition is for reservations only, one must be named."""
    state, request, caller = draft.state, draft.request, draft.caller
    groups = {caller.group, *caller.groups} if draft.user == caller.user else ()
    for name in request.reservation.split(",") if request.reservation else ():
        of = making.known(state, name)
        if not access.admits(of, draft.user, groups, request.account, request.qos, state.policy):
            raise NotPermitted("ESLURM_RESERVATION_ACCESS",
                hints=[f"reservation {name} is not for {draft.user}{f' in account {request.account}' * bool(request.account)}"])
    if not request.reservation and draft.partitions and all(partition.req_resv for partition in draft.partitions):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=[
            f"partition {draft.partitions[0].name} is for jobs in a reservation only (ReqResv=YES): name one with --reservation"])


def licenses(draft: Draft) -> None:
    """Licences must exist, in the number asked for."""
    text, totals = draft.request.licenses, draft.state.licenses.totals(draft.state.settings, draft.state.policy.book)
    try:
        choices = notation.parse(text)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_LICENSES", hints=[error.message]) from error
    for choice in choices:
        for name, count in choice:
            if name not in totals:
                known = [f"the licences of this cluster: {notation.show(totals)}"] if totals else [
                    "this cluster has no licences (Licenses= in slurm.conf, or sacctmgr add resource)"]
                raise InvalidRequest("ESLURM_INVALID_LICENSES", hints=[*resolving.meant(name, totals), *known])
            if count > totals[name]:
                raise InvalidRequest("ESLURM_INVALID_LICENSES", hints=[f"{count} of {name} are asked for, there are {totals[name]}"])


def node_names(draft: Draft) -> None:
    """Nodes asked for and excluded must exist; those asked for must be in a partition asked for."""
    request, state = draft.request, draft.state
    wanted = resolving.known_nodes(state, request.nodelist) if request.nodelist else []
    excluded = set(resolving.known_nodes(state, request.exclude)) if request.exclude else set()
    if both := excluded.intersection(wanted):
        raise InvalidRequest("ESLURM_INVALID_NODE_NAME", hints=[f"asked for and excluded at once: {hostlist.compress(sorted(both))}"])
    if wanted and not any(set(wanted) <= set(partition.nodes) for partition in draft.partitions):
        raise InvalidRequest("ESLURM_REQUESTED_NODES_NOT_IN_PARTITION", hints=[
            f"partition {partition.name} has {hostlist.compress(partition.nodes)}" for partition in draft.partitions])


def constraints(draft: Draft) -> None:
    """Every feature named must be one that some node has."""
    texts = [text for text in (draft.request.features, draft.request.prefer) if text]
    known = {feature for node in draft.state.nodes.values() for feature in node.features} if texts else set()
    for text in texts:
        try:
            tree = features.parse(text)
        except NotationError as error:
            raise InvalidRequest("ESLURM_INVALID_FEATURE", hints=[error.message]) from error
        for name in features.names(tree) if tree is not None else ():
            if name not in known:
                shown = f"features of this cluster: {', '.join(sorted(known))}" if known else "no node of this cluster has a feature"
                raise InvalidRequest("ESLURM_INVALID_FEATURE", hints=[f'no node has "{name}"', *resolving.meant(name, known), shown])


def resource_names(draft: Draft) -> None:
    """Every generic resource asked for must be in GresTypes."""
    request, types = draft.request, draft.state.settings.gres_types
    if not (request.gres or any(_gpu_texts(request))):
        return
    asked = [item.name for item in gres.positive(gres.parse(request.gres))]
    if any(gres.positive(gres.parse_gpus(text)) for text in _gpu_texts(request)):
        asked.append("gpu")
    shared = {"gpu", "mps", "shard"}.intersection(asked)
    if len(shared) > 1:
        raise InvalidRequest("ESLURM_INVALID_GRES", hints=[
            f"a job has GPUs of its own or parts of them, not both: {' and '.join(sorted(shared))} are asked for"])
    for name in asked:
        if name not in types:
            shown = f"GresTypes of this cluster: {','.join(types)}" if types else "this cluster has no generic resources (GresTypes)"
            raise InvalidRequest("ESLURM_INVALID_GRES", hints=[f'there is no resource "{name}"', *resolving.meant(name, types), shown])


def _gpu_texts(request: JobRequest) -> tuple[str, ...]:
    return request.gpus, request.gpus_per_node, request.gpus_per_socket, request.gpus_per_task


def tasks_per_gpu(draft: Draft) -> None:
    """Tasks for each GPU are a number of tasks only with a number of GPUs, and the other way round."""
    request = draft.request
    if request.ntasks_per_gpu and not (request.gres or any(_gpu_texts(request)) or request.nodes_min or request.ntasks):
        raise InvalidRequest("ESLURM_INVALID_GRES", hints=[
            "--ntasks-per-gpu needs a number of GPUs (--gpus, --gres …) or of tasks (--ntasks)"])


def counts(draft: Draft) -> None:
    """Numbers that contradict each other."""
    request, settings = draft.request, draft.state.settings
    if 0 < request.nodes_max < request.nodes_min:
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[f"at least {request.nodes_min} and at most {request.nodes_max} nodes"])
    if request.ntasks_per_node > settings.max_tasks_per_node:
        raise InvalidRequest("ESLURM_BAD_TASK_COUNT", hints=[f"at most {settings.max_tasks_per_node} tasks a node (MaxTasksPerNode)"])
    if request.mem_per_node:
        for partition in draft.partitions:
            most = partition.max_mem_per_node or settings.max_mem_per_node
            if most and request.mem_per_node > most:
                raise InvalidRequest("ESLURM_INVALID_TASK_MEMORY", hints=[f"at most {most} MB a node in partition {partition.name}"])


def segments(draft: Draft) -> None:
    """--segment: whole segments make up the job, and each fits into a base block."""
    request, topologies = draft.request, draft.state.settings.topologies
    if not request.segment:
        return
    for partition in draft.partitions:
        found = of_partition(topologies, partition.topology)
        if found is None or found.kind != BLOCK:
            draft.warnings.append(f"--segment={request.segment} changes nothing in partition {partition.name}: its nodes lie in no blocks "
                                  "(TopologyPlugin)")
            continue
        nodes = max(1, request.nodes_min)
        if nodes % request.segment or (request.nodes_max and request.nodes_max != nodes):
            raise InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE",
                hints=[f"{nodes} nodes are not whole segments of {request.segment}"])
        if found.sizes and request.segment > found.sizes[0]:
            raise InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=[
                f"a segment of {request.segment} nodes does not fit into a block of {found.sizes[0]} (partition {partition.name})"])


def times(draft: Draft) -> None:
    """Limits that contradict each other or the clock."""
    request = draft.request
    limit = draft.time_limit
    if request.time_min is not None and 0 <= limit < request.time_min:
        raise InvalidRequest("ESLURM_INVALID_TIME_MIN_LIMIT", hints=[
            f"--time-min is {duration.show(request.time_min)}, the time limit {duration.show(limit)}"])
    if request.deadline:
        least = max(request.time_min if request.time_min is not None else limit, 0)
        if max(draft.now, draft.not_before) + least > request.deadline:
            raise InvalidRequest("ESLURM_INVALID_TIME_LIMIT" if request.time_min is None else "ESLURM_INVALID_TIME_MIN_LIMIT", hints=[
                f"a job of {duration.show(least)} can not end before its deadline any more"])


def partition_limits(draft: Draft) -> None:
    """MaxTime, MaxNodes and MinNodes, refused at submission only where EnforcePartLimits says so."""
    rule = draft.state.settings.enforce_part_limits.upper()
    if rule not in ("ANY", "ALL", "YES"):
        return
    refusals = [_over_limit(draft, exemptions.as_met(draft.state, draft.request.qos, partition)) for partition in draft.partitions]
    errors = [error for error in refusals if error is not None]
    if errors and (rule != "ANY" or len(errors) == len(refusals)):
        raise errors[0]


def _over_limit(draft: Draft, partition: Partition) -> InvalidRequest | None:
    request, limit = draft.request, draft.time_limit
    cpus, has = _least_cpus(request), sum(draft.state.nodes[name].cpus for name in partition.nodes)
    if cpus > has:
        return InvalidRequest("ESLURM_TOO_MANY_REQUESTED_CPUS", hints=[f"partition {partition.name} has {has} CPUs, {cpus} are asked for"])
    if partition.max_time >= 0 and (limit < 0 or limit > partition.max_time):
        return InvalidRequest("ESLURM_INVALID_TIME_LIMIT", hints=[
            f"at most {duration.show(partition.max_time)} in partition {partition.name}, {duration.show(limit)} asked for"])
    if 0 <= partition.max_nodes < request.nodes_min:
        return InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[f"at most {partition.max_nodes} nodes in partition {partition.name}"])
    if request.nodes_max and request.nodes_max < partition.min_nodes:
        return InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[f"at least {partition.min_nodes} nodes in partition {partition.name}"])
    if request.nodes_min > len(partition.nodes):
        return InvalidRequest("ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", hints=[
            f"partition {partition.name} has {len(partition.nodes)} nodes, {request.nodes_min} are asked for"])
    return None


def _least_cpus(request: JobRequest) -> int:
    """The CPUs that a job needs at least, as far as it says so itself."""
    nodes = max(1, request.nodes_min)
    tasks = nodes if request.overcommit else request.ntasks or nodes * max(1, request.ntasks_per_node)
    return max(tasks * max(1, 1 if request.overcommit else request.cpus_per_task), nodes * max(1, request.mincpus))


def priority(draft: Draft) -> None:
    """Only operators set a priority; anybody may set 0, which is a hold."""
    asked = draft.request.priority
    if asked and not is_operator(draft.state, draft.caller):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["only operators and administrators can set the priority of a job"])


def reserved(draft: Draft) -> None:
    """Fields that only operators may set."""
    bounds.require_rights(draft.request, operator=is_operator(draft.state, draft.caller))


def warning_signal(draft: Draft) -> None:
    """--signal must read well: it is read again when the time comes."""
    if draft.request.signal:
        try:
            signals.parse_request(draft.request.signal)
        except NotationError as error:
            raise InvalidRequest("ESLURM_INVALID_OPTION", "Invalid --signal specification", hints=[error.message]) from error


STEPS: tuple[Callable[[Draft], None], ...] = (
    room_in_queue, partition_open, partition_rights, entitlement.quality_of_service, reservation, licenses, node_names, constraints,
    resource_names,
    tasks_per_gpu, counts, segments, times, partition_limits, reserved, priority, warning_signal)
