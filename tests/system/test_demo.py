"""`slurm demo` as a newcomer meets it: it runs to its end, ends when told to, and leaves nothing behind, whatever became of the one before."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import Cluster


class DemoHome(Cluster):
    """The state folder of somebody who runs demos; whatever lies in it belongs to them."""

    @property
    def folder(self) -> Path:
        return self.root / "slurm"

    def begin(self) -> subprocess.Popen[str]:
        """Start a demo; returns when its jobs run."""
        demo = self.spawn("slurm", "demo")
        assert demo.stdout is not None
        for line in demo.stdout:
            if "▶" in line:
                return demo
        raise AssertionError(f"the demo ended with status {demo.wait(60)}: {demo.stderr.read() if demo.stderr else ''}")

    def left(self) -> list[str]:
        """Files and processes that are there now."""
        return [*(str(path) for path in self.folder.rglob("*")), *(str(process) for process in self.processes())]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[DemoHome]:
    found = DemoHome(tmp_path / "h")
    yield found
    found.close()


def test_it_removes_what_a_killed_demo_left_and_runs_to_its_end(home: DemoHome) -> None:
    killed = home.begin()
    killed.kill()
    killed.communicate(timeout=60)
    assert home.processes(), "daemons outlive the demo that started them"
    result = home.run("slurm", "demo", timeout=300)
    assert result.status == 0, f"{result}\n{home.logs()}"
    assert "Best of 20" in result.out
    assert "All 21 jobs completed." in result.out
    assert str(home.root) not in result.out, "nobody needs a path that is gone at the end"
    home.until(lambda: not home.left(), why=f"left: {home.left()}")
    assert not list(home.work.iterdir())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_cleans_up_when_it_is_told_to_end(home: DemoHome, number: signal.Signals, status: int) -> None:
    demo = home.begin()
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == status
    home.until(lambda: not home.left(), why=f"left: {home.left()}")


def test_outputs_and_models_are_kept_only_in_a_folder_of_their_own(home: DemoHome) -> None:
    (home.work / "mine").mkdir()
    (home.work / "mine" / "thesis.txt").write_text("x")
    result = home.run("slurm", "demo", "--keep", "mine")
    assert (result.status, result.err.splitlines()[0]) == (1, "slurm: error: --keep mine: it exists and is not an empty folder")
    result = home.run("slurm", "demo", "--keep", "mine/thesis.txt/here")
    assert (result.status, result.err.splitlines()[0]) == (1, "slurm: error: --keep mine/thesis.txt/here: Not a directory")
    assert not result.out, "no cluster is started for it"


@pytest.mark.parametrize("words", [["--name", "mine", "demo"], ["demo", "--name", "mine"]])
def test_it_takes_no_name_because_it_removes_its_cluster(home: DemoHome, words: list[str]) -> None:
    result = home.run("slurm", *words)
    assert result.status == 1
    assert "takes no --name" in result.err


def test_runs_of_two_demos_at_once_do_not_meet(home: DemoHome) -> None:
    both = [home.begin(), home.begin()]
    for demo in both:
        demo.send_signal(signal.SIGINT)
    for demo in both:
        demo.communicate(timeout=60)
        assert demo.returncode == 130
    home.until(lambda: not home.left(), why=f"left: {home.left()}")
