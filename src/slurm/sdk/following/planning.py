"""What runs until when and what is planned: ours tells its plan; what a real Slurm reports of itself is planned here, by our planner."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from slurm.config.config import load
from slurm.journal import codec
from slurm.journal.shapes import VERSION
from slurm.model.schedule import Schedule
from slurm.sdk.backends.backend import Backend
from slurm.sdk.reported.cluster import report, schedule_of
from slurm.slurmctld import setup


@runtime_checkable
class Planning(Protocol):
    """A backend whose cluster tells its plan."""

    def plan(self, configured: str = "") -> Mapping[str, Any]:
        """The fields of a Schedule; of what it would be under another configuration where `configured` says one, as slurmctld reads it."""
        ...


def schedule(backend: Backend, conf: str = "") -> Schedule:
    """The plan of a cluster, or what it would be under the slurm.conf at the path `conf`; BackendError, ConfigError."""
    if isinstance(backend, Planning):
        return msgspec.convert(backend.plan(written(conf, time.time()) if conf else ""), Schedule)
    return schedule_of(report(backend.ask, time.time(), conf))


def written(path: str, now: float) -> str:
    """A configuration as slurmctld takes it; ConfigError where slurmctld would not start with it."""
    conf = load(os.path.abspath(path))
    body = codec.encode(setup.configured(conf, now, setup.operators(conf)))
    return f"{VERSION}:{base64.b64encode(body).decode()}"
