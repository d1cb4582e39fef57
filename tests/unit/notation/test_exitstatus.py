"""Exit codes and signals, in numbers and in srun's words."""

import pytest

from slurm.notation import exitstatus
from slurm.notation.errors import NotationError
from slurm.notation.exitstatus import ExitStatus


@pytest.mark.parametrize(
    ("status", "shown", "words", "code"),
    [
        (0, "0:0", "Completed", 0),
        (3 << 8, "3:0", "Exited with exit code 3", 3),
        (7 << 8, "7:0", "Exited with exit code 7", 7),
        (15, "0:15", "Terminated", 143),
        (9, "0:9", "Killed", 137),
        (11, "0:11", "Segmentation fault", 139),
        (11 | 0x80, "0:11", "Segmentation fault (core dumped)", 139),
        (10, "0:10", "User defined signal 1", 138),
        (36, "0:36", "Real-time signal 2", 164),
    ],
)
def test_a_wait_status_reads_as_slurm_tells_it(status: int, shown: str, words: str, code: int) -> None:
    ended = exitstatus.from_wait(status)
    assert exitstatus.show(status) == ended.show() == shown
    assert ended.words() == words
    assert ended.shell_code() == code
    assert ended.to_wait() == status
    assert ended.ok is (status == 0)


def test_code_and_signal_are_read_back() -> None:
    assert exitstatus.parse("0:15") == ExitStatus(0, 15)
    assert exitstatus.parse("2") == ExitStatus(2)


@pytest.mark.parametrize("text", ["", "x", "1:2:3", "256", "-1", "1:"])
def test_anything_else_is_no_exit_status(text: str) -> None:
    with pytest.raises(NotationError):
        exitstatus.parse(text)
