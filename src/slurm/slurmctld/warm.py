"""The state of a cluster as a slurmctld that stands by follows it, so that what is left to read when it takes the lead is little.

A snapshot, then every event as the leader writes it, read in a thread of its own twice a second. What cannot be followed is read anew.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from slurm.core.cluster import Cluster
from slurm.model.errors import StoreError
from slurm.slurmctld import restoring
from slurm.store.journal import Journal, Missed, Replica, StoreBusy
from slurm.store.state import State

log = logging.getLogger("slurmctld")
LOOK_SECONDS = 0.5
AGAIN_SECONDS = 30.0
"""After a failure it is begun anew so much later."""


class Warm:
    """One replica. `follow` is called again and again, `take` once, by who leads from then on."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._replica: Replica | None = None
        self._cluster: Cluster | None = None
        self._seq = 0
        self._not_before = 0.0
        self._thread = ThreadPoolExecutor(1, "replica")
        self._busy = False

    def follow(self) -> None:
        """Read what is new, in the thread, unless that goes on still."""
        if not self._busy and time.monotonic() >= self._not_before:
            self._busy = True
            self._thread.submit(self._look)

    def _look(self) -> None:
        self._not_before = time.monotonic() + LOOK_SECONDS
        try:
            self._read()
        except StoreBusy:
            pass  # the lease tells of that
        except Missed:
            self._forget()
        except StoreError as error:
            log.warning("the state cannot be followed, it is read when this slurmctld leads: %s", "; ".join(error.lines()))
            self._forget()
            self._not_before = time.monotonic() + AGAIN_SECONDS
        except Exception:
            log.exception("following the state failed, it is read when this slurmctld leads")
            self._forget()
            self._not_before = time.monotonic() + AGAIN_SECONDS
        finally:
            self._busy = False

    def _read(self) -> None:
        if self._replica is None:
            self._replica = self._state.replica()
        self._replica.refresh()
        if self._cluster is None:
            cluster = restoring.begun(self._replica)
            self._seq = self._replica.snapshot_seq
            self._cluster = cluster
        self._seq = restoring.go_on(self._cluster, self._replica, self._seq)

    def take(self, journal: Journal) -> Cluster | None:
        """The cluster as the journal has it now; None where it was not followed that far, and must be read. It is the end of following."""
        self._thread.shutdown(wait=True)
        cluster, seq = self._cluster, self._seq
        try:
            if cluster is None:
                return None
            restoring.go_on(cluster, journal, seq)
            return restoring.finished(cluster, journal)
        except StoreError as error:
            log.warning("what was followed does not go on in the journal, which is read: %s", "; ".join(error.lines()))
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Follow no more."""
        self._thread.shutdown(wait=True)
        self._forget()

    def _forget(self) -> None:
        replica, self._replica, self._cluster = self._replica, None, None
        if replica is not None:
            replica.close()
