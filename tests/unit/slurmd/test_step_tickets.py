"""Tickets: each is good once, for a moment, for one step; and nobody can have them all."""

import pytest

from slurm.model.errors import NotNow
from slurm.slurmd import step_tickets
from slurm.slurmd.step_tickets import Tickets
from slurm.slurmd.stepd.folder import StepKey, StepRecord
from slurm.wire.step_credential import StepCredential
from slurm.wire.step_io import TICKET_BYTES


def credential(step: int) -> StepCredential:
    return StepCredential(
        cluster="test", job=1, attempt=1, step=step, uid=7, gid=7, user="alice", job_shown="1", shares=[], issued=0.0, expires=120.0)


def record(step: int) -> StepRecord:
    return StepRecord(
        job=1, attempt=1, step=step, node="cn01", uid=7, gid=7, user="alice", argv=["true"], environment={}, work_dir="/", rlimits={})


def give(tickets: Tickets, step: int, uid: int = 7) -> bytes:
    return tickets.give(StepKey(1, 1, step), credential(step), record(step), uid)


def test_a_ticket_is_good_once_and_for_its_step() -> None:
    tickets = Tickets(lambda: 0.0)
    one, two = give(tickets, 1), give(tickets, 2)
    assert len(one) == TICKET_BYTES and one != two
    claim = tickets.take(one)
    assert claim is not None and claim.key.step == 1 and claim.uid == 7 and claim.remote
    assert tickets.take(one) is None and tickets.take(b"x" * TICKET_BYTES) is None
    assert len(tickets) == 1


def test_a_second_ticket_for_a_step_takes_the_place_of_the_first() -> None:
    tickets = Tickets(lambda: 0.0)
    first, second = give(tickets, 1), give(tickets, 1)
    assert tickets.take(first) is None and tickets.take(second) is not None and len(tickets) == 0


def test_a_ticket_is_not_good_for_long() -> None:
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    early = give(tickets, 1)
    now[0] = step_tickets.SECONDS
    late = give(tickets, 2)
    now[0] += 1.0
    assert tickets.take(early) is None and tickets.take(late) is not None


def test_one_user_cannot_have_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_tickets, "MOST_OF_A_USER", 3)
    tickets = Tickets(lambda: 0.0)
    for step in range(3):
        give(tickets, step)
    with pytest.raises(NotNow, match="too many steps are being started"):
        give(tickets, 3)
    give(tickets, 2)  # one of his own is replaced
    give(tickets, 4, uid=8)
    give(tickets, 5, uid=0)
