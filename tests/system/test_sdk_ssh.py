"""The SDK over a real sshd, on Debian's real Slurm and on our embedded cluster: the same tests on both."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench import real_slurm
from slurm.commands.top.cluster_source import ClusterSource
from slurm.mcp.tools import Tools
from slurm.sdk import errors
from slurm.sdk.callbacks.logger import LoggerCallback
from slurm.sdk.callbacks.workflows import BenchmarkCallback
from slurm.sdk.cluster import Cluster
from slurm.sdk.decorators import task
from slurm.sdk.errors import JobCancelled, LoginRefused, PackagingError, SubmissionError, TaskFailed
from slurm.sdk.executor import Executor
from tests.system import flowers, login_node, remote_tasks
from tests.system.harness import Cluster as Embedded
from tests.system.login_node import LoginNode
from tests.system.remote_tasks import SECONDS, add, dies_once, double, fails, measures, rank, same, sleeps, speaks, sums, total, train_model


class Side(NamedTuple):
    """A login node with a Slurm behind it."""

    node: LoginNode
    folder: Path
    variables: dict[str, str]

    def cluster(self, **changes: object) -> Cluster:
        """A cluster that logs in with the right key."""
        given = {
            "hostname": "127.0.0.1", "port": self.node.port, "key_filename": str(self.node.folder / "key"), "allow_agent": False,
            "known_hosts": self.node.folder / "known_hosts", "job_base_dir": str(self.folder / "jobs"), "env": self.variables,
            "time": "00:05:00", "mem": "150M", "retry_delay": 0.1, **changes}
        return Cluster("ssh", **given)


def _require(missing: str) -> None:
    if missing:
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="module", params=["real Slurm", "slurm-py"])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """A login node of each kind."""
    _require(login_node.missing())
    folder = tmp_path_factory.mktemp("ssh")
    if request.param == "real Slurm":
        _require(real_slurm.missing())
        real = real_slurm.RealSlurm()
        start, stop, variables = real.start, real.stop, {"SLURM_CONF": f"{real.folder}/slurm.conf"}
    else:
        embedded = Embedded(folder / "c", "--nodes", "2", "--cpus", "16", "--memory", "64G", "--gpus", "h100:2")
        start, stop = embedded.up, embedded.close
        variables = {name: embedded.environment[name] for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PYTHONPATH", "PATH")}
    node = LoginNode(folder / "login")
    try:
        start()
        node.start()
        yield Side(node, folder, variables)
    finally:
        node.stop()
        stop()


@pytest.fixture
def cluster(side: Side) -> Iterator[Cluster]:
    """The active cluster of a test."""
    with side.cluster() as found:
        yield found
    found.close()


def test_a_call_comes_back_with_its_value(cluster: Cluster) -> None:
    job = add(1, 2)
    assert job.id.isdigit()
    assert job.result(SECONDS) == 3


def test_what_a_task_prints_is_read_from_there(cluster: Cluster) -> None:
    job = speaks()
    assert job.result(SECONDS) == job.id
    assert job.stdout() == "said on the node\n"


def test_a_job_runs_in_its_own_folder_and_its_files_are_fetched(cluster: Cluster, tmp_path: Path) -> None:
    job = remote_tasks.writes.with_options(output="own-%j.txt")("note.txt")
    assert job.result(SECONDS) == job.target_job_dir
    assert job.download("note.txt", tmp_path) == tmp_path / "note.txt" and (tmp_path / "note.txt").read_text() == "note.txt"
    with pytest.raises(FileNotFoundError):
        job.download("none.txt", tmp_path)
    assert job.stdout_path == f"{job.target_job_dir}/own-{job.id}.txt" and job.stdout() == ""


def test_an_array_comes_back_in_order_and_its_results_go_into_another_job(cluster: Cluster) -> None:
    doubled = double.map(range(12))
    summed = total(doubled)
    assert doubled.results(SECONDS) == [2 * number for number in range(12)]
    assert summed.result(SECONDS) == 132


def test_what_a_task_raises_is_raised_here_with_its_traceback(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="no good") as raised:
        fails("no good").result(SECONDS)
    assert "in fails" in str(raised.value.__cause__)


def test_a_closure_travels(cluster: Cluster) -> None:
    offset = 40
    job = task(lambda number: number + offset, job_name="closure")(2)
    assert job.result(SECONDS) == 42


def test_a_program_that_dies_is_a_failed_task(cluster: Cluster) -> None:
    job = task(lambda: os._exit(3), job_name="dies")()
    with pytest.raises(TaskFailed, match=f"Job {job.id} did not succeed"):
        job.result(SECONDS)


def test_a_cancelled_job_says_so(cluster: Cluster) -> None:
    job = sleeps(300)
    deadline = time.monotonic() + SECONDS
    while not job.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job.cancel()
    with pytest.raises(JobCancelled):
        job.result(SECONDS)


def test_one_scancel_ends_a_whole_array(cluster: Cluster) -> None:
    array = sleeps.map([300.0] * 4)
    assert array.cancel()
    assert not array.wait(SECONDS)
    assert array.status() == {"CANCELLED": 4}


def test_a_workflow_submits_from_its_job(cluster: Cluster) -> None:
    assert sums().result(SECONDS) == 5


def test_callbacks_travel_and_a_workflow_shows_its_children(side: Side, capsys: pytest.CaptureFixture[str]) -> None:
    measured = BenchmarkCallback()
    with side.cluster(callbacks=[measured, LoggerCallback()]) as found:
        job = sums()
        assert job.result(SECONDS, progress=True) == 5
        metrics = measured.get_workflow_metrics(job.id)
        assert metrics is not None and metrics["completed_count"] == metrics["child_count"] == 2
        assert f"workflow {job.id} (sums) begins" in job.stderr()
        found.close()
    shown = [line.split(" ended ")[0] for line in capsys.readouterr().err.splitlines() if " ended (" in line]
    assert {f"sums {job.id}: 1/1", "  add: 1/1", "  double: 1/1"} <= set(shown), shown


def test_a_job_that_died_is_tried_again_there_and_what_waits_for_it_follows(side: Side, cluster: Cluster) -> None:
    job = dies_once(str(side.folder / "died"))
    dependent = same([job])
    (side.folder / "died before").mkdir(exist_ok=True)
    array = dies_once.map([str(side.folder / "died before"), str(side.folder / "dies")])
    assert dependent.result(SECONDS) == ["done"]
    assert (len(job.attempts), len(dependent.attempts)) == (2, 2)
    assert list(job.logs()) == ["at work", "at work"]
    assert array.results(SECONDS) == ["done", "done"] and [len(one.attempts) for one in array] == [1, 2]
    assert array[1].stdout() == "at work\nat work\n"


def test_results_are_cached_there_and_old_folders_are_removed_there(side: Side) -> None:
    log = str(side.folder / "measured")
    with side.cluster(job_base_dir=str(side.folder / "kept")) as cluster:
        assert measures(3, log).result(SECONDS) == 9
        array = measures.map([(3, log), (4, log)])
        assert array.results(SECONDS) == [9, 16] and [job.cached for job in array] == [True, False]
        assert os.path.getsize(log) == 2
        running = sleeps(600.0)
        planned = cluster.cleanup(older_than=0, dry_run=True)
        done = cluster.cleanup(older_than=0)
        assert done.removed == planned.removed and [one.kind for one in done.removed] == ["job", "job"] and done.kept >= 1
        assert os.path.exists(running.target_job_dir) and not os.path.exists(array.array_dir)
        assert measures(4, log).cached
        running.cancel()
    cluster.close()


def test_every_rank_of_a_job_with_several_tasks_answers(cluster: Cluster) -> None:
    job = rank.with_options(ntasks=2)()
    assert job.result(SECONDS) == (0, 2)
    assert job.rank_results() == [(0, 2), (1, 2)]


def test_functions_of_the_library_run_as_futures(cluster: Cluster) -> None:
    with Executor(cluster) as executor:
        assert list(executor.map(pow, [2, 3], [5, 5], timeout=SECONDS)) == [32, 243]


def test_a_slurmfile_names_a_login_node(side: Side, tmp_path: Path) -> None:
    file = tmp_path / "Slurmfile.toml"
    file.write_text(
        f'[default.cluster]\nbackend = "ssh"\njob_base_dir = "{side.folder}/named"\n[default.submit]\nmem = "50M"\n[default.cluster.backend_config]\n'
        f'hostname = "127.0.0.1"\nport = {side.node.port}\nkey_filename = "{side.node.folder}/key"\nknown_hosts = "{side.node.folder}/known_hosts"\n'
        f'[default.cluster.backend_config.env]\n' + "".join(f'{name} = "{value}"\n' for name, value in side.variables.items()))
    with Cluster.from_env(file) as cluster:
        assert double(3).result(SECONDS) == 6
    cluster.close()


def test_what_sbatch_refuses_is_told(cluster: Cluster) -> None:
    with pytest.raises(SubmissionError, match="(?i)partition"):
        double.with_options(partition="nowhere")(1)


def test_a_job_is_waited_for_across_a_cut_connection(side: Side, cluster: Cluster) -> None:
    job = sleeps(2.0)
    cutter = threading.Timer(0.5, side.node.cut)
    cutter.start()
    assert job.result(SECONDS) == 2.0
    cutter.join()


def test_a_login_node_that_goes_away_and_comes_back_is_waited_for(side: Side, cluster: Cluster) -> None:
    job = sleeps(1.0)
    side.node.stop()
    back = threading.Timer(3.0, side.node.start)
    back.start()
    assert job.wait(SECONDS)
    assert job.result(SECONDS) == 1.0
    back.join()


def test_nothing_is_submitted_twice_when_the_connection_is_cut_meanwhile(side: Side) -> None:
    with side.cluster(job_base_dir=str(side.folder / "once"), connection_attempts=8) as cluster:
        once = double.with_options(job_name="once")
        once(0).result(SECONDS)
        cluster.reconnect()
        began = time.monotonic()
        cluster.backend.say("true")  # type: ignore[attr-defined]
        # A login and a command must fit between two cuts, on a busy machine too; a submission, which is several, does not.
        pause = max(0.15, 2 * (time.monotonic() - began))
        stop = threading.Event()

        def cut() -> None:
            while not stop.wait(pause):
                side.node.cut()

        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            jobs = {}
            for number in range(6):
                try:
                    jobs[number] = once(number)
                except SubmissionError:
                    continue  # cut too often to go on: it says so
        finally:
            stop.set()
            cutter.join()
        assert all(job.result(SECONDS) == 2 * number for number, job in jobs.items())
        said = [path.read_text().strip() for path in (side.folder / "once").glob("once/*/*.sbatch/out")]
        queued = cluster.backend.say("squeue -h -t all -n once -o %i").split()  # type: ignore[attr-defined]
        assert sorted(queued) == sorted(said)
        assert jobs and {job.id for job in jobs.values()} <= set(said)
    cluster.close()


def test_the_samples_of_the_concept_page_run_unchanged_but_for_the_cluster(side: Side) -> None:
    page = (Path(__file__).parent / "sdk_samples.md").read_text(encoding="utf-8")
    samples = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)

    def behind_ssh(backend_type: str, hostname: str, **options: Any) -> Cluster:
        return side.cluster(mem=None, **options)

    names: dict[str, Any] = {"task": task, "Cluster": behind_ssh, "train_model": train_model, "model_config": {"lr": 0.1}, "metrics": ["loss"],
                             "preprocess": same, "evaluate": same, "data": [1, 2]}
    with side.cluster() as cluster:
        for sample in samples:
            if "train_model.after" in sample:
                names["train_model"] = train_model  # a sample before has put one in its place that takes a GPU
            exec(compile(sample, "sample", "exec"), names)
        assert names["job3"].result(SECONDS) == {"model": "imagenet"}
        assert names["train_job"].result(SECONDS) == {"model": {"lr": 0.1}}
        assert names["eval_job"].result(SECONDS) == ["loss"]
        assert names["array_job"].results(SECONDS) == [{"chunk": number, "processed": True} for number in range(10)]
        assert names["process_data"].with_options(mem="1G")("in.csv").result(SECONDS) == {"result": "processed"}
    cluster.close()
    job = names["job"]
    assert job.sbatch_options["partition"] == "gpu"
    assert job.result(SECONDS) == {"accuracy": 0.95}
    for one in (names["cluster"], job.cluster):
        one.close()


def test_a_login_node_with_another_key_than_known_is_refused_and_told_apart(side: Side) -> None:
    with side.cluster(known_hosts=side.node.known_hosts("wrong", "other_host_key")), pytest.raises(LoginRefused, match="HAS CHANGED.*ssh-keygen -R"):
        double(1)


def test_an_unknown_login_node_is_refused_until_it_is_made_known(side: Side) -> None:
    unknown = side.node.folder / "unknown_hosts"
    with side.cluster(known_hosts=unknown), pytest.raises(LoginRefused, match="is unknown.*ssh-keyscan"):
        double(1)
    with side.cluster(known_hosts=unknown, host_key_policy="auto") as found:
        assert double(4).result(SECONDS) == 8
    found.close()
    assert unknown.read_text().startswith(f"[127.0.0.1]:{side.node.port} ssh-ed25519 ")


def test_a_key_that_is_not_authorized_is_refused_within_seconds(side: Side) -> None:
    began = time.monotonic()
    with side.cluster(key_filename=str(side.node.folder / "other_key")), pytest.raises(LoginRefused, match="does not let you in.*key_filename"):
        double(1)
    assert time.monotonic() - began < 5


def test_the_agent_lets_in_alone_and_beside_a_key_that_only_it_can_open(side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encrypted = tmp_path / "key"
    shutil.copy(side.node.folder / "key", encrypted)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "hidden", "-f", encrypted], check=True, stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while subprocess.run(["ssh-add", "-q", side.node.folder / "key"], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for words in ({"key_filename": None, "look_for_keys": False}, {"key_filename": str(encrypted)}):
            with side.cluster(allow_agent=True, **words) as found:
                assert found.backend.present(["/etc/passwd", "/nowhere"]) == {"/etc/passwd"}
            found.close()
    finally:
        agent.kill()
        agent.wait()
    with side.cluster(key_filename=None, look_for_keys=False) as found, pytest.raises(LoginRefused, match="Tried: nothing"):
        found.backend.present(["/etc/passwd"])
    found.close()


def test_a_job_that_the_queue_has_forgotten_is_known_by_its_files(side: Side, cluster: Cluster) -> None:
    job = double(21)
    assert job.result(SECONDS) == 42
    gone = type(job)("999999", cluster, job.files)
    assert gone.result(SECONDS) == 42
    lost = type(job)("999998", cluster, job.files.element(7))
    with pytest.raises(errors.ResultUnreadable, match="no longer remembers"):
        lost.result(SECONDS)


def test_a_wheel_travels_with_a_wheel_that_it_needs_and_is_installed_there_once(side: Side, tmp_path: Path) -> None:
    root = flowers.project(tmp_path)
    with pytest.MonkeyPatch.context() as patch, side.cluster(
            env={**side.variables, "PIP_NO_INDEX": "1"}, mem="200M", default_packaging_dependencies=["../wheels/petals-1.0-py3-none-any.whl"]) as cluster:
        patch.chdir(root)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        patch.syspath_prepend(str(root / "src"))
        garden = importlib.import_module("flowers")
        array, flow = garden.count.map(range(4)), garden.garden()
        results = array.results(SECONDS)
        [prefix] = {prefix for _, prefix in results}
        assert [value for value, _ in results] == [0, 5, 10, 15] and prefix.startswith(f"{cluster.job_base_dir}/.code/venv-")
        assert {found for found, _ in flow.result(SECONDS)} == {prefix}
        with pytest.raises(PackagingError, match="No matching distribution found for thorns"):
            garden.count.with_options(packaging_dependencies=["thorns"], packaging_install="submit")(1)
        sys.modules.pop("flowers")


def test_with_none_the_python_there_has_to_have_slurm_py(side: Side, cluster: Cluster) -> None:
    job = double.with_options(packaging="none")(1)
    if "PYTHONPATH" in side.variables:
        with pytest.raises(ModuleNotFoundError, match="tests"):
            job.result(SECONDS)
        return
    with pytest.raises(TaskFailed, match="slurm.runner|No module named"):
        job.result(SECONDS)


def test_tools_for_agents_and_the_screen_work_over_ssh(cluster: Cluster) -> None:
    tools = Tools(lambda: cluster)
    job = tools.submit_command("echo hello; exit 3", {"time": "00:05:00", "mem": "50M"}).job_id
    [end] = tools.wait_for_jobs([job], SECONDS).jobs
    assert (end.state, end.exit_code) == ("FAILED", "3:0")
    assert tools.job_output(job).text == "hello\n"
    assert not tools.validate_script("#!/bin/sh\n#SBATCH -n 100000\n").valid
    assert tools.validate_script("#!/bin/sh\n#SBATCH --mem=50M\n").message.startswith("Job ")
    source = ClusterSource(cluster.backend, "hpc", 1.0)
    waiting = tools.submit_command("true", {"begin": "now+1hour", "mem": "50M"}).job_id
    assert source.hold(waiting).startswith(f"job {waiting} is held")
    assert [row.state for row in source.snapshot().jobs if row.id == waiting] == ["PENDING"]
    assert source.cancel(waiting) == f"job {waiting} is cancelled"
    assert source.log(source.job(job).stdout, -1).text == "hello\n"
