"""slurmctld's clock beside one that is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.slurmctld.clock import FILE, Clock

DAY = 86400.0


class Machine:
    """A machine whose clock the test sets."""

    def __init__(self) -> None:
        self.set_to, self.passed = 1_000_000.0, 50.0

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.set_to + self.passed, boot=lambda: self.passed)


@pytest.mark.parametrize("by", [2 * DAY, -DAY])
def test_a_clock_that_was_set_is_followed_only_when_that_is_asked_for(by: float) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    machine.set_to += by
    machine.passed += 3
    assert clock() == before + 3 and clock.jump == by
    assert clock.follow() == by
    assert clock() == before + 3 + by and clock.jump == 0.0


def test_small_corrections_are_followed_however_many() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(100):
        machine.set_to += 1
        assert clock() == machine.set_to + machine.passed
    assert clock.jump == 0.0


@pytest.mark.parametrize(("last_event", "told"), [(41, 2 * DAY), (42, 0.0)])
def test_who_is_killed_while_the_clock_is_followed_moves_state_once(tmp_path: Path, last_event: int, told: float) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.continue_from(str(tmp_path), 0)
    clock.keep()
    machine.set_to += 2 * DAY
    clock.keep_jump(42)
    again = machine.clock()
    again.continue_from(str(tmp_path), last_event)
    assert again.jump == told


def test_a_clock_that_was_set_while_nobody_looked_is_noticed_at_the_start(tmp_path: Path) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.continue_from(str(tmp_path), 0)
    clock.keep()
    before = clock()
    machine.set_to -= DAY
    machine.passed += 60
    again = machine.clock()
    again.continue_from(str(tmp_path), 7)
    assert again() == before + 60 and again.jump == -DAY


@pytest.mark.parametrize("text", ["", "another boot 5.0 0 5.0\n", "nonsense", "a b c d e\n"])
def test_another_start_of_the_machine_or_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    clock = Machine().clock()
    clock.continue_from(str(tmp_path), 0)
    assert clock.jump == 0.0
    clock.keep()
    assert (tmp_path / FILE).read_text() != text


@pytest.mark.parametrize("by", [3 * 3600.0, -3600.0])
def test_who_takes_over_goes_on_by_the_clock_of_the_leader_before(tmp_path: Path, by: float) -> None:
    """A standby whose clock was three hours ahead ended every job that had less left."""
    machine = Machine()
    leaders = machine.set_to
    machine.set_to += by
    clock = machine.clock()
    clock.continue_as(str(tmp_path), leaders)
    assert clock() == leaders + machine.passed and clock.jump == by, "state is to be moved to this machine's clock, as when it was set"
    small = machine.clock()
    small.continue_as(str(tmp_path), machine.set_to + 2)
    assert small.jump == 0.0 and small() == machine.set_to + machine.passed


def test_what_a_machine_wrote_down_when_it_led_itself_is_no_news_after_another_leader(tmp_path: Path) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.continue_from(str(tmp_path), 0)
    clock.keep()
    machine.set_to += 2 * DAY  # it was wrong, and set right while another one led
    again = machine.clock()
    again.continue_as(str(tmp_path), None)
    assert again.jump == 0.0 and again() == machine.set_to + machine.passed
