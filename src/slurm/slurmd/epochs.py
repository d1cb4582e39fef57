"""Whose orders a node takes: those of the slurmctld that leads, as far as is known here. One that was stopped and woke up is refused.

Each slurmctld that takes the lead has a higher epoch than all before it (store.lease). The highest with which this node registered is kept
in the spool, so that a slurmd that was restarted knows it too. Epochs are compared within one journal only: a cluster that began anew
counts anew.
"""

from __future__ import annotations

import json
import logging
import os
from typing import NamedTuple

from slurm.wire import node_messages as n

log = logging.getLogger("slurmd.epochs")
FILE = "epoch.json"


class Leader(NamedTuple):
    """A slurmctld in its term: the name of its journal, the epoch. Of one that counts no terms: nothing and 0."""

    state: str = ""
    epoch: int = 0


class Epochs:
    """The latest leader that this node knows; `spool` is where it is kept."""

    def __init__(self, spool: str) -> None:
        self._path = os.path.join(spool, FILE)
        self.latest = Leader()

    def open(self) -> None:
        """Take up what an earlier slurmd knew."""
        try:
            with open(self._path, encoding="utf-8") as file:
                kept = json.load(file)
            self.latest = Leader(str(kept["state"]), int(kept["epoch"]))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read, the next slurmctld is believed: %s", self._path, error)

    def registered(self, state: str, epoch: int) -> bool:
        """A slurmctld takes this node up in this term; False when a later one has: its orders are to be refused."""
        if state == self.latest.state:
            return self.takes(epoch)
        if self.latest.epoch:
            log.warning("slurmctld has another state than before (%s, not %s): its epochs are counted anew", state or "one without a name",
                        self.latest.state)
        self._know(Leader(state, epoch))
        return True

    def takes(self, epoch: int) -> bool:
        """Whether an order of this epoch is to be carried out; a higher one is known from here on."""
        if epoch > self.latest.epoch:
            self._know(self.latest._replace(epoch=epoch))
        return epoch == self.latest.epoch

    def leads(self, order: n.Order) -> bool:
        """Whether an order is of the slurmctld that leads, as far as is known here."""
        if isinstance(order, n.NodeAccepted):
            return self.registered(order.state, order.epoch)
        return self.takes(order.epoch)

    def refused(self, order: n.Order, *, late: bool = False) -> n.Overruled:
        """Nothing of it is done; what the slurmctld that gave it is told: its time is over."""
        job = getattr(order, "job", 0)
        log.error("order refused: %s%s is of a slurmctld of epoch %d%s; this node is of epoch %d", type(order).__name__,
                  f" of job {job} attempt {getattr(order, 'attempt', 0)}" if job else "", order.epoch,
                  ", which was silent and was left" if late else "", self.latest.epoch)
        return n.Overruled(epoch=self.latest.epoch, state=self.latest.state)

    def _know(self, leader: Leader) -> None:
        """On disk before the first order of this leader is carried out: the machine may go down then, and hear an earlier one
        afterwards."""
        self.latest = leader
        try:
            with open(self._path + ".new", "w", encoding="utf-8") as file:
                json.dump(leader._asdict(), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._path + ".new", self._path)
        except OSError as error:
            log.error("cannot write %s, a restart of this slurmd forgets which slurmctld leads: %s", self._path, error.strerror)
