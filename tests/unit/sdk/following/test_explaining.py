"""What a cluster that tells only its reasons is made to say of a waiting job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from slurm.render.explanation import lines
from slurm.sdk.backends.backend import Backend
from slurm.sdk.following.explaining import explanation

PENDING = """JobId=12 JobName=train
   UserId=ada(1000) GroupId=ada(1000) MCS_label=N/A
   JobState=PENDING Reason=Dependency Dependency=afterok:11(unfulfilled)
   StartTime=2026-11-29T20:00:00 EndTime=Unknown Deadline=N/A
   Partition=debug NodeList=(null) SchedNodeList=cn[01-02]
   NumNodes=1 NumCPUs=1

"""


class RealSlurm:
    """A cluster behind Slurm's commands."""

    def ask(self, words: Sequence[str]) -> str:
        assert words == ["scontrol", "show", "job", "12"]
        return PENDING


def test_reason_dependency_and_expected_start_are_told_in_words() -> None:
    told = lines(explanation(cast(Backend, RealSlurm()), "12"))
    assert told[:2] == ["Job 12 (train, ada) is PENDING: it waits for other jobs (Dependency)", "  depends on: afterok:11(unfulfilled)"]
    assert told[-1].startswith("It is expected to start ") and told[-1].endswith("at 2026-11-29T20:00:00, on cn[01-02]")
