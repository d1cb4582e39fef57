"""JobDefaults of slurm.conf: what a job gets for each GPU."""

from __future__ import annotations

import pytest

from slurm.notation.errors import NotationError
from slurm.notation.job_defaults import JobDefaults, parse


@pytest.mark.parametrize(("text", "meant", "shown"), [
    ("", JobDefaults(), ""),
    ("(null)", JobDefaults(), ""),
    ("DefCpuPerGPU=4", JobDefaults(4, None), "DefCpuPerGPU=4"),
    ("defmempergpu=2G, defcpupergpu=3", JobDefaults(3, 2048), "DefCpuPerGPU=3,DefMemPerGPU=2048"),
])
def test_a_text_is_read_and_shown_as_scontrol_does(text: str, meant: JobDefaults, shown: str) -> None:
    assert parse(text) == meant
    assert meant.show() == shown
    assert parse(shown) == meant


@pytest.mark.parametrize("text", ["4", "DefCpuPerGPU", "DefCpuPerGPU=-1", "DefMemPerGPU=much", "DefMemPerCPU=100", "DefCpuPerGPU=4,,"])
def test_what_is_no_default_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse(text)
