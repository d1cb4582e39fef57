"""The examples without a cluster: scripts are valid bash, their programs train, stop for a checkpoint, and report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from slurm.model.request import JobRequest
from slurm.options.resolve import resolve

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted([*EXAMPLES.glob("*.slurm"), *EXAMPLES.glob("*.sh")])


def _python(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_each_script_is_valid_bash_with_its_directives_on_top(script: Path) -> None:
    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert not [line for line in lines[first_command:] if line.startswith("#SBATCH")]


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.slurm")), ids=lambda path: path.name)
def test_each_script_asks_only_for_what_is_carried_out(script: Path) -> None:
    resolved = resolve("sbatch", [], {}, script=script.read_text(encoding="utf-8"), script_name=script.name)
    assert resolved.notes == []
    assert msgspec.convert(resolved.request, JobRequest).stdout


def test_the_sweep_asks_for_what_the_sweep_of_the_manual_asks_for() -> None:
    resolved = resolve("sbatch", [], {}, script=(EXAMPLES / "sweep.slurm").read_text(encoding="utf-8"))
    wanted = msgspec.convert(resolved.request, JobRequest)
    assert (wanted.array, wanted.partition, wanted.gres, wanted.cpus_per_task) == ("1-20%4", "gpu", "gpu:h100:1", 8)


def test_a_training_leaves_its_metrics_and_the_report_compares_it_with_the_users(tmp_path: Path) -> None:
    trained = _python("train_model.py", "--learning-rate", "0.01", "--epochs", "3", "--output-dir", "runs/1", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    metrics = json.loads((tmp_path / "runs/1/metrics.json").read_text(encoding="utf-8"))
    assert metrics["validation_factor"] < 3.0
    report = _python("report.py", "runs", "--expect", "1", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    errors = [float(line.split()[-1]) for line in report.stdout.splitlines()[-3:]]
    assert errors[2] < errors[1] < errors[0]


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert _python("train_model.py", "--epochs", "1", "--output-dir", folder, cwd=tmp_path).returncode == 0
    first, second = (json.loads((tmp_path / folder / "metrics.json").read_text(encoding="utf-8")) for folder in ("a", "b"))
    assert first["validation_factor"] == second["validation_factor"]


def test_a_report_on_nothing_says_so(tmp_path: Path) -> None:
    report = _python("report.py", ".", cwd=tmp_path)
    assert report.returncode == 1
    assert report.stderr == "report: no metrics.json below .: run the sweep first\n"


def test_usr1_leaves_a_checkpoint_that_the_next_run_goes_on_from(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "train_model.py"), "--output-dir", "run"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*command, "--epochs", "100000"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as training:
        assert training.stdout is not None
        assert training.stdout.readline().startswith("epoch 1/")
        training.send_signal(10)
        rest = training.stdout.read()
    assert training.returncode == 0
    reached = int(rest.splitlines()[-1].split("epoch ")[1].split()[0])
    resumed = _python("train_model.py", "--output-dir", "run", "--epochs", str(reached + 1), cwd=tmp_path)
    assert resumed.stdout.startswith(f"going on from run/checkpoint.npz after epoch {reached}\n")
    assert not (tmp_path / "run/checkpoint.npz").exists()


def test_four_tasks_train_one_model_together(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "train_distributed.py"), "--epochs", "1", "--output-dir", "run"]
    shared = {**os.environ, "SLURM_NTASKS": "4", "MASTER_ADDR": "no-such-node", "MASTER_PORT": str(20000 + os.getpid() % 10000)}
    tasks = [subprocess.Popen(command, cwd=tmp_path, env={**shared, "SLURM_PROCID": str(rank)}) for rank in range(4)]
    assert [task.wait(timeout=60) for task in tasks] == [0, 0, 0, 0]
    assert json.loads((tmp_path / "run/metrics.json").read_text(encoding="utf-8"))["tasks"] == 4
