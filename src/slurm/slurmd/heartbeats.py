"""When this node last heard that its controller lives, written where its slurmstepds look it up: the base of their leases.

What counts is when we asked, not when the answer came: the controller heard us then or later, so its own count cannot be ahead of ours.
That nobody serves (each controller's host refuses connections) counts too: nobody gives jobs to others then.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable

from slurm.slurmd.stepd.timekeeping import boot_clock

log = logging.getLogger("slurmd")
NAME = "heartbeat"
_WIDTH = 32


class Heartbeats:
    """The file `folder`/heartbeat: seconds of CLOCK_BOOTTIME as text. It lives in the page cache; nothing waits for a disk."""

    def __init__(self, folder: str, clock: Callable[[], float] = boot_clock) -> None:
        self.path = os.path.join(folder, NAME)
        self._clock = clock
        self._asked: deque[float] = deque()
        self._file = -1
        self._last = 0.0
        self._lost = False  # whether it was said that the file cannot be written

    def open(self) -> None:
        """Begin. What an earlier slurmd wrote in this boot still counts. OSError."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """End; the file stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def asked(self) -> None:
        """Something was sent that is answered in turn."""
        self._asked.append(self._clock())

    def answered(self) -> None:
        """The oldest of what was sent was answered."""
        if self._asked:
            self._heard(self._asked.popleft())

    def disconnected(self) -> None:
        """What was sent will not be answered."""
        self._asked.clear()

    def nobody_serves(self) -> None:
        """Every controller's host refused."""
        self._heard(self._clock())

    def _heard(self, moment: float) -> None:
        if moment > self._last and self._file >= 0:
            self._last = moment
            self._find_again()
            os.pwrite(self._file, f"{moment:.3f}".encode().ljust(_WIDTH), 0)

    def _find_again(self) -> None:
        """Somebody removed or replaced the file: leases would end for that, since slurmstepds look it up by its name."""
        try:
            if os.path.samestat(os.fstat(self._file), os.stat(self.path)):
                return
        except OSError:
            pass  # it is not there
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
            fresh = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if not self._lost:
                log.error("%s was removed and cannot be made anew: %s", self.path, error.strerror)
            self._lost = True
            return
        os.close(self._file)
        self._file, self._lost = fresh, False
