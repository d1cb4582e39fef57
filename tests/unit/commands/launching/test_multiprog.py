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


def test_a_backslash_joins_lines() -> None:
    assert parse("0 echo \\\n a\\\n b", 1, "mp.conf") == [["echo", "a", "b"]]


@pytest.mark.parametrize(("text", "message", "hint"), [
    ("0 echo\n", "Configuration file mp.conf invalid, no record for task id 1", "*"),
    ("0 echo\n0-1 date\n", "Line 2 of configuration file mp.conf invalid", "task 0 has a program already"),
    ("zero echo\n", "Line 1 of configuration file mp.conf invalid", '"zero" is no list of task numbers'),
    ("1-0 echo\n", "Line 1 of configuration file mp.conf invalid", "write 0-1"),
    ("#\n0-1\n", "Line 2 of configuration file mp.conf invalid", "names no program"),
    ("0-1 echo 'x\n", "Line 1 of configuration file mp.conf invalid", "no closing quotation"),
])
def test_a_fault_is_told_with_its_place(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse(text, 2, "mp.conf")
    assert failure.value.message == message
    assert hint in failure.value.hints[0]


@pytest.mark.parametrize(("text", "before"), [
    ("0 echo\n0-1 date\n", ["Duplicate record for task 0"]), ("zero echo\n", ["Invalid task range specification (zero)"]),
    ("1-0 echo\n", ["Invalid task range, 1-0"]), ("0-9 echo\n", ["Invalid task id, 2 >= ntasks"]), ("0-1\n", []),
])
def test_slurms_own_words_on_a_fault_stand_before_its_place(text: str, before: list[str]) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse(text, 2, "mp.conf")
    assert list(failure.value.preface) == before
