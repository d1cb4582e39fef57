"""Ports that are kept for steps: MpiParams=ports= and srun --resv-ports."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import steps
from slurm.core.cluster import Cluster
from slurm.model.errors import InvalidRequest, NotNow, SlurmError
from slurm.model.ids import NodeName
from slurm.model.job import Job, Step
from slurm.model.request import StepRequest
from slurm.notation import number_ranges
from slurm.testing import builders as b


def create(c: Cluster, job: Job, **request: object) -> Step:
    step = steps.plan_step(c, job, StepRequest(overlap=True, **request), b.T0)  # type: ignore[arg-type]
    c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))
    return job.steps[step.id]


def refusal(c: Cluster, job: Job, **request: object) -> SlurmError:
    with pytest.raises(SlurmError) as raised:
        create(c, job, **request)
    return raised.value


def test_each_step_has_as_many_ports_as_its_largest_node_has_tasks_and_one_more() -> None:
    c = b.cluster(mpi_ports=[12000, 12011])
    job = b.started(c, "cn01", "cn02", ntasks=4)
    assert len(create(c, job, ntasks=2).ports) == 2
    uneven = create(c, job, ntasks=4, nodes_min=2, overcommit=True, resv_ports=-1)
    assert ([share.tasks for share in uneven.shares], len(uneven.ports)) == ([3, 1], 4)
    assert create(c, job, resv_ports=0).ports == []
    without = b.cluster()
    assert create(without, b.started(without, "cn01")).ports == []


def test_no_port_is_kept_twice_on_a_node_and_each_is_free_again_when_its_step_has_left_the_node() -> None:
    c = b.cluster(mpi_ports=[12000, 12009])
    both, alone, elsewhere = (b.started(c, *names) for names in (("cn01", "cn02"), ("cn02",), ("cn03",)))
    wide, one = create(c, both, resv_ports=6), create(c, alone, resv_ports=4)
    assert sorted(wide.ports + one.ports) == list(range(12000, 12010))
    assert len(create(c, elsewhere, resv_ports=10).ports) == 10, "on other nodes they are others' to have"
    busy = refusal(c, alone, resv_ports=1)
    assert isinstance(busy, NotNow) and busy.message == "Required ports are in use"
    for name in ("cn02", "cn01"):
        c.apply(e.StepExited(at=b.T0 + 1, job=both.id, attempt=1, step=wide.id, node=NodeName(name), status=0))
        if name == "cn02":
            assert set(create(c, alone, resv_ports=6).ports) == set(wide.ports), "it runs on cn01 still, where this step is not"
    assert create(c, both, nodelist="cn01", nodes_min=1, nodes_max=1, resv_ports=10).ports == list(range(12000, 12010))


def test_a_step_does_not_begin_with_the_ports_that_were_given_back_just_now() -> None:
    c = b.cluster(mpi_ports=[12000, 12009])
    job = b.started(c, "cn01")
    first = create(c, job, resv_ports=2)
    c.apply(e.StepExited(at=b.T0 + 1, job=job.id, attempt=1, step=first.id, node=NodeName("cn01"), status=0))
    assert not set(first.ports) & set(create(c, job, resv_ports=2).ports)


@pytest.mark.parametrize(("settings", "count"), [({"mpi_ports": [12000, 12009]}, 11), ({}, 1), ({}, -1)])
def test_more_ports_than_there_are_are_refused(settings: dict[str, object], count: int) -> None:
    c = b.cluster(**settings)  # type: ignore[arg-type]
    refused = refusal(c, b.started(c, "cn01"), resv_ports=count)
    assert isinstance(refused, InvalidRequest) and refused.message == "Requires more ports than can be reserved"


def test_ports_are_shown_as_ranges() -> None:
    assert [number_ranges.show(ports) for ports in ([], [7], [1, 2, 3, 8, 10, 11])] == ["", "7", "1-3,8,10-11"]
