"""RichLoggerCallback: bars and lines of several jobs at once, and what ctrl-C and ctrl-\\ mean while they live."""

from __future__ import annotations

import io
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import slurm
from slurm import Cluster, RichLoggerCallback, SubmissionError, task

SRC = str(Path(slurm.__file__).resolve().parents[1])
SECONDS = 20.0
SCRIPT = """
import signal, sys, time
from slurm import Cluster, RichLoggerCallback, task

@task
def until(path):
    import os
    for _ in range(600):
        if os.path.exists(path):
            return "done"
        time.sleep(0.05)

before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGQUIT)
with Cluster("subprocess", job_base_dir="jobs", callbacks=[RichLoggerCallback()]):
    jobs = [until(path) for path in sys.argv[1:]]
    print(" ".join(job.id for job in jobs), flush=True)
    for job in jobs:
        print(job.result(), flush=True)
print("given back" if before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGQUIT)) else "kept")
"""


@task
def double(number: int) -> int:
    return number * 2


def test_lines_of_text_where_there_is_no_terminal(tmp_path: Path) -> None:
    out = io.StringIO()
    with Cluster("inline", job_base_dir=tmp_path, callbacks=[RichLoggerCallback(console=Console(file=out))]):
        job, array = double(1), double.map([1, 2, 3])
        assert (job.result(SECONDS), array.results(SECONDS)) == (2, [2, 4, 6])
    assert sorted(out.getvalue().splitlines()) == sorted([
        f"double {job.id}: SUBMITTED", f"double {job.id}: COMPLETED", f"double {array.id}: SUBMITTED", f"double {array.id}: 3 COMPLETED"])


def test_a_bar_a_job_in_a_terminal_and_one_that_was_not_taken_says_so(tmp_path: Path) -> None:
    out = io.StringIO()
    callback = RichLoggerCallback(console=Console(file=out, force_terminal=True, width=100))
    with Cluster("inline", job_base_dir=tmp_path, callbacks=[callback]) as found:
        taken = found.backend.submit

        def refused(*words: object, **more: object) -> str:
            raise SubmissionError("full")

        found.backend.submit = refused  # type: ignore[method-assign,assignment]
        with pytest.raises(SubmissionError):
            double(1)
        found.backend.submit = taken  # type: ignore[method-assign]
        job = double(2)
        assert job.result(SECONDS) == 4
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "not submitted" in text and f"double {job.id}" in text and "COMPLETED" in text and "━" in text


def test_what_builds_print_is_shown_when_wanted() -> None:
    out = io.StringIO()
    RichLoggerCallback(console=Console(file=out), verbose=True).update_packaging_output("[1/3] building")
    RichLoggerCallback(console=Console(file=out)).update_packaging_output("not this")
    assert out.getvalue() == "[1/3] building\n"


def test_it_travels_without_its_console(tmp_path: Path) -> None:
    callback = RichLoggerCallback(console=Console(file=io.StringIO()), poll_interval=7)
    assert pickle.loads(pickle.dumps(callback)).get_poll_interval() == 7.0


def _started(tmp_path: Path, *paths: str) -> subprocess.Popen[str]:
    (tmp_path / "program.py").write_text(SCRIPT)
    program = subprocess.Popen([sys.executable, "program.py", *(str(tmp_path / path) for path in paths)], cwd=tmp_path, env={"PYTHONPATH": SRC}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline().strip()
    return program


def test_signals_are_given_back_when_all_jobs_have_ended(tmp_path: Path) -> None:
    program = _started(tmp_path, "a", "b")
    for name in ("a", "b"):
        (tmp_path / name).touch()
    out, errors = program.communicate(timeout=SECONDS)
    assert out.splitlines() == ["done", "done", "given back"], errors
    assert errors.count("COMPLETED") == 2


def test_ctrl_c_leaves_the_jobs_alone(tmp_path: Path) -> None:
    program = _started(tmp_path, "go")
    program.send_signal(signal.SIGINT)
    out, errors = program.communicate(timeout=SECONDS)
    assert (program.returncode, out) == (0, ""), errors
    assert re.search(r"^Detached: job \d+ goes on without this program: ", errors, re.MULTILINE)
    (tmp_path / "go").touch()
    deadline = time.monotonic() + SECONDS
    while not list(tmp_path.glob("jobs/*/*/*_result.pkl")):
        assert time.monotonic() < deadline, "the job that was left alone has no result"
        time.sleep(0.05)


def test_ctrl_backslash_cancels_them(tmp_path: Path) -> None:
    program = _started(tmp_path, "never", "ever")
    program.send_signal(signal.SIGQUIT)
    _, errors = program.communicate(timeout=SECONDS)
    assert program.returncode == 1
    assert "Cancelling: " in errors and "JobCancelled" in errors
