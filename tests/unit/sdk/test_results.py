"""Results on disk: whole or said not to be, whoever wrote them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from slurm import Cluster, Job, ResultUnreadable, WorkflowContext, task
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import read_result, write_result


@task
def count(word: str, log: str) -> int:
    """Notes each run in a file."""
    with open(log, "a") as file:
        file.write(word)
    return len(word)


def test_a_result_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "r")
    write_result(path, {"function": lambda: 3})
    assert read_result(path, "1")["function"]() == 3


def test_a_result_of_the_published_sdk_has_a_line_of_text_in_front(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b'# slurm-sdk-pickle {"python":"3.11.7","protocol":5,"sdk":"0.4.6"}\n' + pickle.dumps([1, 2]))
    assert read_result(str(path), "1") == [1, 2]


@pytest.mark.parametrize("content", [b"", b"\x80\x05\x95", pickle.dumps([1] * 100)[:-9], b"cno_such_module\nX\n."])
def test_half_a_result_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    with pytest.raises(ResultUnreadable, match="the result of job 12 cannot be read from"):
        read_result(str(path), "12")


def test_a_job_that_the_cluster_has_forgotten_still_has_its_result(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path) as cluster:
        job = count("abc", str(tmp_path / "log"))
    later: Job[int] = Job("77", cluster, job.files)
    assert (later.status(), later.result()) == ("UNKNOWN", 3)
    nowhere: Job[int] = Job("78", cluster, JobFiles(str(tmp_path), "none"))
    with pytest.raises(ResultUnreadable, match="no longer remembers how it ended"):
        nowhere.result()


def test_a_workflow_that_runs_again_does_not_repeat_what_has_ended_well(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def run() -> tuple[int, list[int]]:
        context = WorkflowContext(Cluster("inline", job_base_dir=tmp_path), "1", tmp_path / "flow")
        first = context.submit_call(count, ("abc", str(log)), {})
        array = context.submit_map(count, [("d", str(log)), ("ef", str(log))], 0)
        return first.result(), array.results()

    assert run() == run() == (3, [1, 2])
    assert log.read_text() == "abcdef"
    context = WorkflowContext(Cluster("inline", job_base_dir=tmp_path), "1", tmp_path / "flow")
    assert context.get_latest_task_result("count") in (1, 2, 3)
    assert len(context.list_task_runs("count")) == len(list(context.get_task_output_dir("count").iterdir())) == 2


def test_a_failed_call_of_a_workflow_is_made_again(tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    def once(path: str) -> str:
        import os

        if not os.path.exists(path):
            raise OSError("not yet")
        return "now"

    trying = task(once)
    for expected in (False, True):
        context = WorkflowContext(Cluster("inline", job_base_dir=tmp_path), "1", tmp_path / "flow")
        job = context.submit_call(trying, (str(flag),), {})
        assert job.is_successful() is expected
        flag.touch()
