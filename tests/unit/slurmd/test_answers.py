"""What a node remembers of the credentials it was shown: as long as they may come again, whatever is restarted, and no longer."""

from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.slurmd.answers import FILE, Answers
from slurm.slurmd.stepd.folder import StepKey

ONE, TWO, THREE = (StepKey(12, 1, step) for step in range(3))


def open_at(spool: Path, now: float) -> tuple[Answers, list[tuple[int, int]]]:
    answers = Answers(str(spool), lambda: now)
    return answers, answers.open()


def test_what_was_written_is_known_after_a_restart(tmp_path: Path) -> None:
    answers, over = open_at(tmp_path, 100.0)
    assert over == []
    for key in (ONE, TWO, THREE):
        answers.begun(key, 220.0)
    told: list[object] = []
    found = answers.find(ONE)
    assert found is not None
    found.when_known(lambda known: told.append(known.statuses))
    answers.ended(ONE, {0: 0, 1: 256})
    answers.failed(TWO, {"message": "no"})
    answers.ended(TWO, {0: 0})
    assert told == [{0: 0, 1: 256}]
    answers.over(7, 2)
    again, over = open_at(tmp_path, 200.0)
    assert over == [(7, 2)]
    first, second, third = (again.find(key) for key in (ONE, TWO, THREE))
    assert first is not None and first.statuses == {0: 0, 1: 256}
    assert second is not None and second.failed == {"message": "no"} and second.statuses is None
    assert third is not None and not third.known
    again.keep_begun(lambda key: False)
    assert again.find(THREE) is None and again.find(ONE) is not None, "of the third nothing is there: it was not begun after all"


def test_what_expired_is_forgotten_at_a_restart_and_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    answers, _ = open_at(tmp_path, 100.0)
    answers.begun(ONE, 220.0)
    answers.ended(ONE, {0: 0})
    answers.over(7, 2)
    with open(tmp_path / FILE, "ab") as file:
        file.write(b'["begun",12,1,')
    assert open_at(tmp_path, 219.0)[0].find(ONE) is not None
    again, over = open_at(tmp_path, 4000.0)
    assert again.find(ONE) is None and over == []
    assert (tmp_path / FILE).read_bytes() == b""


def test_on_a_disk_too_full_to_write_it_anew_the_file_is_written_on(tmp_path: Path) -> None:
    answers, _ = open_at(tmp_path, 100.0)
    answers.begun(ONE, 220.0)
    with open(tmp_path / FILE, "ab") as file:
        file.write(b'["begun",12,1,')
    (tmp_path / (FILE + ".new")).mkdir()  # what cannot be opened for writing
    again, _ = open_at(tmp_path, 110.0)
    assert again.find(ONE) is not None
    again.ended(ONE, {0: 256})
    again.begun(TWO, 220.0)
    (tmp_path / (FILE + ".new")).rmdir()
    last, _ = open_at(tmp_path, 120.0)
    found = last.find(ONE)
    assert found is not None and found.statuses == {0: 256} and last.find(TWO) is not None


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    now = [0.0]
    answers = Answers(str(tmp_path), lambda: now[0])
    answers.open()
    for number in range(20_000):
        now[0] = float(number)
        answers.begun(StepKey(number, 1, 0), now[0] + 120.0)
        answers.ended(StepKey(number, 1, 0), {0: 0})
    assert (tmp_path / FILE).stat().st_size < 1_000_000
    assert answers.find(StepKey(19_999, 1, 0)) is not None and answers.find(StepKey(5, 1, 0)) is None
    answers.close()


def test_a_file_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nonsense\n")
    with pytest.raises(StoreError, match="cannot be read"):
        open_at(tmp_path, 0.0)
