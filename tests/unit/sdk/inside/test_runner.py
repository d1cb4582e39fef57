"""The runner by hand, as the seed shows it, and what it makes of calls that cannot be made."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from slurm.sdk.calls.folder import JobFiles, pack_items
from slurm.sdk.calls.pickling import Call, Envelope, dumps, python_version
from slurm.sdk.calls.raised import read_error
from slurm.sdk.inside import runner
from slurm.sdk.inside.runner import keep

TRAINING = """
from __future__ import annotations
from slurm import JobContext, WorkflowContext, task, workflow

@task(time="00:10:00", mem="4G", partition="gpu")
def train(lr: float) -> dict:
    return {"accuracy": 0.95, "lr": lr}

@task
def placed(a, job: JobContext, b=2):
    return [a, b, job.job_id]

@workflow
def flow(n: int, ctx: WorkflowContext): ...
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner_sample_training.py").write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["train", "runner_sample_training.py:train", "runner_sample_training:train"])
def test_a_task_is_found_by_its_name_and_its_result_printed(project: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["--task", name, "--args", '{"lr": 0.001}'], {}) == 0
    assert capsys.readouterr().out == '{"accuracy": 0.95, "lr": 0.001}\n'


def test_a_task_gets_its_context_by_hand_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["--task", "placed", "--args", "[1, 3]"], {"SLURM_JOB_ID": "12"}) == 0
    assert capsys.readouterr().out == '[1, 3, "12"]\n'


def test_what_a_task_raises_itself_by_hand_keeps_its_traceback(project: Path) -> None:
    (project / "runner_sample_failing.py").write_text("def failing(a): return a + 'b'\n")
    with pytest.raises(TypeError, match="unsupported operand"):
        runner.main(["--task", "failing", "--args", "[1]"], {})


@pytest.mark.parametrize(("words", "said"), [
    (["--task", "tain"], "no *.py here defines it"),
    (["--task", "x.py:f"], "there is no file x.py"),
    (["--task", "runner_sample_training:trian"], "runner_sample_training has no function trian; did you mean train?"),
    (["--task", "runner_sample_training.py:train.x"], "runner_sample_training has no function train.x"),
    (["--task", "runner_sample_training:__name__"], "is no function but 'runner_sample_training'"),
    (["--task", "runner_sample_nowhere.deep:train"], "there is no module runner_sample_nowhere in this folder"),
    (["--task", "runner_sample_training:"], "names no function: say MODULE:FUNCTION"),
    (["--task", ":train"], "names no function: say MODULE:FUNCTION"),
    (["--task", "train", "--args", "{lr}"], "--args is no JSON"),
    (["--task", "train", "--args", "3"], "takes an object of keyword arguments or a list"),
    (["--task", "train", "--args", '{"wrong": 1}'], "--args does not fit train(lr: 'float') -> 'dict': got an unexpected keyword argument 'wrong'"),
    (["--task", "train", "--args", "[1, 2]"], "too many positional arguments"),
    (["--task", "train"], "missing a required argument: 'lr'"),
    (["--task", "flow", "--args", '{"n": 1}'], "the parameter ctx is a WorkflowContext: only the job of a function under @workflow gets one"),
    (["--task"], "--task takes a value"),
    (["--tsk", "x"], "unknown option --tsk; valid: --task"),
    (["--task", "f", "--key", "k"], "--folder and --key belong together"),
])
def test_a_wrong_command_line_is_told(project: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(words, {}) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("slurm.runner: ") and said in line


def test_a_module_that_the_file_lacks_is_told_with_the_line_that_imports_it(project: Path) -> None:
    (project / "runner_sample_importing.py").write_text("import runner_sample_nowhere\ndef importing(): ...\n")
    with pytest.raises(ModuleNotFoundError, match="runner_sample_nowhere"):
        runner.main(["--task", "importing"], {})


def test_help_says_how_a_function_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["--help"], {}) == 0
    assert "FILE.py:FUNCTION" in capsys.readouterr().out


def test_a_name_that_two_files_define_is_asked_about(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runner_sample_other.py").write_text("def train(): ...\n")
    assert runner.main(["--task", "train"], {}) == 2
    assert "runner_sample_other.py, runner_sample_training.py" in capsys.readouterr().err


def _submitted(folder: Path, python: tuple[int, int]) -> JobFiles:
    files = JobFiles(str(folder), "k")
    data, _ = dumps(Call(len, ([1, 2],), {}))
    Path(files.call).write_bytes(pickle.dumps(Envelope(data, "len", python, [], {}, b"")))
    return files


def test_another_python_than_the_submitters_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = _submitted(tmp_path, (3, 1))
    assert runner.run(files, None, {}) == 1
    assert "submitted from Python 3.1 and cannot run in" in capsys.readouterr().err
    assert Path(files.error).exists()


def test_each_rank_writes_a_result_of_its_own(tmp_path: Path) -> None:
    files = _submitted(tmp_path, python_version())
    for rank in range(3):
        assert runner.run(files, None, {"SLURM_PROCID": str(rank)}) == 0
    assert sorted(path.name for path in tmp_path.glob("*_result*")) == [
        "slurm_job_k_result.1.pkl", "slurm_job_k_result.2.pkl", "slurm_job_k_result.pkl"]


def test_of_several_ranks_that_fail_the_first_is_told_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _submitted(tmp_path, (3, 1))
    monkeypatch.setenv("SLURM_NTASKS", "3")
    for rank in (2, 1):
        monkeypatch.setenv("SLURM_PROCID", str(rank))
        assert runner.run(files, None, os.environ) == 1
    with open(files.error, "rb") as file:
        error, text = read_error(file, "7", files.error)
    assert error.__notes__ == [f"(raised by rank 2 of 3, on {os.uname().nodename})"] and error.__notes__[0] in text


def test_the_results_of_all_ranks_are_cached_together_once_there_are_all(tmp_path: Path) -> None:
    files = _submitted(tmp_path, python_version())
    cached = tmp_path / "cache" / "slurm_job_c_result.pkl"
    Path(files.cache).write_bytes(pack_items([bytes(cached)]))
    for rank in (2, 0):
        Path(files.rank_result(rank)).write_text(str(rank))
        keep(files, 3)
        assert not cached.parent.exists(), "rank 1 may fail yet"
    Path(files.rank_result(1)).write_text("1")
    keep(files, 3)
    assert {path.name: path.read_text() for path in cached.parent.iterdir()} == {
        "slurm_job_c_result.pkl": "0", "slurm_job_c_result.1.pkl": "1", "slurm_job_c_result.2.pkl": "2"}


def test_a_further_attempt_forgets_what_came_of_the_one_before(tmp_path: Path) -> None:
    files = _submitted(tmp_path, python_version())
    Path(files.error).write_bytes(b"of the first attempt")
    assert runner.run(files, None, {"SLURM_RESTART_COUNT": "1"}) == 0
    assert not Path(files.error).exists()
    Path(files.call).write_bytes(b"half")
    assert runner.run(files, None, {"SLURM_RESTART_COUNT": "2"}) == 1
    assert not Path(files.result).exists()
