"""Which nodes, CPUs and memory a job gets, against what Debian's Slurm 22.05 gave on the same four emulated nodes, for each kind of SelectType(Parameters).

`selection_22_05.json`: for each kind the slurm.conf lines, and in order the arguments of sbatch with [[nodes, CPU_IDs, MB], …] and NumCPUs of scontrol. What stands behind "!" stays.
"""

from __future__ import annotations

import json
import shlex
from itertools import groupby
from pathlib import Path

import pytest

from slurm.config.config import parse
from slurm.core.cluster import Cluster
from slurm.model.errors import SlurmError
from slurm.notation import gres, hostlist
from slurm.options.resolve import resolve
from slurm.sched.feasible import check_request
from slurm.sched.plan import plan
from slurm.sched.terrain import Terrain
from slurm.slurmctld import setup
from slurm.testing import builders as b

KINDS = json.loads((Path(__file__).parent / "selection_22_05.json").read_text())
HEAD = "ClusterName=c\nSlurmctldHost=h\nGresTypes=gpu\nSlurmdParameters=config_overrides\n"
SOCKETS = "its tasks go over the sockets in turn, of which each is given out whole: here as few sockets as hold them are taken"
THREADS = "CPU_IDs names both threads of a core of which one is given out; here the CPUs that are"
FEWER = "the tasks of nodes that share a core are dealt out the other way round"
HALF = "the job is charged one CPU of each core and nobody gets the other; here it is charged both"
OTHERS: dict[str, dict[str, str]] = {
    "cores": {
        "-n4 --ntasks-per-socket=1": "four tasks share two sockets although each may have one; here they get four sockets",
        "-n1 --gres=gpu:1": "GPUs without cores of their own lie near the last socket; here near none",
    },
    "sockets": dict.fromkeys((
        "-n3", "-N2 -n12", "-n4 --ntasks-per-core=1", "-n4 --hint=nomultithread", "-n8 --ntasks-per-node=4", "-N3 -n7", "-n20", "-N2 -n4"), SOCKETS),
    "cpus": {
        **dict.fromkeys(("-n1", "-n3", "-n9", "-N2", "-N3 -n7"), THREADS), "-N2 -n3": FEWER,
        **dict.fromkeys(("-n4 --ntasks-per-core=1", "-n4 --hint=nomultithread"), HALF),
    },
    "least loaded": {"-N2 -n3": "of nodes that are equally free it takes others than the first"},
}
"""Kind → arguments for which ours gives something else, and what Slurm does there."""


def cluster(kind: str) -> Cluster:
    """The four nodes, all in service."""
    event = setup.configured(parse(HEAD + "\n".join(KINDS[kind]["conf"]) + "\n"), b.T0, [])
    made = Cluster()
    made.apply(event)
    for node in event.nodes:
        made.apply(b.registered(node))
    return made


def given(c: Cluster, arguments: str, *, stay: bool) -> object:
    """What a job gets now, as the file has it; with `stay` it goes on holding it."""
    request = resolve("sbatch", [*shlex.split(arguments), "--wrap", "x"], {}).request
    try:
        job = b.submit(c, **{**request, "name": "job"})
        check_request(Terrain(c), job)
    except SlurmError:
        return "refused"
    found = next((one.allocation for one in plan(c, b.T0).proposals if one.job == job.id), None)
    if found is None:
        return "pending"
    if stay:
        event = c.starting(job.id, None, found, b.T0)
        assert event is not None
        c.apply(event)
    else:
        c.apply(b.e.Cancelled(at=b.T0, job=job.id, by=b.ALICE.uid))
    alike = groupby(found.shares, key=lambda share: (gres.show_indices(list(share.cpus)), share.memory))
    return [[[hostlist.compress([share.node for share in shares]), cpus, str(memory)] for (cpus, memory), shares in alike], found.cpu_count]


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_get_what_slurm_gives_them(kind: str) -> None:
    c = cluster(kind)
    other = []
    for arguments, real in KINDS[kind]["jobs"]:
        ours = given(c, arguments.lstrip("! "), stay=arguments.startswith("!"))
        if ours != real:
            other.append(arguments)
            assert arguments in OTHERS.get(kind, {}), f"{arguments}: Slurm gives {real}, here it is {ours}"
    assert set(other) == set(OTHERS.get(kind, {})), "what is the same now needs no note any more"
