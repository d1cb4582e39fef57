"""slurmctld's clock: what the machine's shows, but never from one moment to the next an hour later or earlier.

Between two looks the time goes by as the kernel counts it since the machine started, which nobody sets. Where the machine's clock differs
from that by more than JUMP_SECONDS it was set: this clock goes on in the old time until the cluster's state was moved to the new one
(`core.clock`), so that no event mixes the two. Also what was set while slurmctld was not there is noticed, by a file in StateSaveLocation,
as long as the machine was not started anew.

A machine that was paused as a whole, and whose kernel did not count the pause, looks like one whose clock was set.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable

log = logging.getLogger("slurmctld")
JUMP_SECONDS = 5.0
"""What is less is followed: time servers move clocks by that."""
FILE = "clock"
_WRITE_SECONDS = 1.0
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_TIME_SPACE = "/proc/self/ns/time"


def boottime() -> float:
    """Seconds since this machine started, sleep included: nobody sets them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Called for seconds since the epoch. `wall` is the machine's clock, `boot` the seconds since it started, sleep included."""

    def __init__(self, *, wall: Callable[[], float] = time.time, boot: Callable[[], float] = boottime) -> None:
        self._wall = wall
        self._boot = boot
        self._started = wall() - boot()  # when the machine started, by this clock
        self._path = ""
        self._written: float | None = None

    def __call__(self) -> float:
        boot = self._boot()
        started = self._wall() - boot
        if abs(started - self._started) <= JUMP_SECONDS:
            self._started = started
        return boot + self._started

    @property
    def jump(self) -> float:
        """By how many seconds the machine's clock was set since it was followed last; 0.0: it was not."""
        by = self._wall() - self._boot() - self._started
        return by if abs(by) > JUMP_SECONDS else 0.0

    def follow(self) -> float:
        """Go by the machine's clock again; seconds by which this one is moved, 0.0 when nobody had set the other."""
        by = self.jump
        self._started += by
        return by

    def continue_from(self, folder: str, last_event: int) -> None:
        """Go on by the clock of the slurmctld before this one, as its file in `folder` says, if the machine runs since then.

        `last_event` is the number of the last event on disk: whether state was moved when slurmctld ended in the middle of that.
        """
        self._path = os.path.join(folder, FILE)
        try:
            with open(self._path, encoding="ascii") as file:
                machine, before, moved_by, after = file.read().strip().rsplit(" ", 3)
            if machine == _machine():
                self._started = float(after if int(moved_by) <= last_event else before)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read, so that nobody knows whether the clock was set meanwhile: %s", self._path, error)

    def continue_as(self, folder: str, started: float | None) -> None:
        """Go on by the clock of the leader before this one, which ran on another machine: by it this machine started at `started`.

        In seconds since the epoch; None: that is not known, and this machine's own clock counts. What this machine wrote down when it led
        itself is no news any more.
        """
        self._path = os.path.join(folder, FILE)
        if started is None or abs(started - self._started) <= JUMP_SECONDS:
            return
        log.warning("the clock of this machine shows %.0f s %s than that of the leader before: jobs keep their times. Set one of the two",
                    abs(self._started - started), "more" if self._started > started else "less")
        self._started = started

    def keep(self) -> None:
        """Write down, if it is news, what `continue_from` needs."""
        if self._written is None or abs(self._started - self._written) > _WRITE_SECONDS:
            self._write(self._started, 0, self._started)

    def keep_jump(self, event: int) -> None:
        """Write down that the event of this number will move state to the machine's clock as it is now."""
        self._write(self._started, event, self._started + self.jump)

    def _write(self, before: float, event: int, after: float) -> None:
        if not self._path:
            return
        self._written = after
        try:
            # A kill leaves the old file or the new one; a machine that loses power begins to count anew.
            with open(self._path + ".new", "w", encoding="ascii") as file:
                file.write(f"{_machine()} {before:.3f} {event} {after:.3f}\n")
            os.replace(self._path + ".new", self._path)
        except OSError as error:
            log.warning("%s cannot be written: a clock that is set while slurmctld is away will not be noticed: %s", self._path, error)


def _machine() -> str:
    """Which start of which machine this is, and which count of its seconds (containers may have one of their own)."""
    with open(_BOOT_ID, encoding="ascii") as file:
        boot = file.read().strip()
    space = ""
    with contextlib.suppress(OSError):  # kernels before 5.6 have one for all
        space = os.readlink(_TIME_SPACE)
    return f"{boot} {space}"
