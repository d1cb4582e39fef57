"""Job descriptions of the API as sbatch's options."""

from __future__ import annotations

import math
from typing import Any

import pytest

from slurm.model.errors import InvalidRequest, NotPermitted, Unsupported
from slurm.notation.container import PREFIX
from slurm.options import tables
from slurm.slurmrestd import job_description as description
from slurm.slurmrestd import reading

SCRIPT = "#!/bin/sh\ntrue\n"


def _asked(**fields: Any) -> description.Asked:
    return description.submission(
        [{"current_working_directory": "/data", **fields}], SCRIPT, "alice", 1001, now=1_800_000_000.0, host="login1")


def test_the_table_has_every_field_of_the_specification_once() -> None:
    names = [field.name for field in description.FIELDS]
    assert sorted(names) == sorted(reading.fields("job_desc_msg"))


def test_options_that_fields_become_are_sbatchs() -> None:
    known = {option.name for option in tables.rows("sbatch")}
    samples: dict[str, Any] = {
        "shared": ["user"], "mail_type": ["END"], "flags": ["SPREAD_JOB"], "open_mode": ["APPEND"], "profile": ["TASK"], "kill_on_node_fail": False, "hold": True,
        "tres_per_job": "gres/gpu:1"}
    for field in description.FIELDS:
        if field.speak is not None:
            value = samples.get(field.name, 1)
            try:
                spoken = [*field.speak(value, {field.name: value})]
            except (AttributeError, TypeError):
                spoken = [*field.speak("gres/gpu:1", {field.name: "gres/gpu:1"})]
            assert {name for name, _ in spoken} <= known, field.name


@pytest.mark.parametrize(("fields", "request_fields"), [
    ({"tasks": 4, "cpus_per_task": 2}, {"ntasks": 4, "cpus_per_task": 2}),
    ({"time_limit": 5}, {"time_limit": 300}), ({"time_limit": math.inf}, {"time_limit": -1}),
    ({"memory_per_node": 100}, {"mem_per_node": 100}), ({"memory_per_cpu": 7}, {"mem_per_cpu": 7}),
    ({"nodes": "2-4"}, {"nodes_min": 2, "nodes_max": 4}), ({"minimum_nodes": 2, "maximum_nodes": 3}, {"nodes_min": 2, "nodes_max": 3}),
    ({"minimum_cpus": 4, "cpus_per_task": 2}, {"ntasks": 2}), ({"hold": True}, {"hold": True}), ({"requeue": False}, {"requeue": False}),
    ({"kill_on_node_fail": False}, {"no_kill": True}), ({"kill_on_node_fail": True}, {}), ({"shared": ["none"]}, {"exclusive": "node"}),
    ({"tres_per_node": "gres/gpu:a100:2"}, {"gres": "gpu:a100:2"}), ({"tres_per_job": "gres/gpu:3"}, {"gpus": "3"}),
    ({"mail_type": ["END", "TIME=90%"]}, {"mail_type": "END,TIME_LIMIT_90"}), ({"begin_time": 1_800_000_060}, {"begin": 1_800_000_060.0}),
    ({"kill_warning_signal": "USR1", "kill_warning_delay": 30, "kill_warning_flags": ["BATCH_JOB"]}, {"signal": "B:USR1@30"}),
    ({"rlimits": {"nofile": 1024, "core": math.inf}}, {"rlimits": {"nofile": 1024, "core": -1}}), ({"required_nodes": ["cn01", "cn02"]}, {"nodelist": "cn01,cn02"}),
    ({"flags": ["KILL_INVALID_DEPENDENCY"]}, {"kill_on_invalid_dep": True}), ({"array": "0-3%2"}, {"array": "0-3%2"}),
    ({"user_id": "alice"}, {}), ({"user_id": "1001"}, {}), ({"name": "x"}, {"name": "x"}), ({"x11": [], "power_flags": [], "job_id": 0}, {})])
def test_a_field_sets_what_its_option_sets(fields: dict[str, Any], request_fields: dict[str, Any]) -> None:
    asked = _asked(**fields).request
    assert {name: asked.get(name) for name in request_fields} == request_fields


def test_script_arguments_and_environment_go_into_the_payload() -> None:
    asked = _asked(argv=["prog", "a", "b"], environment=["A=1=2", "SLURM_JWT=secret"])
    assert asked.payload == {"script": SCRIPT, "argv": ["a", "b"], "environment": {"A": "1=2", "PATH": description.DEFAULT_PATH}}
    assert asked.request["work_dir"] == "/data"
    assert asked.request["submit_host"] == "login1"


def test_a_container_reaches_the_node_that_runs_the_script() -> None:
    assert _asked(container="bundle").payload["environment"] == {
        "PATH": description.DEFAULT_PATH, PREFIX + "container_bundle": "/data/bundle", "SLURM_CONTAINER": "/data/bundle"}


@pytest.mark.parametrize(("fields", "kind", "said"), [
    ({"container_id": "b"}, Unsupported, "--container-id is not supported"), ({"x11": ["BATCH_NODE"]}, Unsupported, "x11"),
    ({"immediate": True}, Unsupported, "immediate"), ({"user_id": "root"}, NotPermitted, "user_id=root"), ({"user_id": "0"}, NotPermitted, "user_id=0"),
    ({"group_id": "wheel"}, Unsupported, "group_id"), ({"script": "echo"}, InvalidRequest, "#!"), ({"current_working_directory": "data"}, InvalidRequest, "absolute"),
    ({"environment": ["A"]}, InvalidRequest, "NAME=value"), ({"flags": ["CRON_JOB"]}, InvalidRequest, "CRON_JOB"), ({"tasks": 2, "minimum_cpus": 9}, InvalidRequest, "minimum_cpus=9"),
    ({"tres_per_job": "gres/shard:3"}, Unsupported, "gres/shard"), ({"memory_per_node": 1, "memory_per_cpu": 1}, InvalidRequest, "mutually exclusive")])
def test_what_is_not_carried_out_is_refused(fields: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as refused:
        _asked(**fields)
    assert said in "; ".join(refused.value.lines())  # type: ignore[attr-defined]


def _components(*fields: dict[str, Any]) -> description.Asked:
    return description.submission([{"current_working_directory": "/data"}, *fields], SCRIPT, "alice", 1001, now=1_800_000_000.0, host="login1")


def test_several_descriptions_are_components_in_the_folder_of_the_first_one() -> None:
    asked = _components({"tasks": 3, "hetjob_group": 1}, {"partition": "gpu", "environment": ["A=1"], "allocation_node_list": "login2"})
    assert [(one.get("ntasks"), one.get("partition"), one["work_dir"], one["submit_host"]) for one in asked.components] == [
        (3, None, "/data", "login1"), (None, "gpu", "/data", "login2")]
    assert asked.notes == ["environment of component 2 has no effect: the script runs in the first one"]
    allocated = description.allocation([{}, {"tasks": 2, "script": "x"}], "alice", 1001, now=1_800_000_000.0, host="login1")
    assert [(one["no_shell"], one.get("ntasks")) for one in (allocated.request, *allocated.components)] == [(True, None), (True, 2)]
    assert allocated.notes == ["script says nothing of an allocation: it has no script"]


@pytest.mark.parametrize(("fields", "kind", "said"), [
    ({"hetjob_group": 2}, InvalidRequest, "hetjob_group=2 of component 1"), ({"script": "#!/bin/sh\nfalse\n"}, InvalidRequest, "one script"),
    ({"user_id": "root"}, NotPermitted, "user_id=root"), ({"current_working_directory": "here"}, InvalidRequest, "absolute")])
def test_a_component_is_read_as_strictly_as_a_job(fields: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as refused:
        _components(fields)
    assert said in "; ".join(refused.value.lines())  # type: ignore[attr-defined]


def test_no_field_reads_a_file_of_slurmrestds_machine() -> None:
    assert "nodefile" not in _asked(required_nodes=["/etc/passwd"]).request
    assert _asked(required_nodes=["/etc/passwd"]).request["nodelist"] == "/etc/passwd"


@pytest.mark.parametrize(("fields", "changes"), [
    ({"time_limit": 9}, {"TimeLimit": "9"}), ({"partition": "gpu", "comment": "x"}, {"Partition": "gpu", "Comment": "x"}), ({"requeue": False}, {"Requeue": "0"}),
    ({"requeue": True}, {"Requeue": "1"}), ({"contiguous": False}, {"Contiguous": "0"}), ({"admin_comment": "y"}, {"AdminComment": "y"}),
    ({"minimum_nodes": 2}, {"NumNodes": "2"}), ({"priority": 7, "hold": True}, {"Priority": "7"})])
def test_changes_of_a_job_are_keys_of_scontrol(fields: dict[str, Any], changes: dict[str, str]) -> None:
    assert description.changes(fields) == changes


@pytest.mark.parametrize("fields", [{"script": SCRIPT}, {"environment": ["A=1"]}, {"array": "1-3"}, {"open_mode": ["APPEND"]}, {"hetjob_group": 1}, {"allocation_node_list": "x"}])
def test_what_cannot_be_changed_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        description.changes(fields)
