"""The ways to the cluster for one request, opened as whom it comes from, and closed behind it."""

from __future__ import annotations

import grp
import os
import pwd

from slurm.client import following
from slurm.client.accounting import ClusterAccounting
from slurm.client.cluster import Cluster, connected_by_token
from slurm.client.database import DatabaseDaemon
from slurm.client.policy import PolicyDoor
from slurm.client.usage import StepUsage, step_usage
from slurm.net import client
from slurm.net.client import Connection
from slurm.net.discovery import Site
from slurm.slurmrestd.authentication import Claim
from slurm.slurmrestd.replies import Asker
from slurm.wire.follow_messages import RightsRead


class Connections:
    """One connection to slurmctld, which passes on what is slurmdbd's.

    SlurmError where it cannot be had, NotPermitted for a token that is not good.
    """

    def __init__(self, site: Site, claim: Claim, source: str) -> None:
        if claim.is_local:
            self._connection: Connection = client.reach(site)
            user, group = _own_names()
        else:
            self._connection, acting = connected_by_token(site, claim.token, claim.user)
            user, group = acting.user, acting.group
        self.asker = Asker(user=user, group=group, source=source)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def given_away(self) -> Connection:
        """The connection itself, which whoever takes it closes."""
        return self._connection

    @property
    def rights(self) -> RightsRead:
        """What the caller may see and do."""
        return following.rights(self._connection)

    @property
    def user(self) -> str:
        """Whom slurmctld takes the caller for."""
        return self.asker.user

    @property
    def uid(self) -> int:
        """His uid on this machine, -1 where it knows no such user."""
        try:
            return pwd.getpwnam(self.user).pw_uid
        except KeyError:
            return int(self.user) if self.user.isdecimal() else -1

    @property
    def cluster(self) -> Cluster:
        """What is now."""
        return Cluster(self._connection)

    @property
    def accounting(self) -> ClusterAccounting:
        """What was."""
        return ClusterAccounting(self._connection)

    @property
    def policy(self) -> PolicyDoor:
        """Who may."""
        return PolicyDoor(self._connection)

    def usage(self, job: str) -> list[StepUsage]:
        """What the running steps of a job use now; of one's own jobs, for operators of any."""
        return step_usage(self._connection, job)

    @property
    def daemon(self) -> DatabaseDaemon:
        """slurmdbd itself."""
        return DatabaseDaemon(self._connection)


def _own_names() -> tuple[str, str]:
    uid, gid = os.geteuid(), os.getegid()
    try:
        return pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name
    except KeyError:
        return str(uid), str(gid)
