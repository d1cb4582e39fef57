"""The variables that only the node knows. What the controller knows comes with the order; SLURM_PROCID, SLURM_LOCALID, SLURM_TASK_PID and
what a login would set come from slurmstepd in each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slurm.model.cpu_set import CpuSet
from slurm.notation import gpu_bind
from slurm.slurmd.gpus.naming import Naming

EVERY_NAME = Naming()
_NICE_DIGITS, _NICEST = 5, 19


def of_batch(given: Mapping[str, str], node: str, cpus: CpuSet, naming: Naming = EVERY_NAME) -> dict[str, str]:
    """The environment of a batch script: what the controller gave, completed; `cpus` are its CPUs here, `naming` what GPUs are called."""
    return {
        "TMPDIR": "/tmp",
        "SLURM_CPUS_ON_NODE": str(max(1, len(cpus))),
        "SLURM_STEP_ID": "-5",
        "SLURM_STEPID": "-5",
        "SLURM_NODEID": "0",
        "SLURM_GTIDS": "0",
        **naming.within(given),
        "SLURMD_NODENAME": node,
    }


def nice_of(given: Mapping[str, str], propagation: int) -> int:
    """The nice value that tasks are to have by what their submitter had (SLURM_PRIO_PROCESS) and PropagatePrioProcess; 0: slurmd's."""
    text = given.get("SLURM_PRIO_PROCESS", "")
    wanted = int(text) if text.removeprefix("-").isdecimal() and len(text) < _NICE_DIGITS and propagation else 0
    return min(_NICEST, max(wanted, 1 if propagation == 2 else 0))


def of_step(
    given: Mapping[str, str], node: str, node_rank: int, ranks: Sequence[int], cpus: CpuSet, gpus: Sequence[int] | None, debug: int,
    *, gpus_given_out: bool = True, place: tuple[str, str] = ("", "node"), naming: Naming = EVERY_NAME,
) -> dict[str, str]:
    """The environment of a step's tasks on this node: what srun sent, with what differs from node to node set anew.

    `gpus`: indexes of the step's GPUs here; None where it has none. What the submitter's own variables say of GPUs goes, unless the cluster
    gives none out. `place`: the way through the network to this node, and of what kind its parts are.
    """
    environment = {
        **(_without_gpus(given) if gpus_given_out else given),
        "SLURMD_NODENAME": node,
        "SLURMD_DEBUG": str(debug),
        "SLURM_NODEID": str(node_rank),
        "SLURM_GTIDS": ",".join(map(str, ranks)),
        "SLURM_CPUS_ON_NODE": str(max(1, len(cpus))),
        "SLURM_TOPOLOGY_ADDR": place[0] or node,
        "SLURM_TOPOLOGY_ADDR_PATTERN": place[1],
    }
    environment.setdefault("TMPDIR", "/tmp")
    if gpus is not None:
        shown = ",".join(map(str, gpus))
        environment.update(naming.of(gpus, gpus))
        environment["SLURM_GPUS_ON_NODE"] = str(len(gpus))
        environment["SLURM_STEP_GPUS"] = shown
    return environment


def _without_gpus(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name == "SLURM_JOB_GPUS" or name not in gpu_bind.OF_A_JOB}


def of_tasks(given: Sequence[Mapping[str, str]], bind: str, gpus: Sequence[int] | None, tasks: int,
             naming: Naming = EVERY_NAME) -> list[dict[str, str]]:
    """What differs from task to task on this node, over `of_step`: what srun sent (or nothing), and by `bind` the GPUs that each sees.

    NotationError for a binding to GPUs that are not there.
    """
    own = [dict(one) for one in given] or [{} for _ in range(tasks)]
    if gpus is None or gpu_bind.parse(bind).kind in ("none", "closest"):
        return own if given else []
    for task, some in zip(own, gpu_bind.seen(gpu_bind.parse(bind), gpus, tasks), strict=True):
        task.update({**naming.of(some, gpus), "SLURM_STEP_GPUS": ",".join(map(str, some))})
    return own
