"""What builds say: told line by line to who listens, kept for errors, and ended when it takes too long."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from slurm import Cluster, RichLoggerCallback
from slurm.sdk.packaging import wheel

SAYS = [sys.executable, "-c", "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); sys.exit(3)"]
HANGS = [sys.executable, "-c", "print('begun', flush=True); import time; time.sleep(600)"]


@pytest.mark.parametrize("listens", [False, True])
def test_output_and_errors_are_kept_in_order_with_the_status(listens: bool) -> None:
    told: list[str] = []
    with wheel.heard(told.append if listens else lambda line: None):
        done = wheel.run(SAYS, os.environ, 60.0)
    assert (done.returncode, done.stdout) == (3, "one\ntwo\n")
    assert told == (["one", "two"] if listens else [])
    assert wheel.run(SAYS, os.environ, 60.0).stdout == "one\ntwo\n"
    assert told == (["one", "two"] if listens else [])


@pytest.mark.parametrize("listens", [False, True])
def test_a_build_that_takes_too_long_is_ended(listens: bool) -> None:
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        if listens:
            with wheel.heard(lambda line: None):
                wheel.run(HANGS, os.environ, 0.5)
        else:
            wheel.run(HANGS, os.environ, 0.5)
    assert time.monotonic() - began < 60


def test_callbacks_that_show_builds_hear_them_and_one_that_raises_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(RichLoggerCallback):
        """Cannot show anything."""

        def update_packaging_output(self, line: str) -> None:
            raise ValueError(line)

    out = io.StringIO()
    found = Cluster("inline", job_base_dir=tmp_path, callbacks=[Broken(), RichLoggerCallback(console=Console(file=out), verbose=True)])
    with found.audience().builds():
        wheel.run(SAYS, os.environ, 60.0)
    assert out.getvalue() == "one\ntwo\n"
    assert capsys.readouterr().err.count("Broken raised in update_packaging_output") == 2
