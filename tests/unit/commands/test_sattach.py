"""sattach: which step is meant, its layout, and what it says when there is none."""

from __future__ import annotations

import pytest

from slurm.commands import sattach
from tests.unit.commands.world import Call, call


def run(*argv: str) -> Call:
    return call(sattach.main, "sattach", argv)


@pytest.mark.parametrize(("argv", "words"), [
    ((), "No job step ID given"), (("1",), "Invalid job step ID 1"), (("1.0", "1.1"), "One and only one step ID"), (("x.0",), "Invalid job step ID x.0"),
    (("1_[1-2].0",), "Invalid job step ID"), (("1.batch",), "the batch step has no streams"), (("--pty", "--input-filter=1", "1.0"), "--pty is incompatible"),
    (("--output-filter=x", "1.0"), 'Invalid numeric value "x" for --output-filter.'),
])
def test_what_is_no_step_is_refused(argv: tuple[str, ...], words: str) -> None:
    done = run(*argv)
    assert done.status != 0 and words in done.stderr


@pytest.mark.parametrize(("word", "step"), [("12.0", ("12", 0)), ("12_3.1", ("12_3", 1)), ("12.interactive", ("12", -6))])
def test_a_step_is_a_job_and_a_number(word: str, step: tuple[str, int]) -> None:
    assert sattach._step_of([word]) == step


def test_the_layout_is_shown_as_Slurm_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"job_id": 1, "step_id": 0, "layout": [{"node": "cn01", "ranks": [0, 1, 2]}, {"node": "cn02", "ranks": [3]}]}
    shown: list[str] = []

    class Out:
        class stdout:  # noqa: N801 - as a stream is called
            write = staticmethod(shown.append)

    assert sattach._show_layout(Out, found) == 0  # type: ignore[arg-type]
    assert "".join(shown) == (
        "Job step layout:\n\t4 tasks, 2 nodes (cn[01-02])\n\n\tNode 0 (cn01), 3 task(s): 0 1 2 \n\tNode 1 (cn02), 1 task(s): 3 \n")
