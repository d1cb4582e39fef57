"""How long a site's script has run, by clocks that are set meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slurm.slurmd.script_run import Running

NOW = 1_000_000.0


class Scene:
    def __init__(self, folder: Path, looked: float = 100.0) -> None:
        self.folder, self.passed, self.set_by = folder, 100.0, 0.0
        self.running = Running(str(folder), looked, clock=lambda: self.passed, wall=lambda: NOW + self.set_by + self.passed)

    def begins(self, name: str = "current", ago: float = 0.0) -> None:
        (self.folder / name).write_text("prolog\n")
        moment = NOW + self.set_by + self.passed - ago
        os.utime(self.folder / name, (moment, moment))


@pytest.mark.parametrize("by", [2 * 86400.0, -86400.0])
def test_a_clock_that_is_set_does_not_make_a_script_overdue_nor_everlasting(tmp_path: Path, by: float) -> None:
    scene = Scene(tmp_path)
    scene.begins()
    assert scene.running.seconds == 0
    scene.passed += 10
    scene.set_by = by
    assert scene.running.seconds == 10 and scene.running.left(30) == 20
    scene.passed += 20
    assert scene.running.overdue(30) and not scene.running.overdue(0)


def test_each_script_of_a_list_has_its_own_time_also_when_nobody_looked_when_it_began(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.begins()
    scene.passed += 25
    assert scene.running.seconds == pytest.approx(25)
    scene.passed += 30
    scene.begins(ago=5)
    assert scene.running.seconds == pytest.approx(5)


@pytest.mark.parametrize("by", [2 * 86400.0, -86400.0])
def test_who_takes_over_scripts_after_a_restart_counts_at_most_since_their_shell_began(tmp_path: Path, by: float) -> None:
    scene = Scene(tmp_path, looked=60.0)
    scene.begins(ago=20)
    scene.set_by = by
    assert 0 <= scene.running.seconds <= 40
