"""`slurm jobs` in its parts: ids as they are typed, what a cancelled job is said to have become, what a watch exits with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from slurm.commands.cluster import overview
from slurm.commands.cluster.overview import Overview
from slurm.commands.failure import Failure
from slurm.commands.jobs import cancel, told, wanted
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following.inspection import CELL, QUEUE, ROW, NodeRow, QueueRow
from slurm.sdk.following.status import UNKNOWN, Status


class Cluster:
    """A backend whose jobs are in given states, one after the other each time that it is asked; `refusal` is what it says to every wish."""

    def __init__(self, states: dict[str, list[str]], refusal: str = "") -> None:
        self._states = states
        self._refusal = refusal
        self.cancelled: list[str] = []
        self.asked: list[list[str]] = []

    def ask(self, words: Sequence[str]) -> str:
        self.asked.append(list(words))
        return "".join(ROW + CELL.join("1" if name in ("%D", "%C", "%Q") else id if name in ("%i", "%A") else "RUNNING" if name == "%T" else "x"
                                       for name in QUEUE) + "\n" for id in self._states)

    def cancel(self, ids: Sequence[str]) -> None:
        self.cancelled += ids
        if self._refusal:
            raise BackendError(self._refusal)

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        return {id: Status(self._states[id].pop(0) if len(self._states[id]) > 1 else self._states[id][0]) for id in ids}


def row(id: str, state: str) -> QueueRow:
    return QueueRow(id, id, id.partition("_")[0], state, "ada", "debug", "", "", 1, 1, "", "", "", "", "", "", "", 0, "", "", "", "name")


def ended(cluster: Cluster, ids: list[str], *rows: QueueRow) -> dict[str, str]:
    """What is said of each."""
    return {one.id: one.message for one in cancel.end(cast(Backend, cluster), wanted.parse(ids), rows, patience=0.3)}


def test_ids_are_read_as_slurm_shows_them() -> None:
    assert [ref.show() for ref in wanted.parse(["12", "13_4,14_[1-3,7]"])] == ["12", "13_4", "14_[1-3,7]"]
    for text in ("x", "0", "12_", "12_[1-", "-5", "1 2", "12.0", "12+", ""):
        with pytest.raises(Failure) as raised:
            wanted.parse([text])
        assert raised.value.kind == "InvalidJobId" and raised.value.hints
    with pytest.raises(Failure, match="names 2 jobs"):
        wanted.single("1,2")


def test_rows_come_in_the_order_in_which_they_were_named() -> None:
    cluster = Cluster({"2_10": [], "7": [], "2_9": []})
    assert [one.id for one in wanted.rows(cast(Backend, cluster), wanted.parse(["7", "2"]))] == ["7", "2_9", "2_10"]
    assert cluster.asked[0][-2:] == ["-j", "7,2"]


def test_a_job_that_ends_is_said_to_be_cancelled() -> None:
    cluster = Cluster({"1": ["RUNNING", "COMPLETING", "CANCELLED"], "2": ["CANCELLED"], "3": [UNKNOWN]})
    assert ended(cluster, ["1", "2", "3"], row("1", "RUNNING"), row("2", "PENDING"), row("3", "RUNNING")) == {
        "1": "cancelled, it was RUNNING", "2": "cancelled, it was PENDING", "3": "cancelled, it was RUNNING"}


def test_a_job_that_may_not_be_cancelled_goes_on_and_is_said_to() -> None:
    cluster = Cluster({"1": ["RUNNING"], "2": ["CANCELLED"]}, refusal="1: Access/permission denied")
    outcomes = cancel.end(cast(Backend, cluster), wanted.parse(["1", "2"]), [row("1", "RUNNING"), row("2", "RUNNING")], patience=0.3)
    assert [(one.cancelled, one.done) for one in outcomes] == [(False, False), (True, True)]
    assert outcomes[0].message == "it is still RUNNING: 1: Access/permission denied"


def test_a_job_that_ended_by_itself_is_not_said_to_be_cancelled() -> None:
    cluster = Cluster({"1": ["COMPLETED"], "2": ["FAILED"]})
    assert ended(cluster, ["1", "2", "3"], row("1", "COMPLETED"), row("2", "RUNNING")) == {
        "1": "it had ended already: COMPLETED", "2": "it ended by itself meanwhile: FAILED", "3": "the cluster knows no such job"}
    assert cluster.cancelled == ["2"]


def test_a_whole_array_is_one_wish_and_some_of_its_elements_are_each_one() -> None:
    rows = [row(f"5_{task}", "PENDING") for task in range(4)]
    states = {one.id: ["CANCELLED"] for one in rows}
    whole, some, mine = Cluster(states), Cluster(states), Cluster(states)
    ended(whole, ["5"], *rows)
    ended(some, ["5_[1-2]"], *rows[1:3])
    ended(mine, [], *rows)
    assert (whole.cancelled, some.cancelled, mine.cancelled) == (["5"], ["5_1", "5_2"], ["5"])


@pytest.mark.parametrize(("states", "codes", "status"), [
    (["COMPLETED", "COMPLETED"], ["0:0", "0:0"], 0), (["COMPLETED", "FAILED"], ["0:0", "7:0"], 7), (["TIMEOUT"], ["0:15"], 143),
    (["CANCELLED"], ["0:0"], 1), ([UNKNOWN], [""], 1)])
def test_a_watch_exits_as_the_first_job_that_did_not_complete(states: list[str], codes: list[str], status: int) -> None:
    assert told.shell_status(states, codes) == status


def test_why_a_node_is_down_is_told_in_letters_only() -> None:
    node = NodeRow("cn1", "DOWN", ("gpu",), 4, 0, None, 1024, 0, None, 0, 0, "", "", "bad \x1b[31mdisk", "root@now")
    assert overview.troubles(Overview("lab", [], [node], {})) == ["", "cn1 is DOWN: bad \\x1b[31mdisk (root@now)"]
