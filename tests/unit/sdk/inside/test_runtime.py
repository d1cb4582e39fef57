"""What a task of several is told of the others."""

from __future__ import annotations

import dataclasses

import pytest

from slurm.sdk.inside.runtime import FIRST_PORT, build_job_context, export_ranks

SECOND = {
    "SLURM_JOB_ID": "77", "SLURM_PROCID": "1", "SLURM_LOCALID": "0", "SLURM_NODEID": "1", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1",
    "SLURM_JOB_NODELIST": "localhost,elsewhere", "SLURM_SRUN_COMM_PORT": "41234"}


def test_ranks_meet_at_a_port_of_their_job() -> None:
    context = build_job_context(SECOND)
    assert context.torch_distributed_env() == {
        "MASTER_ADDR": "localhost", "MASTER_PORT": str(FIRST_PORT + 77), "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
        "NODE_RANK": "1"}
    assert context.torch_distributed_env(master_port=4321)["MASTER_PORT"] == "4321"
    assert build_job_context({**SECOND, "SLURM_JOB_ID": "78"}).torch_distributed_env()["MASTER_PORT"] != context.torch_distributed_env()["MASTER_PORT"]


def test_a_port_and_an_address_of_the_environment_count() -> None:
    context = build_job_context({**SECOND, "MASTER_PORT": "29500", "MASTER_ADDR": "10.0.0.7"})
    assert (context.master_port, context.torch_distributed_env()["MASTER_PORT"]) == (29500, "29500")
    assert context.torch_distributed_env()["MASTER_ADDR"] == "10.0.0.7"


def test_a_context_is_a_dataclass_as_in_the_published_sdk() -> None:
    context = build_job_context(SECOND)
    assert dataclasses.asdict(context)["hostnames"] == ("localhost", "elsewhere")
    assert dataclasses.replace(context, rank=5).rank == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.rank = 5  # type: ignore[misc]


def test_outside_a_job_the_port_is_the_usual_one() -> None:
    context = build_job_context({})
    assert (context.master_port, context.torch_distributed_env()) == (29500, {"MASTER_PORT": "29500"})


def test_a_first_node_that_no_resolver_knows_is_where_srun_was_called() -> None:
    nodes = {**SECOND, "SLURM_JOB_NODELIST": "no-such-node.invalid,other", "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1"}
    context = build_job_context(nodes)
    assert (context.master_addr, context.torch_distributed_env()["MASTER_ADDR"]) == ("no-such-node.invalid", "127.0.0.1")
    assert build_job_context(SECOND | {"SLURM_LAUNCH_NODE_IPADDR": "10.1.1.1"}).torch_distributed_env()["MASTER_ADDR"] == "localhost"


def test_what_another_launcher_left_in_the_environment_is_replaced_but_for_the_meeting_point() -> None:
    environ = {**SECOND, "RANK": "9", "WORLD_SIZE": "16", "MASTER_PORT": "5555"}
    export_ranks(environ)
    assert {name: environ[name] for name in ("RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR")} == {
        "RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "5555", "MASTER_ADDR": "localhost"}
