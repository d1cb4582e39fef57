"""What slurmctld passes on to slurmdbd: which requests those are."""

import msgspec
import pytest

from slurm.slurmctld.dispatch import HANDLERS
from slurm.slurmctld.past import PASSED_ON, QUESTION
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
