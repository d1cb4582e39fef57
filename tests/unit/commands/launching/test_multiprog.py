"""srun --multi-prog: which task runs which program."""

import pytest

from slurm.commands.launching.multiprog import parse
from slurm.model.errors import InvalidRequest

FILE = """\
# a comment
0      ./master --verbose
1-2,5  ./worker %t %o 'two words'

*      ./idle task-%t
"""


def test_each_task_gets_the_program_of_its_line() -> None:
    assert parse(FILE, 7, "mp.conf") == [
        ["./master", "--verbose"], ["./worker", "1", "0", "two words"], ["./worker", "2", "1", "two words"], ["./idle", "task-3"],
        ["./idle", "task-4"], ["./worker", "5", "2", "two words"], ["./idle", "task-6"]]


def test_tasks_beyond_the_step_are_passed_over() -> None:
    assert parse("0-9 echo %t", 2, "mp.conf") == [["echo", "0"], ["echo", "1"]]


def test_a_backslash_joins_lines() -> None:
    assert parse("0 echo \\\n a\\\n b", 1, "mp.conf") == [["echo", "a", "b"]]


@pytest.mark.parametrize(("text", "message", "hint"), [
    ("0 echo\n", "Configuration file mp.conf invalid, no record for task id 1", "*"),
    ("0 echo\n0-1 date\n", "Error in multi_prog config file mp.conf, line 2", "task 0 has a program already"),
    ("zero echo\n", "Error in multi_prog config file mp.conf, line 1", '"zero" is no list of task numbers'),
    ("1-0 echo\n", "Error in multi_prog config file mp.conf, line 1", "no list"),
    ("#\n0-1\n", "Error in multi_prog config file mp.conf, line 2", "names no program"),
    ("0-1 echo 'x\n", "Error in multi_prog config file mp.conf, line 1", "no closing quotation"),
])
def test_a_fault_is_told_with_its_place(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse(text, 2, "mp.conf")
    assert failure.value.message == message
    assert hint in failure.value.hints[0]
