"""What became of the tasks, and the words for it."""

from slurm.commands.launching.ledger import Ending, Ledger, rank_ranges, tasks

EXIT_3 = Ending(3 << 8)
TERMINATED = Ending(15)


def two_nodes() -> Ledger:
    return Ledger([("cn01", [0, 1]), ("cn02", [2, 3])])


def test_ranks_are_shown_as_ranges() -> None:
    assert rank_ranges([4, 0, 1, 2, 7]) == "0-2,4,7"
    assert (tasks([1]), tasks([0, 2])) == ("task 1", "tasks 0,2")


def test_tasks_of_a_node_that_end_alike_share_a_line() -> None:
    ledger = two_nodes()
    for rank in (1, 0, 2):
        ledger.ended(rank, EXIT_3)
    ledger.ended(3, TERMINATED)
    assert [notice.text() for notice in ledger.take()] == [
        "cn01: tasks 0-1: Exited with exit code 3", "cn02: task 2: Exited with exit code 3", "cn02: task 3: Terminated"]
    assert ledger.take() == []


def test_only_the_lines_of_one_node_can_be_taken() -> None:
    ledger = two_nodes()
    ledger.ended(0, EXIT_3)
    ledger.ended(2, EXIT_3)
    assert [notice.node for notice in ledger.take("cn02")] == ["cn02"]
    assert ledger.unsaid


def test_the_worst_task_decides_the_exit_code() -> None:
    ledger = two_nodes()
    ledger.ended(0, Ending(5 << 8))
    ledger.ended(1, TERMINATED)
    ledger.ended(2, Ending(0))
    assert ledger.worst == TERMINATED
    assert ledger.worst.shell_code() == 143


def test_a_task_ends_once() -> None:
    ledger = two_nodes()
    ledger.ended(0, Ending(0))
    ledger.ended(0, TERMINATED)
    ledger.ended(99, TERMINATED)
    assert ledger.worst == Ending(0)


def test_tasks_of_a_vanished_supervisor_count_as_killed() -> None:
    ledger = two_nodes()
    ledger.ended(0, Ending(0))
    assert ledger.lost("cn01")
    assert [notice.text() for notice in ledger.take()][1:] == ["cn01: task 1: Killed"]
    assert not ledger.lost("cn01")


def test_running_out_of_memory_is_said_in_words() -> None:
    assert Ending(9, out_of_memory=True).words() == "Out Of Memory"
    assert Ending(0, out_of_memory=True).words() == "Completed"


def test_the_status_names_every_state_that_tasks_are_in() -> None:
    ledger = two_nodes()
    assert ledger.status_lines("StepId=1.0") == ["StepId=1.0 tasks 0-3: waiting to start"]
    ledger.started("cn01")
    ledger.ended(0, Ending(0))
    assert ledger.status_lines("StepId=1.0") == [
        "StepId=1.0 tasks 2-3: waiting to start", "StepId=1.0 task 1: running", "StepId=1.0 task 0: exited"]
    ledger.ended(1, Ending(3 << 8))
    assert ledger.status_lines("StepId=1.0")[1:] == ["StepId=1.0 task 0: exited", "StepId=1.0 task 1: exited abnormally"]
