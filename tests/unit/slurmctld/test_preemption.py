"""What slurm.conf says of preemption: taken up, or refused with a sentence."""

from __future__ import annotations

import pytest

from slurm.config.config import parse
from slurm.model.errors import ConfigError
from slurm.model.settings import Settings
from slurm.slurmctld import preemption

BASE = "ClusterName=c\nSlurmctldHost=localhost\nNodeName=n1\nPartitionName=p Nodes=n1\nSelectTypeParameters=CR_Core_Memory\n"


def taken(text: str) -> Settings:
    return preemption.take_up(Settings(), parse(BASE + text, "slurm.conf"))


def test_what_is_written_is_taken_up() -> None:
    found = taken("PreemptType=preempt/qos\nPreemptMode=SUSPEND,GANG\nPreemptExemptTime=00:10:00\nSchedulerTimeSlice=60\n"
                  "PreemptParameters=youngest_first,min_exempt_priority=100,suspend_grace_time=5,send_user_signal,reorder_count=3\n")
    assert (found.preempt_type, found.preempt_modes, found.preempt_exempt_time, found.time_slice) == ("qos", ["suspend", "gang"], 600, 60)
    assert (found.preempt_youngest_first, found.preempt_min_exempt_priority, found.suspend_grace_time) == (True, 100, 5)
    assert (found.preempt_user_signal, found.preempt_reorder_count, found.preempt_strict_order) == (True, 3, False)


def test_without_a_word_nobody_gives_way() -> None:
    found = taken("")
    assert (found.preempt_type, found.preempt_modes, found.preempt_exempt_time) == ("none", ["off"], 0)


@pytest.mark.parametrize(("text", "told"), [
    ("PreemptType=preempt/qos\n", "needs a PreemptMode"),
    ("PreemptType=preempt/job_prio\n", "PreemptType=preempt/job_prio"),
    ("PreemptMode=SUSPEND\n", "needs GANG"),
    ("PreemptMode=KILL\n", "PreemptMode=KILL"),
    ("PreemptType=preempt/qos\nPreemptMode=CANCEL,REQUEUE\n", "in one way"),
    ("PreemptType=preempt/partition_prio\nPreemptMode=CANCEL,WITHIN\n", "WITHIN is for PreemptType=preempt/qos"),
    ("PreemptParameters=reclaim_licenses\n", "reclaim_licenses is not carried out yet"),
    ("PreemptParameters=youngest\n", "youngest is not known"),
    ("PreemptParameters=reorder_count=many\n", "is no number"),
    ("PartitionName=q Nodes=n1 PreemptMode=KILL\n", "PartitionName=q PreemptMode=KILL"),
    ("PartitionName=q Nodes=n1 PreemptMode=SUSPEND\n", "needs GANG for the whole cluster"),
    ("PreemptMode=GANG\nSchedulerTimeSlice=2\n", "from 5 to 65533"),
    ("PreemptMode=SUSPEND,GANG\nSelectTypeParameters=CR_Core\n", "must be tracked"),
])
def test_what_cannot_be_is_refused_with_a_sentence(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        taken(text)
    assert told in caught.value.message
