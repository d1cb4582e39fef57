"""One operation of the API and one call of it: what handlers are given and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from slurm.client.accounting import ClusterAccounting
from slurm.client.cluster import Cluster
from slurm.client.database import DatabaseDaemon
from slurm.client.policy import PolicyDoor
from slurm.client.usage import StepUsage
from slurm.model.errors import InvalidRequest
from slurm.slurmrestd.reading import Body


class Doors(Protocol):
    """The ways to the cluster, opened for whom the request comes from when a handler first wants one."""

    @property
    def user(self) -> str:
        """Whom slurmctld takes the caller for."""
        ...

    @property
    def uid(self) -> int:
        """His uid on this machine, -1 where it knows no such user."""
        ...

    @property
    def cluster(self) -> Cluster:
        """What is now."""
        ...

    @property
    def accounting(self) -> ClusterAccounting:
        """What was."""
        ...

    @property
    def policy(self) -> PolicyDoor:
        """Who may."""
        ...

    def usage(self, job: str) -> list[StepUsage]:
        """What the running steps of a job use now."""
        ...

    @property
    def daemon(self) -> DatabaseDaemon:
        """slurmdbd itself."""
        ...


@dataclass
class Call:
    """One request: `path` and `query` by name, the body as its schema reads it; `now` seconds since the epoch.

    `warnings` and `errors` go into the reply.
    """

    version: int
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Body
    doors: Doors
    now: float
    host: str
    key: str = ""  # Idempotency-Key: the client's own name for this request
    known: str = ""  # If-None-Match: the tag of the reply that the client has
    tag: str = ""  # the reply's own, where the handler knows one; else it is made of the reply
    warnings: list[str] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    status: int = 200

    def since(self) -> float:
        """The query parameter update_time; 0: it was not given. InvalidRequest."""
        text = self.query.get("update_time", "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 12):
            raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=["update_time is in seconds since the epoch"])
        return float(text or 0)

    def flags(self) -> frozenset[str]:
        """The words of the query parameter `flags`."""
        return frozenset(self.query.get("flags", "").split(",")) - {""}


Handler = Callable[[Call], dict[str, Any]]
"""The records of the reply under their keys; the SlurmError that it raises becomes status and `errors`."""


class Operation(NamedTuple):
    """A row of the table: "GET /slurm/{version}/jobs/" as openapi.json has it; `absent` are the names of errors which say that what the
    path names is not there."""

    name: str
    handler: Handler
    absent: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """slurm, slurmdb or util."""
        return self.name.split("/")[1]
