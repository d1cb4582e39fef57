"""What may be changed of jobs that have ended, and nodes that are made by HTTP: what is read from the bodies."""

from __future__ import annotations

from typing import Any

import pytest

from slurm.model.errors import InvalidRequest, SlurmError, Unsupported
from slurm.slurmrestd import cluster
from slurm.slurmrestd.operation import Call
from slurm.slurmrestd.past_jobs import job_changes
from slurm.wire.sacctmgr_messages import JobChanges


@pytest.mark.parametrize(("body", "changes"), [
    ({"comment": {"administrator": "a", "job": "b", "system": "c"}}, JobChanges(admin_comment="a", comment="b", system_comment="c")),
    ({"derived_exit_code": {"return_code": 3}, "wckey": "red", "extra": "", "tres": {"allocated": []}}, JobChanges(derived_status=3 << 8, wckey="red")),
    ({"derived_exit_code": {"return_code": 0, "signal": {"id": 9, "name": ""}}}, JobChanges(derived_status=9))])
def test_a_body_says_what_is_changed(body: dict[str, Any], changes: JobChanges) -> None:
    assert job_changes(body) == changes


@pytest.mark.parametrize(("body", "error"), [
    ({}, InvalidRequest), ({"comment": {"job": ""}}, InvalidRequest), ({"extra": "x"}, Unsupported), ({"derived_exit_code": {"return_code": 300}}, InvalidRequest),
    ({"derived_exit_code": {"return_code": float("inf")}}, InvalidRequest)])
def test_what_says_nothing_or_cannot_be_changed_is_refused(body: dict[str, Any], error: type[SlurmError]) -> None:
    with pytest.raises(error):
        job_changes(body)


class Doors:
    """Keeps the nodes that are asked for."""

    made: dict[str, str] = {}

    @property
    def cluster(self) -> Doors:
        """Itself."""
        return self

    def create_nodes(self, changes: dict[str, str]) -> None:
        """Keep them."""
        Doors.made = changes


def asked(conf: str) -> dict[str, str]:
    cluster.create_node(Call(44, {}, {}, {"node_conf": conf}, Doors(), 0.0, "here"))  # type: ignore[arg-type]
    return Doors.made


def test_a_node_is_what_its_line_says() -> None:
    assert asked('NodeName=dyn1 CPUs=4 Feature="a,b" Reason="not yet"') == {"NodeName": "dyn1", "CPUs": "4", "Feature": "a,b", "Reason": "not yet"}
    for wrong in ("", "CPUs=4", "NodeName=a CPUs", "NodeName=a NodeName=b", 'NodeName="a'):
        with pytest.raises(InvalidRequest):
            asked(wrong)
