"""Every field of every message that a daemon takes from outside has its bounds in its type: who adds one without them is stopped here."""

import typing

import msgspec
import pytest

from slurm.model import bounds
from slurm.model.request import BatchPayload, JobRequest, StepRequest
from slurm.options import tables
from slurm.slurmdbd.dispatch import Question
from slurm.wire import messages as m
from slurm.wire import node_messages as n
from slurm.wire.dbd_messages import AskFor, FollowPolicy, PolicyTaken, RegisterCluster
from slurm.wire.relay_messages import SackdAccepted

TAKEN: tuple[type[msgspec.Struct], ...] = (
    *typing.get_args(m.Request), *typing.get_args(n.FromNode), *typing.get_args(n.ToNode), SackdAccepted, n.LaunchStep, n.AttachStep, JobRequest, StepRequest, BatchPayload, m.JobFilter,
    *typing.get_args(Question), RegisterCluster, FollowPolicy, PolicyTaken, AskFor)


@pytest.mark.parametrize("kind", TAKEN, ids=lambda kind: kind.__name__)
def test_every_field_that_somebody_sends_has_bounds(kind: type[msgspec.Struct]) -> None:
    bounds.checker(kind)


def test_a_field_without_bounds_does_not_pass() -> None:
    class Careless(msgspec.Struct):
        name: str = ""

    class CarelessList(msgspec.Struct):
        names: typing.Annotated[list[str], bounds.Many(3)] = []

    for kind in (Careless, CarelessList):
        with pytest.raises(TypeError, match="needs one bound"):
            bounds.checker(kind)


def test_what_an_option_sets_has_bounds() -> None:
    known = {**bounds.bounds_of(JobRequest), **bounds.bounds_of(StepRequest)}
    sets = {field for command in ("sbatch", "srun", "salloc") for row in tables.rows(command) for field in row.sets.split()}
    assert sets - set(known) == set()
