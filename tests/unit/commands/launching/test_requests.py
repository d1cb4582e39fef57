"""From options to the job and the step that are asked for."""

from pathlib import Path

import pytest

from slurm.commands.launching.requests import fit_nodes, fit_tasks_per_node, of_job, of_step
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

IN_JOB = {"SLURM_JOB_ID": "12", "SLURM_NNODES": "2", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "batch"}


def srun(*words: str, environ: dict[str, str] | None = None) -> Resolved:
    return resolve("srun", words, environ or {})


def test_a_job_of_srun_is_an_allocation_named_after_its_program() -> None:
    request = of_job(srun("-n2", "-o", "x", "--mem=1G", "/bin/hostname"), ["-n2"], {}, "hostname")
    assert (request["kind"], request["name"], request["ntasks"], request["mem_per_node"]) == ("alloc", "hostname", 2, 1024)
    assert "stdout" not in request


def test_a_step_of_an_own_job_asks_for_all_its_nodes_and_for_nothing_twice() -> None:
    request = of_step(srun("-n4", "-N2-3", "--mem=1G", "-w", "cn01", "-t5", "hostname"), [], nodes=3)
    assert (request["nodes_min"], request["nodes_max"], request["ntasks"], request["name"]) == (3, 3, 4, "hostname")
    assert not {"mem_per_node", "nodelist", "time_limit"} & request.keys()


def test_a_step_inside_a_job_takes_what_the_job_says_of_its_size() -> None:
    request = of_step(srun("./prog", environ=IN_JOB), ["./prog"])
    assert (request["nodes_min"], request["ntasks"], request["name"], request["submit_line"]) == (2, 4, "prog", "srun ./prog")


def test_hosts_of_a_step_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("cn01\ncn02 # the fast one\n")
    for words in (["--nodefile", f"{tmp_path}/hosts"], ["-w", f"{tmp_path}/hosts"]):
        assert of_step(srun(*words, "./prog", environ=IN_JOB), [])["nodelist"] == "cn01,cn02"


def test_a_step_that_wants_only_its_own_cpus_says_so() -> None:
    assert of_step(srun("--exact", "-n1", "./prog", environ=IN_JOB), [])["exact"] is True
    assert of_step(srun("-n1", "./prog", environ={**IN_JOB, "SLURM_EXACT": "1"}), [])["exact"] is True


def test_a_host_named_inside_a_job_is_the_whole_step() -> None:
    request = of_step(srun("-w", "cn02", "hostname", environ=IN_JOB), [])
    assert (request["nodes_min"], request["nodes_max"]) == (1, 1)
    assert of_step(srun("-N2", "-w", "cn02", "hostname", environ=IN_JOB), [])["nodes_min"] == 2


def test_no_node_is_asked_for_without_a_task() -> None:
    said: list[str] = []
    request: dict[str, object] = {"nodes_min": 2, "nodes_max": 2, "ntasks": 1}
    fit_nodes(request, said.append)
    assert request == {"nodes_min": 1, "nodes_max": 1, "ntasks": 1}
    assert said == ["Warning: can't run 1 processes on 2 nodes, setting nnodes to 1"]
    fit_nodes({"nodes_min": 2, "ntasks": 4}, said.append)
    fit_nodes({"nodes_min": 2}, said.append)
    assert len(said) == 1


@pytest.mark.parametrize(("tasks", "nodes", "each", "kept"), [
    (4, 1, 1, False), (5, 2, 1, False), (4, 2, 3, False), (3, 2, 1, True), (2, 2, 2, True), (2, 1, 4, True), (0, 2, 1, True)])
def test_tasks_per_node_that_contradict_the_tasks_are_left_out_with_a_word(tasks: int, nodes: int, each: int, kept: bool) -> None:
    said: list[str] = []
    request: dict[str, object] = {"ntasks": tasks, "nodes_min": nodes, "ntasks_per_node": each}
    fit_tasks_per_node(request, said.append)
    assert ("ntasks_per_node" in request, not said) == (kept, kept)


def test_a_file_of_hosts_that_is_not_there_ends_as_slurm_ends_it() -> None:
    with pytest.raises(OptionError, match="Invalid --nodefile node file") as caught:
        of_step(srun("-F", "/nosuch", "./prog", environ=IN_JOB), [])
    assert caught.value.exit_code == 255
    assert list(caught.value.preface) == ["slurm_allocate_resources error opening file /nosuch, No such file or directory"]


def test_nodes_named_beyond_what_is_asked_for_are_left_out_with_a_word() -> None:
    said: list[str] = []
    request: dict[str, object] = {"nodes_min": 1, "nodes_max": 1, "nodelist": "cn[01-02]"}
    fit_nodes(request, said.append)
    assert request["nodelist"] == "cn01" and said[0].startswith("error: Required nodelist includes more nodes than permitted by max-node count (2 > 1)")
    request = {"nodelist": "cn[01-02]", "ntasks": 1}
    fit_nodes(request, said.append)
    assert request == {"nodelist": "cn01", "ntasks": 1, "nodes_min": 1, "nodes_max": 1}


def test_devices_of_a_steps_own_take_the_place_of_those_its_job_was_given() -> None:
    inside = {**IN_JOB, "SLURM_GPUS": "2", "SLURM_GPUS_PER_TASK": "1"}
    assert of_step(srun("prog", environ=inside), [])["gpus"] == "2"
    for word in ("--gres=none", "--gpus-per-node=1", "--gres=gpu:1"):
        assert not {"gpus", "gpus_per_task"} & of_step(srun(word, "prog", environ=inside), []).keys()
    assert of_step(srun("--gres=none", "prog", environ=inside), [])["gres"] == "none"


def test_only_the_export_of_sbatch_is_known_inside_the_job() -> None:
    assert "export_env" not in of_job(srun("--export=NONE", "hostname"), [], {}, "hostname")


def test_streams_may_be_named_by_the_old_variables() -> None:
    found = srun("hostname", environ={"SLURM_STDOUTMODE": "out", "SLURM_STDERRMODE": "err", "SLURM_STDINMODE": "in"}).request
    assert (found["stdout"], found["stderr"], found["stdin"]) == ("out", "err", "in")
