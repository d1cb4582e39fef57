"""Steps: what an srun inside a job gets."""

from __future__ import annotations

import pytest

from slurm.core import events as e
from slurm.core import steps
from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import SlurmError
from slurm.model.job import Job, Step
from slurm.model.request import StepRequest
from slurm.testing import builders as b


def running(c: Cluster, *nodes: str, cpus: int = 2, gpus: int = 0, memory: int = 0, **request: object) -> Job:
    job, _ = b.start(c, b.submit(c, **request), *nodes, cpus=cpus, gpus=gpus, memory=memory)  # type: ignore[arg-type]
    return job


def create(c: Cluster, job: Job, **request: object) -> Step:
    step = steps.plan_step(c, job, StepRequest(**request), b.T0)  # type: ignore[arg-type]
    c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))
    return step


def refusal(c: Cluster, job: Job, **request: object) -> str:
    with pytest.raises(SlurmError) as raised:
        create(c, job, **request)
    return raised.value.message


def spread(step: Step) -> list[tuple[str, int]]:
    return [(share.node, share.tasks) for share in step.shares]


def test_without_options_a_step_has_the_tasks_of_the_job() -> None:
    c = b.cluster()
    job = running(c, "cn01", "cn02", ntasks=4)
    step = create(c, job)
    assert (step.id, spread(step), steps.ranks(step)) == (0, [("cn01", 2), ("cn02", 2)], [[0, 1], [2, 3]])


def test_without_a_task_count_a_step_has_one_task_a_node() -> None:
    c = b.cluster()
    assert spread(create(c, running(c, "cn01", "cn02"))) == [("cn01", 1), ("cn02", 1)]


def test_a_step_uses_every_cpu_of_its_nodes_unless_exact() -> None:
    c = b.cluster()
    job = running(c, cpus=4)
    assert create(c, job, ntasks=1, overlap=True).shares[0].cpus == CpuSet(0b1111)
    assert create(c, job, ntasks=1, exact=True).shares[0].cpus == CpuSet(0b1)
    assert create(c, job, ntasks=1, cpus_per_task=2).shares[0].cpus == CpuSet(0b110)


def test_steps_do_not_share_cpus_unless_they_overlap() -> None:
    c = b.cluster()
    job = running(c)
    create(c, job)
    assert refusal(c, job) == "Requested nodes are busy"
    assert create(c, job, overlap=True).id == 1


def test_what_a_step_held_is_free_after_its_end() -> None:
    c = b.cluster()
    job = running(c)
    step = create(c, job)
    c.apply(e.StepExited(at=b.T0, job=job.id, attempt=1, step=step.id, node=b.NodeName("cn01"), status=3 << 8))
    assert job.derived_status == 3 << 8
    assert create(c, job).id == 1


def test_a_step_ends_on_its_last_node() -> None:
    c = b.cluster()
    job = running(c, "cn01", "cn02")
    step = create(c, job)
    c.apply(e.StepExited(at=b.T0, job=job.id, attempt=1, step=step.id, node=b.NodeName("cn02"), status=0))
    assert job.steps[step.id].nodes_left == ["cn01"]
    assert c.apply(e.StepExited(at=b.T0, job=job.id, attempt=1, step=step.id, node=b.NodeName("cn02"), status=0)) == []


@pytest.mark.parametrize(("request_", "nodes"), [
    ({"nodelist": "cn02"}, ["cn02"]), ({"exclude": "cn01"}, ["cn02", "cn03"]), ({"relative": 2}, ["cn03"]),
    ({"relative": 1, "nodes_min": 1, "nodes_max": 1}, ["cn02"]), ({"nodes_min": 2, "nodes_max": 2}, ["cn01", "cn02"]),
    ({"ntasks": 2}, ["cn01", "cn02"]), ({"ntasks": 6}, ["cn01", "cn02", "cn03"]),
])
def test_nodes_are_chosen_among_those_of_the_job(request_: dict[str, object], nodes: list[str]) -> None:
    c = b.cluster()
    step = steps.plan_step(c, running(c, "cn01", "cn02", "cn03"), StepRequest(**request_), b.T0)  # type: ignore[arg-type]
    assert step.nodes == nodes


@pytest.mark.parametrize(("word", "ranks"), [
    ("block", [[0, 1, 2], [3, 4]]), ("cyclic", [[0, 2, 4], [1, 3]]), ("plane=2", [[0, 1, 4], [2, 3]]),
])
def test_ranks_follow_the_distribution(word: str, ranks: list[list[int]]) -> None:
    c = b.cluster()
    job = running(c, "cn01", "cn02", cpus=3)
    step = create(c, job, ntasks=5, distribution=word)
    assert steps.ranks(step) == ranks


@pytest.mark.parametrize("word", ["plane=x", "plane=0", "plane=-1", "plane=", "planet=2", "plane=\u0664"])
def test_a_plane_without_a_number_is_refused_also_when_no_command_of_ours_sent_it(word: str) -> None:
    c = b.cluster()
    with pytest.raises(SlurmError, match="Task distribution specification invalid"):
        steps.plan_step(c, running(c, "cn01"), StepRequest(distribution=word), b.T0)


def test_uneven_shares_deal_cyclic_ranks_as_in_the_transcript() -> None:
    c = b.cluster()
    step = create(c, running(c, "cn01", "cn02"), ntasks=4)
    step.shares[0].tasks, step.shares[1].tasks = 3, 1
    step.request = StepRequest(distribution="cyclic")
    assert steps.ranks(step) == [[0, 2, 3], [1]]


def test_what_the_job_never_had_is_refused_for_good() -> None:
    c = b.cluster(gpus=2)
    job = running(c, gpus=1)
    assert refusal(c, job, ntasks=5) == "More processors requested than permitted"
    assert refusal(c, job, exclude="cn01") == "Requested node configuration is not available"
    assert refusal(c, job, gres="gpu:2") == "Invalid generic resource (gres) specification"
    assert refusal(c, job, nodes_min=2) == "Node count specification invalid"
    assert refusal(c, job, nodelist="cn02") == "Requested node configuration is not available"
    assert refusal(c, job, nodelist="nosuch") == "Invalid node name specified"
    assert refusal(c, job, relative=1) == "Node count specification invalid"


def test_overcommit_puts_more_tasks_than_cpus() -> None:
    c = b.cluster()
    assert spread(create(c, running(c), ntasks=9, overcommit=True)) == [("cn01", 9)]


def test_overcommit_counts_memory_a_cpu_not_a_task() -> None:
    c = b.cluster()
    job = running(c, memory=200)
    assert spread(create(c, job, ntasks=9, overcommit=True, mem_per_cpu=100)) == [("cn01", 9)]


def test_memory_that_the_job_has_not_is_named_as_what_lacks() -> None:
    c = b.cluster()
    assert refusal(c, running(c, memory=200), mem_per_node=99_999) == "Memory required by task is not available"


def test_devices_are_shared_out_among_steps() -> None:
    c = b.cluster(gpus=4)
    job = running(c, cpus=4, gpus=3)
    assert create(c, job, ntasks=1, exact=True, gres="gpu:1").shares[0].gres == {"gpu": CpuSet(0b1)}
    assert create(c, job, ntasks=2, exact=True, gpus_per_task="1").shares[0].gres == {"gpu": CpuSet(0b110)}
    assert refusal(c, job, ntasks=1, exact=True, gres="gpu:1") == "Requested nodes are busy"


def test_memory_follows_the_cpus_of_an_exact_step() -> None:
    c = b.cluster()
    job = running(c, cpus=4, memory=4000)
    assert create(c, job, ntasks=1, exact=True).shares[0].memory == 1000
    assert create(c, job, ntasks=1, exact=True, mem_per_cpu=500).shares[0].memory == 500


def test_the_number_of_steps_is_limited() -> None:
    c = b.cluster(max_step_count=1)
    job = running(c)
    create(c, job, overlap=True)
    assert refusal(c, job, overlap=True) == "Step limit reached for this job"


def test_a_step_id_is_not_given_twice() -> None:
    c = b.cluster()
    job = running(c)
    step = create(c, job)
    with pytest.raises(IllegalTransition, match="step 0 was created before"):
        c.apply(e.StepCreated(at=b.T0, job=job.id, step=step))


def devices(step: Step) -> list[CpuSet]:
    return [share.gres.get("gpu", NOTHING) for share in step.shares]


@pytest.mark.parametrize("words", [
    {"gpus": "1"}, {"gpus_per_node": "1"}, {"gpus_per_task": "1"}, {"gres": "gpu:1"}, {"gpus": "a100:1"}, {"gpus_per_socket": "1"}])
def test_a_step_gets_the_devices_it_asks_for_by_whatever_option_and_the_next_gets_others(words: dict[str, str]) -> None:
    c = b.cluster(gpus=2)
    job = running(c, gpus=2, gres="gpu:2")
    assert devices(create(c, job, ntasks=1, exact=True, **words)) == [CpuSet(0b01)]
    assert devices(create(c, job, ntasks=1, exact=True, **words)) == [CpuSet(0b10)]
    assert refusal(c, job, ntasks=1, overlap=False, exact=True, **words) == "Requested nodes are busy"
    assert devices(create(c, job, ntasks=1, overlap=True, **words)) == [CpuSet(0b01)]


@pytest.mark.parametrize("words", [
    {"gpus": "0"}, {"gpus_per_node": "0"}, {"gpus_per_task": "0"}, {"gpus_per_socket": "0"}, {"gres": "gpu:0"}, {"gres": "none"}, {"gpus": "none"}])
def test_zero_devices_are_none_of_the_jobs(words: dict[str, str]) -> None:
    c = b.cluster(gpus=2)
    assert create(c, running(c, gpus=2, gres="gpu:2"), ntasks=1, **words).shares[0].gres == {}


@pytest.mark.parametrize("words", [
    {"gpus": "3"}, {"gpus_per_node": "3"}, {"gpus_per_task": "3"}, {"gres": "gpu:3"}, {"gres": "disk:1"}, {"gpus": "h100:1"}, {"gpus_per_socket": "3"}])
def test_more_devices_than_the_job_has_are_an_invalid_request(words: dict[str, str]) -> None:
    c = b.cluster(gpus=2)
    assert refusal(c, running(c, gpus=2, gres="gpu:2"), ntasks=1, **words) == "Invalid generic resource (gres) specification"


def test_devices_of_a_step_are_dealt_to_its_nodes_one_at_least() -> None:
    c = b.cluster(gpus=2)
    job = running(c, "cn01", "cn02", gpus=2, gres="gpu:2")
    assert devices(create(c, job, gpus="3", overlap=True)) == [CpuSet(0b11), CpuSet(0b01)]
    assert devices(create(c, job, gpus="2", overlap=True)) == [CpuSet(0b01), CpuSet(0b01)]
    assert refusal(c, job, gpus="1", nodes_min=2) == "Invalid generic resource (gres) specification"
    assert devices(create(c, job, gpus="1", ntasks=1, overlap=True)) == [CpuSet(0b01)]


def test_without_a_word_a_step_has_all_that_its_job_asked_for_or_waits_for_it() -> None:
    c = b.cluster(gpus=2)
    job = running(c, gpus=2, gres="gpu:2")
    assert devices(create(c, job, ntasks=1, exact=True)) == [CpuSet(0b11)]
    assert refusal(c, job, ntasks=1, exact=True) == "Requested nodes are busy"
    assert devices(create(c, job, ntasks=1, exact=True, gres="none")) == [NOTHING]


def test_what_an_exclusive_job_has_beyond_what_it_asked_for_goes_to_steps_that_ask() -> None:
    c = b.cluster(gpus=2)
    asked = running(c, gpus=2, exclusive="node", gres="gpu:1")
    assert devices(create(c, asked, ntasks=1, overlap=True)) == [CpuSet(0b01)]
    nothing = running(c, "cn02", gpus=2, exclusive="node")
    assert devices(create(c, nothing, ntasks=1, overlap=True)) == [NOTHING]
    assert devices(create(c, nothing, ntasks=1, overlap=True, gpus="2")) == [CpuSet(0b11)]
