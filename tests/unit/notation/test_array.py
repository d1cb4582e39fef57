"""Job arrays and sets of task ids, with the seeds' arrays and what squeue shows of them."""

import random

import pytest

from slurm.notation import array, taskset
from slurm.notation.errors import NotationError
from slurm.notation.taskset import TaskSet

MIXED = "0-999:3,1-999:5"


@pytest.mark.parametrize(
    ("text", "ids", "limit"),
    [
        ("1-20%4", range(1, 21), 4),
        ("0-15:4", [0, 4, 8, 12], 0),
        ("1,3,5-7", [1, 3, 5, 6, 7], 0),
        ("3,1,2", [1, 2, 3], 0),
        ("1-3,2", [1, 2, 3], 0),
        ("1,1", [1], 0),
        ("1-10:20", [1], 0),
        ("[1-3]", [1, 2, 3], 0),
        ("0-8:4,2-3%1", [0, 2, 3, 4, 8], 1),
        ("7%0", [7], 0),
        ("1-3,", [1, 2, 3], 0),
        ("1-3%", [1, 2, 3], 0),
        (",1,,3", [1, 3], 0),
    ],
)
def test_an_array_specification_names_its_tasks_and_limit(text: str, ids: list[int], limit: int) -> None:
    spec = array.parse(text)
    assert list(spec.tasks) == list(ids)
    assert spec.limit == limit
    assert len(spec.tasks) == len(list(ids))


@pytest.mark.parametrize("text", ["5-1", "bogus", "", "1-", "1--2", ",", "%", "1-5:0", "1-5%x", "3:2", "-1", "99999999", "1%2%3"])
def test_a_malformed_array_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        array.parse(text)


def test_task_ids_must_stay_below_max_array_size() -> None:
    assert array.parse("0-1000", max_size=1001).tasks.last == 1000
    with pytest.raises(NotationError, match="ids from 0 to 1000"):
        array.parse("0-99999", max_size=1001)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("3-200%2", "3-200%2"),
        ("1,3,5-7", "1,3,5-7"),
        ("0-15:4", "0,4,8,12"),
        ("1,3", "1,3"),
        ("0-20:5", "0,5,10,15,20"),
        ("0-25:5", "0-25:5"),
        ("0-15:3", "0-15:3"),
        ("0-10:2", "0,2,4,6,8,10"),
        ("0-12:2", "0-12:2"),
        ("0-999:2", "0-998:2"),
        ("100,200,300,400,500,600", "100-600:100"),
        ("1-1", "1"),
    ],
)
def test_an_array_shows_as_squeue_shows_it(text: str, shown: str) -> None:
    assert array.parse(text).show() == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (64, "0-1,3,6,9,11-12,15-16,18,21,24,26-27,30-31,33,36,39,41-42,45...%7"),
        (20, "0-1,3,6,9,11-12,...%7"),
        (10, "0-1,3,...%7"),
        (100, "0-1,3,6,9,11-12,15-16,18,21,24,26-27,30-31,33,36,39,41-42,45-46,48,51,54,56-57,60-61,63,66,69,71...%7"),
    ],
)
def test_a_long_array_is_cut_at_slurm_bitstr_len(length: int, shown: str) -> None:
    assert array.parse(MIXED + "%7").show(length) == shown


def test_tasks_that_start_and_are_cancelled_leave_what_squeue_showed() -> None:
    tasks = TaskSet.parse("1-200")
    assert [tasks.pop_first(), tasks.pop_first()] == [1, 2]
    assert tasks.show() == "3-200"
    tasks.remove(TaskSet.parse("50-99"))
    assert tasks.show() == "3-49,100-200"
    assert len(tasks) == 148


def test_a_hundred_thousand_tasks_are_one_run() -> None:
    tasks = TaskSet.parse("0-99999")
    assert tasks.runs == ((0, 99999, 1),)
    assert 99999 in tasks
    assert 100000 not in tasks
    tasks.remove(range(0, 100, 2))
    assert len(tasks) == 99950
    assert len(tasks.runs) == 50


def test_a_task_can_be_put_back() -> None:
    tasks = TaskSet.parse("5-9")
    tasks.add(3)
    tasks.add(4)
    tasks.add(4)
    assert tasks.runs == ((3, 9, 1),)
    stepped = TaskSet.parse("0-12:4")
    stepped.add(5)
    assert list(stepped) == [0, 4, 5, 8, 12]


def test_sets_compare_by_their_ids_and_not_by_how_they_were_written() -> None:
    assert TaskSet.parse("0-8:4") == TaskSet.of([8, 4, 0])
    assert TaskSet.parse("1-3,4-6") == TaskSet.parse("1-6")
    assert TaskSet.parse("1-3") != TaskSet.parse("1-4")
    assert TaskSet(TaskSet.parse(MIXED).runs) == TaskSet.parse(MIXED)


def test_an_empty_set_is_false_and_has_no_first_task() -> None:
    tasks = TaskSet()
    assert not tasks
    assert tasks.show() == ""
    with pytest.raises(ValueError, match="no first task"):
        tasks.pop_first()


def test_first_last_and_step_describe_an_array_for_its_environment() -> None:
    tasks = array.parse("1-20:3").tasks
    assert (tasks.first, tasks.last, tasks.step, len(tasks)) == (1, 19, 3, 7)
    assert array.parse("1,3,5-7").tasks.step == 1


def test_ranges_that_cross_with_steps_hold_a_bounded_number_of_tasks() -> None:
    assert len(array.parse("0-100:2,1-99:3").tasks) == 68
    with pytest.raises(NotationError, match="cross each other hold more than 20,000"):
        array.parse("0-4000000:2,1-3999999:3")


def test_what_is_read_at_a_stroke_is_what_is_read_piece_by_piece() -> None:
    chance = random.Random(7)
    for _ in range(400):
        pieces = [chance.choice(("{a}", "{a}-{b}", "{a}-{b}:{c}", "0-90:{c}", "", " {a} ", " {a}-{b}")).format(
            a=chance.randrange(60), b=chance.randrange(40, 99), c=chance.randrange(1, 9)) for _ in range(chance.randrange(1, 30))]
        try:
            slowly = sorted({task for low, high, step in taskset._runs_one_by_one(",".join(pieces), 98) for task in range(low, high + 1, step)})
        except NotationError:
            continue
        assert list(taskset.TaskSet.parse(",".join(pieces), 98)) == slowly


@pytest.mark.parametrize(("text", "position"), [("1,2,2-1,3", 4), ("5," * 20 + "1-x", 40), ("1,1,99999999999", 4), ("7,\u0663", 2), ("1-5:0", 0), ("1,3-100", 2)])
def test_the_place_of_what_is_no_task_is_named_however_much_stands_before_it(text: str, position: int) -> None:
    with pytest.raises(NotationError) as refused:
        taskset.TaskSet.parse(text, 99)
    assert f"position {position} " in str(refused.value)


def test_what_two_sets_share_is_found_run_by_run() -> None:
    chance = random.Random(11)

    def some() -> taskset.TaskSet:
        runs = ((low := chance.randrange(200), low + chance.randrange(60), chance.randrange(1, 9)) for _ in range(chance.randrange(1, 5)))
        return taskset.TaskSet(runs)

    for _ in range(2_000):
        one, other = some(), some()
        both = one.intersection(other)
        assert list(both) == sorted(set(one) & set(other)) and len(both) == len(list(both))
        assert taskset.TaskSet(both.runs) == both
    evens, thirds = taskset.TaskSet([(0, 3_999_998, 2)]), taskset.TaskSet([(0, 3_999_999, 3)])
    assert evens.intersection(thirds).runs == ((0, 3_999_996, 6),)
