"""What of the concept page needs several nodes, on four of ours and on four of Debian's real Slurm: its job scripts, and its task of eight ranks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.real_slurm import RealSlurm
from bench.real_slurm import missing as no_real_slurm
from slurm import Cluster, task
from tests.system import login_node
from tests.system.harness import Cluster as Embedded
from tests.system.login_node import LoginNode

PAGE = (Path(__file__).parent / "sdk_samples.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SECONDS = 90.0
SAYS = "#!/bin/sh\necho {name} $SLURMD_NODENAME $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $OMP_NUM_THREADS >> said\n"
PROGRAMS = ("preprocess.sh", "train.sh", "evaluate.sh", "task_a.sh", "task_b.sh", "mpi_program", "threaded_program")


class Side(NamedTuple):
    """A shell on a cluster of four nodes: its environment, the folder that it stands in, and how the SDK gets there."""

    environment: dict[str, str]
    folder: Path
    how: dict[str, Any]

    def run(self, *words: str) -> str:
        """What a command prints."""
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done
        return done.stdout.strip()

    def said(self) -> list[list[str]]:
        """What the programs have said, a list of words a line."""
        return [line.split() for line in (self.folder / "said").read_text().splitlines()]

    def finish(self, script: str) -> Path:
        """Submit a script and wait for its end; the file with its output."""
        (self.folder / "job.sh").write_text(script)
        (self.folder / "said").write_text("")
        job = self.run("sbatch", "--parsable", "--wait", "job.sh")
        return self.folder / f"slurm-{job}.out"


@pytest.fixture(scope="module", params=["slurm-py", "real Slurm"])
def side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """Four nodes of each kind."""
    folder = tmp_path_factory.mktemp("page")
    python = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    source = str(Path(__file__).resolve().parents[2] / "src")
    if request.param == "slurm-py":
        daemons = Embedded(folder / "c", "--nodes", "4", "--cpus", "32", "--memory", "64G", "--gpus", "h100:4")
        start, stop = [daemons.up], [daemons.close]
        environment = {**daemons.environment, "PATH": f"{daemons.environment['PATH'].split(os.pathsep)[0]}{os.pathsep}{python}"}
        how: dict[str, Any] = {"backend_type": "local"}
    else:
        missing = login_node.missing() or no_real_slurm()
        if missing:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
        real, node = RealSlurm(nodes=4), LoginNode(folder / "login")
        start, stop = [real.start, node.start], [node.stop, real.stop]
        environment = {**real.environment, "PATH": f"/usr/bin{os.pathsep}{python}", "PYTHONPATH": source}
        how = {"backend_type": "ssh", "hostname": "127.0.0.1", "port": node.port, "key_filename": f"{node.folder}/key",
               "known_hosts": node.folder / "known_hosts", "env": {"SLURM_CONF": f"{real.folder}/slurm.conf"}}
    work = folder / "work"
    work.mkdir()
    for name in PROGRAMS:
        (work / name).write_text(SAYS.format(name=name))
        (work / name).chmod(0o755)
    (work / "training.py").write_text("from slurm import task\n@task(time='00:10:00')\ndef train(lr):\n    return {'accuracy': 0.95, 'lr': lr}\n")
    try:
        for each in start:
            each()
        yield Side(environment, work, {**how, "job_base_dir": str(folder / "jobs")})
    finally:
        for each in stop:
            each()


def test_five_steps_of_one_job_run_after_and_beside_each_other(side: Side) -> None:
    (script,) = [script for script in SCRIPTS if "preprocess.sh" in script]
    output = side.finish(script)
    said = side.said()
    assert Counter(words[0] for words in said) == {"preprocess.sh": 1, "train.sh": 4, "evaluate.sh": 1, "task_a.sh": 2, "task_b.sh": 2}, output.read_text()
    assert [words[0] for words in said[:6]] == ["preprocess.sh", *["train.sh"] * 4, "evaluate.sh"]
    assert len({words[1] for words in said if words[0] == "train.sh"}) == 4


def test_srun_launches_eight_tasks_across_two_nodes(side: Side) -> None:
    (script,) = [script for script in SCRIPTS if "./mpi_program" in script]
    (side.folder / "said").write_text("")
    side.run("bash", "-c", script)
    said = side.said()
    assert sorted(int(words[2]) for words in said) == list(range(8))
    assert len({words[1] for words in said}) == 2
    assert {words[4] for words in said} == {"0", "1"}


def test_each_of_two_tasks_has_eight_cpus_for_its_threads(side: Side) -> None:
    (script,) = [script for script in SCRIPTS if "threaded_program" in script]
    output = side.finish(f"#!/bin/bash\n{script}")
    assert [(words[0], words[5]) for words in side.said()] == [("threaded_program", "8")] * 2, output.read_text()


def test_the_runner_is_called_by_hand(side: Side) -> None:
    (script,) = [script for script in SCRIPTS if "slurm.runner" in script]
    assert side.finish(script).read_text() == '{"accuracy": 0.95, "lr": 0.001}\n'


def test_a_task_of_eight_ranks_returns_what_each_has_made(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    (sample,) = [sample for sample in SAMPLES if "def distributed_train" in sample]
    for name in ("XDG_STATE_HOME", "SLURM_PY_INSTANCE", "PATH"):
        monkeypatch.setenv(name, side.environment.get(name, ""))
    names: dict[str, Any] = {"task": task}
    exec(compile(sample, "sample", "exec"), names)
    with Cluster(**side.how) as cluster:
        job = names["distributed_train"]({})
        assert job.result(SECONDS) == {"model": "trained"}
        assert job.rank_results() == [{"model": "trained"}] * 8
    cluster.close()
