"""Completion: the first half of admission.

Each step fills in what was not asked, or reads one of the request's texts; STEPS is their order.
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.core import entitlement, resolving
from slurm.core.draft import Draft
from slurm.core.rights import is_operator
from slurm.model.errors import InvalidRequest, NotationError, NotPermitted
from slurm.model.job import ArrayPart
from slurm.model.partition import Partition
from slurm.model.request import JobRequest
from slurm.notation import array as arrays
from slurm.notation import gres, hostlist, job_defaults


def name(draft: Draft) -> None:
    """A job without a name is called after its script."""
    request = draft.request
    if not request.name:
        request.name = request.command.rpartition("/")[2] or ("sbatch" if request.kind == "batch" else "interactive")


def partitions(draft: Draft) -> None:
    """The default partition, when none was asked; every name must be known."""
    state = draft.state
    if not draft.request.partition:
        draft.request.partition = state.default_partition()
        if not draft.request.partition:
            raise InvalidRequest("ESLURM_DEFAULT_PARTITION_NOT_SET", hints=_valid_partitions(draft))
    names = list(dict.fromkeys(word for word in draft.request.partition.split(",") if word)) or [draft.request.partition]
    draft.partitions = [_partition(draft, word) for word in names]
    draft.request.partition = ",".join(partition.name for partition in draft.partitions)


def alternate(draft: Draft) -> None:
    """A partition that is DRAIN or INACTIVE gives way to its Alternate, where that is another that is there."""
    state = draft.state
    for place, partition in enumerate(draft.partitions):
        seen = {partition.name}
        while partition.state in ("DRAIN", "INACTIVE") and partition.alternate in state.partitions and partition.alternate not in seen:
            partition = state.partitions[partition.alternate]
            seen.add(partition.name)
        if partition.state not in ("DRAIN", "INACTIVE"):
            draft.partitions[place] = partition
    draft.partitions = list({partition.name: partition for partition in draft.partitions}.values())
    draft.request.partition = ",".join(partition.name for partition in draft.partitions)


def _partition(draft: Draft, word: str) -> Partition:
    found = draft.state.partitions.get(word)
    if found is None:
        raise InvalidRequest(
            "ESLURM_INVALID_PARTITION_NAME", preface=[f"invalid partition specified: {word}"],
            hints=resolving.meant(word, draft.state.partitions) + _valid_partitions(draft))
    return found


def _valid_partitions(draft: Draft) -> list[str]:
    shown = [name for name, partition in draft.state.partitions.items() if not partition.hidden]
    return [f"partitions of this cluster: {', '.join(shown)}"] if shown else ["this cluster has no partition"]


def array(draft: Draft) -> None:
    """Reads --array; task ids must be below MaxArraySize."""
    if not draft.request.array:
        return
    limit = draft.state.settings.max_array_size
    try:
        spec = arrays.parse(draft.request.array, limit)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_ARRAY", hints=[error.message]) from error
    draft.array = ArrayPart(
        ranges=list(spec.tasks.runs), limit=spec.limit, count=len(spec.tasks), lowest=spec.tasks.first, highest=spec.tasks.last,
        step=spec.tasks.step)


def dependency(draft: Draft) -> None:
    """Reads --dependency; the jobs it names must be known."""
    if draft.request.dependency:
        draft.clauses, draft.dependency_any = resolving.clauses(draft.state, draft.request.dependency)


def nodes(draft: Draft) -> None:
    """No more nodes than tasks; as many nodes as --nodelist names."""
    request = draft.request
    named = list(dict.fromkeys(resolving.hosts(draft.state, request.nodelist))) if request.nodelist else []
    if 0 < request.nodes_max < len(named):
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT",
            hints=[f"{len(named)} nodes are named, at most {request.nodes_max} are asked for"])
    request.nodes_min = max(request.nodes_min, len(named))
    if request.ntasks and request.nodes_min > request.ntasks:
        draft.warnings.append(
            f"Warning: can't run {request.ntasks} processes on {request.nodes_min} nodes, setting nnodes to {request.ntasks}")
        request.nodes_min = request.nodes_max = request.ntasks
        request.nodelist = hostlist.compress(named[: request.ntasks])


def generic_resources(draft: Draft) -> None:
    """--gres in its one spelling; the texts of the --gpus options are read too, so that nobody later meets a bad one."""
    request = draft.request
    try:
        if request.gres:
            request.gres = gres.show(gres.parse(request.gres))
        for text in (request.gpus, request.gpus_per_node, request.gpus_per_socket, request.gpus_per_task):
            if text:
                gres.parse_gpus(text)
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_GRES", hints=[error.message]) from error


def exclusive(draft: Draft) -> None:
    """Partitions that give whole nodes only."""
    for partition in draft.partitions:
        if partition.oversubscribe.upper() == "EXCLUSIVE" or partition.exclusive.upper() == "NODE":
            draft.request.exclusive = "node"
        elif partition.exclusive.upper() == "USER" and not draft.request.exclusive:
            draft.request.exclusive = "user"
    if draft.request.reboot:
        _reboot(draft)


def _reboot(draft: Draft) -> None:
    """--reboot: nodes are started anew for operators, and nobody else is there then."""
    if not draft.state.settings.reboots:
        draft.request.reboot = False
        draft.warnings.append("--reboot changes nothing here: slurm.conf has no RebootProgram")
        return
    if not is_operator(draft.state, draft.caller):
        raise NotPermitted("ESLURM_ACCESS_DENIED", hints=["--reboot is for operators: nodes are started anew for the job"])
    draft.request.exclusive = "node"


def core_spec(draft: Draft) -> None:
    """--core-spec and --thread-spec count only where AllowSpecResourcesUsage says so; who says how much of a node the system has gets whole
    nodes."""
    request = draft.request
    if request.core_spec is None and request.thread_spec is None:
        return
    if not draft.state.settings.spec_usage:
        draft.warnings.append("--core-spec and --thread-spec change nothing here (AllowSpecResourcesUsage=NO): each node sets aside what "
                              "its configuration says")
        request.core_spec = request.thread_spec = None
        return
    if request.core_spec is not None:
        request.thread_spec = None
    request.exclusive = "node"


def asks_gpus(request: JobRequest) -> bool:
    """Whether a job asks for GPUs in any of the ways there are."""
    texts = request.gpus, request.gpus_per_node, request.gpus_per_socket, request.gpus_per_task
    return any(item.name == "gpu" for item in gres.parse(request.gres)) or any(gres.positive(gres.parse_gpus(text)) for text in texts)


def gpu_shares(draft: Draft) -> None:
    """DefCpuPerGPU and DefMemPerGPU, the partition's before the cluster's, for jobs with GPUs that do not say how many CPUs and how much
    memory."""
    request, settings = draft.request, draft.state.settings
    own, general = draft.partitions[0].job_defaults, settings.job_defaults
    if not (own or general) or not asks_gpus(request):
        return
    first, second = job_defaults.parse(own), job_defaults.parse(general)
    if not request.cpus_per_task and not request.cpus_per_gpu:
        request.cpus_per_gpu = (second.cpus_per_gpu if first.cpus_per_gpu is None else first.cpus_per_gpu) or 0
    if _gives_memory(draft) and (request.mem_per_node, request.mem_per_cpu, request.mem_per_gpu) == (None, None, None):
        request.mem_per_gpu = (second.mem_per_gpu if first.mem_per_gpu is None else first.mem_per_gpu) or None


def _gives_memory(draft: Draft) -> bool:
    """Whether a job's memory is given out in one of its partitions."""
    return any(partition.selects(draft.state.settings)[1] for partition in draft.partitions)


def memory(draft: Draft) -> None:
    """DefMemPerCPU and DefMemPerNode, the partition's before the cluster's; without either a job takes a node's whole memory."""
    request, settings = draft.request, draft.state.settings
    asked = (request.mem_per_node, request.mem_per_cpu, request.mem_per_gpu)
    if not _gives_memory(draft) or any(amount is not None for amount in asked):
        return
    for giver in (draft.partitions[0], settings):
        if giver.def_mem_per_cpu:
            request.mem_per_cpu = giver.def_mem_per_cpu
            return
        if giver.def_mem_per_node:
            request.mem_per_node = giver.def_mem_per_node
            return
    request.mem_per_node = 0


def memory_per_cpu(draft: Draft) -> None:
    """More memory a CPU than MaxMemPerCPU is given as more CPUs a task."""
    request = draft.request
    most = draft.partitions[0].max_mem_per_cpu or draft.state.settings.max_mem_per_cpu
    if not most or request.mem_per_cpu is None or request.mem_per_cpu <= most:
        return
    cpus = max(1, request.cpus_per_task)
    factor = -(-request.mem_per_cpu // most)
    request.mem_per_cpu = -(-request.mem_per_cpu // factor)
    request.cpus_per_task = cpus * factor


def time_limit(draft: Draft) -> None:
    """--time, else DefaultTime, else MaxTime of the partition; 0 asks for none."""
    asked = draft.request.time_limit
    partition = draft.partitions[0]
    if asked is not None:
        draft.time_limit = asked if asked > 0 else -1
    else:
        draft.time_limit = partition.default_time if partition.default_time is not None else partition.max_time


def begin(draft: Draft) -> None:
    """A begin time that has passed is none."""
    if draft.request.begin > draft.now:
        draft.not_before = draft.request.begin


def nice(draft: Draft) -> None:
    """Only operators may go before others by a negative nice value."""
    if draft.request.nice < 0 and not is_operator(draft.state, draft.caller):
        draft.warnings.append("nice value is negative, which only operators may ask for: changed to 0")
        draft.request.nice = 0


def host_texts(draft: Draft) -> None:
    """Host lists in their short form."""
    for field in ("nodelist", "exclude"):
        text = getattr(draft.request, field)
        if text:
            setattr(draft.request, field, hostlist.compress(resolving.hosts(draft.state, text)))


def files(draft: Draft) -> None:
    """The word none, in any case of letters, is no file of a batch job."""
    for field in ("stdin", "stdout", "stderr"):
        if str(getattr(draft.request, field)).lower() == "none":
            setattr(draft.request, field, "/dev/null")


STEPS: tuple[Callable[[Draft], None], ...] = (
    name, files, entitlement.account, partitions, alternate, entitlement.association, entitlement.qos, entitlement.wckey, array, dependency,
    host_texts, nodes,
    generic_resources, exclusive, core_spec, gpu_shares, memory, memory_per_cpu, time_limit, begin, nice)
