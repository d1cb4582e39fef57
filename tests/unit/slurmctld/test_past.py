"""What slurmctld passes on to slurmdbd: which requests those are, and how many of whom."""

import asyncio

import msgspec
import pytest

from slurm.model.errors import NotNow
from slurm.net.endpoint import unix
from slurm.slurmctld.dispatch import HANDLERS
from slurm.slurmctld.past import MOST_OF_ONE, PASSED_ON, QUESTION, Past
from slurm.slurmdbd.dispatch import Question
from slurm.wire.messages import Message, Ping


def test_no_request_has_two_meanings() -> None:
    assert {each.__name__ for each in PASSED_ON}.isdisjoint(each.__name__ for each in HANDLERS)


def test_everything_that_slurmdbd_answers_is_passed_on_except_what_both_answer() -> None:
    assert {*PASSED_ON, Ping} == set(Question.__args__)


@pytest.mark.parametrize("kind", PASSED_ON, ids=lambda kind: kind.__name__)
def test_a_question_is_known_by_how_it_begins(kind: type[Message]) -> None:
    for text in (f'{{"type":"{kind.__name__}"}}', f' {{ "type" : "{kind.__name__}", "wanted": {{}}}}'):
        assert QUESTION.match(text.encode()), text
    assert QUESTION.match(f'{{"type":"{kind.__name__}s"}}'.encode()) is None


def test_what_slurmctld_answers_itself_is_not_passed_on() -> None:
    for kind in HANDLERS:
        assert QUESTION.match(msgspec.json.encode({"type": kind.__name__})) is None


def test_one_users_questions_leave_room_for_those_of_others_and_roots() -> None:
    async def main() -> None:
        past = Past("lab", [unix("/nonexistent/slurmdbd.sock")], None, None, frozenset({0}))
        waiting = [asyncio.ensure_future(past.ask(1001, b"{}")) for _ in range(300)]
        await asyncio.sleep(0)
        refused = [task for task in waiting if task.done() and isinstance(task.exception(), NotNow)]
        assert len(refused) == 300 - MOST_OF_ONE
        others = [asyncio.ensure_future(past.ask(uid, b"{}")) for uid in range(2000, 2100)]
        roots = [asyncio.ensure_future(past.ask(0, b"{}", first=True)) for _ in range(200)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in (*others, *roots))
        for task in (*waiting, *others, *roots):
            task.cancel()
        await asyncio.wait([*others, *roots])
        assert not past._askers
        await past.close()

    asyncio.run(main())
