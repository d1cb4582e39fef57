"""A slurmd -Z: the NodeName line by which its node is made in slurmctld, of what its machine has and what --conf says."""

from __future__ import annotations

import os
import time
import uuid

from slurm.config import schema
from slurm.config.reader import pairs
from slurm.model.errors import ConfigError
from slurm.slurmd.hardware import Hardware

_SHAPE = frozenset({"CPUs", "Boards", "Sockets", "SocketsPerBoard", "CoresPerSocket", "ThreadsPerCore"})
"""Whoever names one of these says all of them."""
_REFUSED = {"NodeName": "-N says which node it is", "State": "it is there as soon as it has registered"}


def line(name: str, machine: Hardware, given: str) -> str:
    """The line of a node, with the KEY=VALUE pairs of --conf in the place of what was found. ConfigError."""
    rows = schema.section("NodeName")
    words: dict[str, str] = {}
    for key, text, fault in pairs(given.strip(), rows):
        row = rows.get(key)
        if fault or row is None or row.name in _REFUSED:
            why = fault or (_REFUSED[row.name] if row is not None else f"{key} is no key of a NodeName line")
            raise ConfigError(message=f"--conf {given!r}: {why}")
        words[row.name] = f'"{text}"' if any(letter.isspace() for letter in text) else text
    found = dict(word.partition("=")[::2] for word in machine.conf_line(name).split())
    if not _SHAPE.isdisjoint(words):
        found = {key: text for key, text in found.items() if key not in _SHAPE}
    host = os.uname().nodename
    whole = {**found, "NodeHostname": host, "NodeAddr": host, **words}
    return " ".join(f"{key}={text}" for key, text in whole.items())


def booted_now(machine: Hardware) -> Hardware:
    """The same machine as if it had just been started (slurmd -b): for tests, where nothing is."""
    return machine._replace(boot_time=time.time(), boot_id=f"b-{uuid.uuid4()}")
