"""Scripts around a step and its tasks: TaskProlog, TaskEpilog, SrunProlog, SrunEpilog and srun's options for them; and the health check of nodes."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import Cluster

PROLOG = """echo "export FROM=the prolog of $SLURM_PROCID"
echo "unset GONE"
echo "print hello from $SLURM_SCRIPT_CONTEXT $SLURM_PROCID"
echo "this is no order"
exit ${PROLOG_STATUS:-0}
"""
EPILOG = """echo "nobody reads this"
echo "complaint of $SLURM_SCRIPT_CONTEXT $SLURM_PROCID" >&2
touch FOLDER/epilog.$SLURM_JOB_ID.$SLURM_PROCID
exit ${EPILOG_STATUS:-0}
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts lie, for everybody to read."""
    folder: Path = tmp_path_factory.mktemp("scripts")
    for name, text in (("prolog", PROLOG), ("epilog", EPILOG), ("around", "echo $SLURM_SCRIPT_CONTEXT $SLURM_JOB_ID.$SLURM_STEP_ID >>FOLDER/around.log"),
                       ("slow", "sleep 300"), ("health", "touch FOLDER/healthy.$SLURMD_NODENAME; scontrol show node $SLURMD_NODENAME >FOLDER/shown; exit 1")):
        (folder / name).write_text("#!/bin/sh\n" + text.replace("FOLDER", str(folder)))
        (folder / name).chmod(0o755)
    folder.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("tasks") / "c", "--nodes", "2", "--cpus", "4")
    cluster.up()
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + f"TaskProlog={scripts}/prolog\nTaskEpilog={scripts}/epilog\nSrunProlog={scripts}/around\nSrunEpilog={scripts}/around\n"
                    f"HealthCheckProgram={scripts}/health\nHealthCheckInterval=1\nHealthCheckNodeState=IDLE\n")
    cluster.ok("scontrol", "reconfigure")
    yield cluster
    cluster.close()


def test_a_task_prolog_sets_and_clears_variables_and_prints_for_the_task(site: Cluster) -> None:
    result = site.run("srun", "-n2", "-l", "sh", "-c", "echo $FROM, ${GONE-gone}, ${SLURM_SCRIPT_CONTEXT-none}", env={"GONE": "there"})
    assert result.status == 0
    assert sorted(result.out.splitlines()) == sorted(
        line for rank in range(2) for line in (f"{rank}: hello from prolog_task {rank}", f"{rank}: the prolog of {rank}, gone, none"))
    assert sorted(line for line in result.err.splitlines() if "complaint" in line) == [f"{rank}: complaint of epilog_task {rank}" for rank in range(2)]


def test_a_failing_task_prolog_ends_the_task_with_its_status_before_the_program_is_run(site: Cluster) -> None:
    result = site.run("srun", "echo", "ran", env={"PROLOG_STATUS": "5"})
    assert result.status == 5
    assert result.out == "hello from prolog_task 0\n"
    assert "error: TaskProlog failed status=5" in result.err and "complaint of epilog_task" in result.err


def test_a_batch_script_has_both_too_and_an_epilog_that_fails_is_told_in_its_error_file(site: Cluster) -> None:
    _, status = site.finish("-o", "batch.out", "--export=ALL,EPILOG_STATUS=3", "--wrap", "echo $FROM; exit 2")
    assert status == 2
    assert site.output("batch.out").splitlines()[:3] == ["hello from prolog_task 0", "the prolog of 0", "complaint of epilog_task 0"]
    assert "error: --task-epilog failed status=768" in site.output("batch.out")


def test_an_epilog_runs_for_a_step_that_is_cancelled(site: Cluster, scripts: Path) -> None:
    job = site.sbatch("-o", "cancelled.out", "--wrap", "echo ready; sleep 300")
    site.until(lambda: (site.work / "cancelled.out").exists() and "ready" in site.output("cancelled.out"), why="it did not start")
    site.ok("scancel", job)
    site.until_ended(job)
    assert (scripts / f"epilog.{job}.0").exists()


def test_an_epilog_that_is_not_short_lived_is_ended_with_what_it_started(site: Cluster, scripts: Path) -> None:
    result = site.run("srun", f"--task-epilog={scripts}/slow", "true", timeout=30)
    assert result.status == 0


def test_srun_runs_its_own_scripts_around_a_step_and_the_options_take_their_place(site: Cluster, scripts: Path) -> None:
    site.ok("srun", "true")
    context = [line.split() for line in (scripts / "around.log").read_text().splitlines()][-2:]
    assert [word for word, _ in context] == ["prolog_srun", "epilog_srun"] and context[0][1] == context[1][1]
    before = (scripts / "around.log").read_text()
    refused = site.run("srun", "--prolog=/bin/false", "--epilog=none", "touch", "never")
    assert refused.status == 1 and not (site.work / "never").exists()
    assert "srun: error: srun prolog failed rc = 1. Aborting step." in refused.err
    told = site.run("srun", "--prolog=none", "--epilog=/bin/false", "true")
    assert (told.status, "srun: error: srun epilog failed status=1" in told.err) == (0, True)
    assert (scripts / "around.log").read_text() == before


def test_a_user_adds_scripts_of_his_own_after_the_sites(site: Cluster) -> None:
    site.script("mine", "#!/bin/sh\necho \"print FROM is $FROM\"\necho export FROM=me\n")
    result = site.run("srun", "--task-prolog=./mine", "sh", "-c", "echo $FROM")
    assert result.out.splitlines() == ["hello from prolog_task 0", "FROM is the prolog of 0", "me"]


def test_the_health_check_is_run_on_nodes_in_the_states_that_were_chosen_and_finds_the_commands(site: Cluster, scripts: Path) -> None:
    site.until(lambda: all((scripts / f"healthy.cn0{number}").exists() for number in (1, 2)), why="the program was not run")
    site.until(lambda: "NodeName=cn0" in (scripts / "shown").read_text(), why="scontrol was not found")
    job = site.sbatch("-w", "cn01", "--exclusive", "--wrap", "sleep 300")
    site.until_state(job, "RUNNING")
    (scripts / "healthy.cn02").unlink()
    (scripts / "healthy.cn01").unlink(missing_ok=True)
    site.until(lambda: (scripts / "healthy.cn02").exists(), why="an idle node is looked at again")
    (scripts / "healthy.cn02").unlink()
    (scripts / "healthy.cn01").unlink(missing_ok=True)
    site.until(lambda: (scripts / "healthy.cn02").exists(), why="an idle node is looked at again")
    assert not (scripts / "healthy.cn01").exists()
    assert "health_check failed: rc:1" in (site.folder / "log" / "slurmd-cn02.log").read_text()
    site.ok("scancel", job)


def test_the_gpu_health_check_drains_a_node_with_broken_gpus_and_resumes_it_when_they_are_well(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4", "--gpus", "h100:2")
    cluster.up()
    program = str(Path(__file__).parents[2] / "examples" / "gpu_health_check")
    cluster.script("nvidia-smi", "#!/bin/sh\ncat answers\n")

    def check(*answers: str) -> tuple[int, str]:
        (cluster.work / "answers").write_text("".join(f"{line}\n" for line in answers))
        result = cluster.run(program, env={"SLURMD_NODENAME": "cn01", "NVIDIA_SMI": "./nvidia-smi"})
        return result.status, cluster.ok("sinfo", "-h", "-o", "%T %E").strip()

    assert check("0, 0", "1, [N/A]") == (0, "idle none")
    assert check("0, 0") == (1, "drained GPU health: 1 of 2 GPUs answer")
    assert check("0, 0", "1, 3")[0] == 1
    assert check("0, 0", "1, 0") == (0, "idle none")
    cluster.ok("scontrol", "update", "nodename=cn01", "state=drain", "reason=mine")
    assert check("0, 0", "1, 0") == (0, "drained mine")


def test_what_the_site_says_of_failing_tasks_waiting_and_limits_holds_unless_srun_says_otherwise(fresh: Callable[..., Cluster]) -> None:
    cluster = fresh("--nodes", "1", "--cpus", "4")
    cluster.up()
    conf = cluster.folder / "slurm.conf"
    conf.write_text(conf.read_text() + "KillOnBadExit=1\nWaitTime=1\nPropagateResourceLimitsExcept=NOFILE\nLaunchParameters=use_interactive_step\n"
                    "InteractiveStepOptions=\"--interactive --preserve-env $SHELL\"\n")
    cluster.ok("scontrol", "reconfigure")
    failing = cluster.run("srun", "-n2", "sh", "-c", "[ $SLURM_PROCID = 0 ] && exit 3; sleep 60")
    assert failing.status != 0 and "Terminating StepId=" in failing.err
    waiting = cluster.run("srun", "-n2", "-K0", "sh", "-c", "[ $SLURM_PROCID = 0 ] && exit 0; sleep 60")
    assert "First task exited 1s ago" in waiting.err
    limits = 'bash -c "ulimit -Sn 200; ulimit -Sc 0; srun bash -c \'ulimit -Sn; ulimit -Sc\'; srun --propagate=NOFILE bash -c \'ulimit -Sn\'"'
    own, core, asked = cluster.ok("bash", "-c", limits).split()
    assert (own != "200", core, asked) == (True, "0", "200")
    shell = cluster.run("salloc", "-Q", stdin="echo step $SLURM_STEP_ID on $SLURMD_NODENAME\nsrun -n1 echo beside it\n", env={"SHELL": "/bin/sh"})
    assert shell.out.splitlines() == ["step -6 on cn01", "beside it"]
