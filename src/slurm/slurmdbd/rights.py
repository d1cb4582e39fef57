"""Who may see and do what: root, SlurmUser and those whom sacctmgr made operators or administrators, coordinators, everybody else."""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection
from typing import NamedTuple

from slurm.model.errors import NotPermitted
from slurm.net.peer import Peer
from slurm.store.accounting.database import Database
from slurm.store.accounting.finding import Visible

OPERATOR, ADMINISTRATOR = "Operator", "Administrator"
_RANK = {"None": 0, OPERATOR: 1, ADMINISTRATOR: 2}


class Asker(NamedTuple):
    """Who asks: uid, name, and rank by sacctmgr's AdminLevel (0: none)."""

    uid: int
    user: str
    rank: int
    accounts: Collection[str]  # that he coordinates

    def require(self, level: str) -> None:
        """NotPermitted below this AdminLevel."""
        if self.rank < _RANK[level]:
            raise NotPermitted(hints=[f"this is for root, SlurmUser and users whose AdminLevel is {level}"])

    def visible(self, private: bool) -> Visible | None:
        """Whose jobs he may see where they are private; None: all."""
        return None if self.rank or not private else Visible(self.uid, tuple(self.accounts))


def user_name(uid: int) -> str:
    """The login name, the number itself where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def asker(database: Database, operators: Collection[int], uid: int) -> Asker:
    """Who this uid is; asks the database."""
    user = user_name(uid)
    if uid in operators:
        return Asker(uid, user, _RANK[ADMINISTRATOR], ())
    return Asker(uid, user, _RANK.get(database.admin_level(user), 0), database.coordinated(user))


def ordinary(uid: int) -> Asker:
    """This uid without any rights over others."""
    return Asker(uid, user_name(uid), 0, ())


def operators(slurm_user: int) -> frozenset[int]:
    """The uids that may do everything: root, SlurmUser, and whoever the daemon runs as."""
    return frozenset({0, slurm_user, os.geteuid()})


def is_controller(peer: Peer, own: Collection[int]) -> bool:
    """Whether a peer may speak for a slurmctld: by its certificate, or as a process of root or SlurmUser."""
    if peer.via:
        return False
    return peer.party.role == "slurmctld" if peer.party is not None else peer.identity.uid in own
