"""What is told of jobs that were to be cancelled is how they stand afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from slurm.notation import jobref
from slurm.notation.errors import NotationError
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.errors import BackendError
from slurm.sdk.following import ending
from slurm.sdk.following.inspection import CELL, QUEUE, ROW, QueueRow


def line(id: str, state: str, raw: str = "") -> str:
    """A line as squeue prints it for `inspection.queue`."""
    values = {"%i": id, "%A": raw or id.partition("_")[0], "%F": id.partition("_")[0], "%T": state, "%D": "1", "%C": "1", "%Q": "1"}
    return ROW + CELL.join(values.get(one, "") for one in QUEUE) + "\n"


class Queue(InlineBackend):
    """A queue that answers squeue with what `told` has next, and keeps the last."""

    def __init__(self, *told: str, cancelled: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.told = list(told)
        self.asked_to_end: list[str] = []
        self._cancelled = cancelled

    def ask(self, words: Sequence[str]) -> str:
        """squeue."""
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]

    def cancel(self, ids: Sequence[str]) -> None:
        """Noted."""
        self.asked_to_end += ids
        self._cancelled()


def only(backend: Any, id: str, patience: float = 5.0) -> ending.Ending:
    """What becomes of one job."""
    [found] = ending.cancel(backend, [id], patience)
    return found


def test_a_job_that_ends_is_called_cancelled_once_it_has_ended() -> None:
    backend = Queue(line("7", "RUNNING"), line("7", "COMPLETING"), line("7", "CANCELLED"))
    assert only(backend, "7") == ("7", "cancelled", "CANCELLED", "job 7 is cancelled")
    assert backend.asked_to_end == ["7"]


def test_a_job_that_takes_its_time_is_called_ending() -> None:
    found = only(Queue(line("7", "RUNNING"), line("7", "COMPLETING")), "7", patience=0.1)
    assert (found.result, found.state) == ("ending", "COMPLETING")


def test_a_job_that_had_ended_is_left_alone() -> None:
    backend = Queue(line("7", "COMPLETED"))
    assert only(backend, "7").result == "ended" and backend.asked_to_end == []


def test_a_job_that_ended_by_itself_while_it_was_cancelled_is_not_called_cancelled() -> None:
    assert only(Queue(line("7", "RUNNING"), line("7", "COMPLETED")), "7").result == "ended"


def test_a_job_that_nobody_knows_is_unknown() -> None:
    assert only(Queue(""), "7").result == "unknown"


def test_a_job_that_vanishes_after_it_was_told_to_end_is_cancelled() -> None:
    assert only(Queue(line("7", "RUNNING"), ""), "7").message == "job 7 is cancelled: it is no longer in the queue"


def test_a_refusal_is_told_in_the_words_of_the_cluster_and_not_waited_for() -> None:
    def refuse() -> None:
        raise BackendError("not cancelled: 7: Access/permission denied")

    found = only(Queue(line("7", "RUNNING"), cancelled=refuse), "7", patience=3600.0)
    assert found.result == "refused" and "Access/permission denied" in found.message and "RUNNING" in found.message


def test_of_several_jobs_only_those_that_the_cluster_names_are_refused() -> None:
    def refuse() -> None:
        raise BackendError("not cancelled: 8: Access/permission denied")

    backend = Queue(line("7", "RUNNING") + line("8", "RUNNING"), line("7", "COMPLETING") + line("8", "RUNNING"), line("7", "CANCELLED") + line("8", "RUNNING"),
                    cancelled=refuse)
    assert [(one.id, one.result) for one in ending.cancel(backend, ["7", "8"])] == [("7", "cancelled"), ("8", "refused")]


def test_the_waiting_elements_of_an_array_are_named_without_their_limit() -> None:
    backend = Queue(line("3_[4-9%2]", "PENDING", "3") + line("3_1", "RUNNING", "5"), line("3_1", "RUNNING", "5") + line("3_4", "CANCELLED", "3"))
    assert only(backend, "3_[4-9%2]").result == "cancelled"
    assert backend.asked_to_end == ["3_[4-9]"]


def test_what_is_no_id_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(NotationError):
        ending.cancel(Queue(""), ["seven"])


@pytest.mark.parametrize(("id", "row", "raw", "covered"), [
    ("3", "3_[4-9]", "3", True), ("3_5", "3_[4-9]", "3", True), ("3_2", "3_[4-9]", "3", False), ("3_2", "3_2", "5", True), ("3", "13", "13", False),
    ("3_[1-2]", "3_2", "5", True), ("12", "12", "12", True), ("12", "12_3", "15", True), ("15", "12_3", "15", True), ("12_[1-2]", "12_3", "15", False),
    ("1", "12", "12", False), ("12_3", "12", "12", False), ("12", "12+1", "13", True), ("12+1", "12+1", "13", True), ("12+2", "12+1", "13", False)])
def test_an_id_covers_the_lines_that_hold_some_of_it(id: str, row: str, raw: str, covered: bool) -> None:
    found = QueueRow(row, raw, row.partition("_")[0], *[""] * 5, 1, 1, *[""] * 7, 1, *[""] * 4)
    assert ending.covers(jobref.parse(id), found) is covered
