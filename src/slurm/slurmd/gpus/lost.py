"""Devices that are lost while slurmd runs: their device file goes, or the driver says so."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from slurm.config.gres import GresDevice
from slurm.wire.messages import Message
from slurm.wire.node_messages import DevicesLost, LostDevice

log = logging.getLogger("slurmd.gpus")
GONE, OTHER, DRIVER = "is gone", "is another device now", "is lost, as its driver says"


class Watch:
    """The devices of a node. `readings` is the file in which the process that measures GPUs says which the driver has lost.

    A device file counts from the moment it was first there: what gres.conf names and was never there is not lost.
    """

    def __init__(self, devices: Sequence[GresDevice], readings: str) -> None:
        self._devices = [device for device in devices if device.file]
        self._readings = readings
        self._there: dict[str, tuple[int, int]] = {}
        self._told: list[LostDevice] = []

    def forget(self) -> None:
        """slurmctld knows of none: the node has just registered."""
        self._told = []

    def tell(self, send: Callable[[Message], None]) -> None:
        """Say which are lost, if that has changed since it was said last."""
        lost = self.look()
        if lost != self._told:
            self._told = lost
            log.error("lost devices: %s", ", ".join(f"{one.name} {one.index}: {one.why}" for one in lost) or "none any more")
            send(DevicesLost(lost=lost))

    def look(self) -> list[LostDevice]:
        """Those that are lost now, in the node's order."""
        if not self._devices:
            return []
        driver = _driver_lost(self._readings)
        found = []
        for device in self._devices:
            why = next((f"{file} {why}" for file in device.file.split(",") if (why := self._why(file) or driver.get(file, ""))), "")
            if why:
                found.append(LostDevice(name=device.name, index=device.index, why=why))
        return found

    def _why(self, file: str) -> str:
        try:
            status = os.stat(file)
        except OSError:
            return GONE if file in self._there else ""
        now = status.st_mode & 0o170000, status.st_rdev
        return "" if self._there.setdefault(file, now) == now else OTHER


def _driver_lost(readings: str) -> Mapping[str, str]:
    """Device file → why; nothing where nobody measures."""
    try:
        with open(readings, encoding="ascii") as file:
            return dict.fromkeys(json.load(file).get("lost", ()), DRIVER)
    except (OSError, ValueError):
        return {}
