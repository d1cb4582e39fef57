"""The training of examples/parallel_train_eval goes on where it was stopped, and comes to the same line."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.examples.parallel_train_eval.state import State, load, save
from slurm.examples.parallel_train_eval.train_task import improved, train
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.calls import shipping


def test_a_training_that_was_requeued_does_only_the_steps_that_are_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = train.unwrapped(State(), 30, str(tmp_path / "."))
    begun = State()
    for _ in range(20):
        begun = improved(begun)
    again = tmp_path / "again"
    again.mkdir()
    save(again / "until-30.json", begun)
    capsys.readouterr()
    assert train.unwrapped(State(), 30, str(again)) == whole
    assert capsys.readouterr().out == "training from step 20 to 30\n"


def test_what_was_done_is_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = train.unwrapped(State(), 30, str(tmp_path))
    assert train.unwrapped(State(), 30, str(tmp_path)) == first == load(tmp_path / "until-30.json")
    assert capsys.readouterr().out == "training from step 0 to 30\ntraining from step 30 to 30\n"


def test_the_checkpoint_of_another_goal_is_not_taken(tmp_path: Path) -> None:
    first = train.unwrapped(State(), 20, str(tmp_path))
    assert train.unwrapped(first, 20, str(tmp_path)).step == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["until-20.json", "until-40.json"]


def test_the_examples_go_where_their_jobs_do(tmp_path: Path) -> None:
    folder = Path(shipping.runner(InlineBackend(), str(tmp_path)))
    assert (folder / "slurm/examples/parallel_train_eval/state.py").is_file() and (folder / "slurm/doors.py").is_file()
