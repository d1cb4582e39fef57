"""The cluster's key, slurm.key: reading it, if it can be trusted, and making one. What follows from it: `authority`."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Collection

from slurm.model.errors import ConfigError

MIN_KEY = 16


def read_key(path: str, owners: Collection[int]) -> bytes:
    """The key in `path`, which must belong to one of `owners` (uids) and be readable by its owner alone; ConfigError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(message=f"cannot read the key {path}: {error.strerror}", hints=[
            f"make one with: dd if=/dev/random of={path} bs=1024 count=1; chmod 0600 {path}"]) from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(message=f"the key {path} is not a regular file")
        if facts.st_mode & 0o077:
            raise ConfigError(
                message=f"the key {path} has mode {facts.st_mode & 0o777:04o}: others could speak as anybody", hints=[f"chmod 0600 {path}"])
        if facts.st_uid not in owners:
            raise ConfigError(
                message=f"the key {path} belongs to uid {facts.st_uid}", hints=["it must belong to root or SlurmUser"])
        key = file.read()
    if len(key) < MIN_KEY:
        raise ConfigError(message=f"the key {path} has {len(key)} bytes", hints=[f"it needs at least {MIN_KEY}, better 1024"])
    return key


def make_key(path: str) -> bytes:
    """A new random key, written to `path` with mode 0600; ConfigError when there is one already or it cannot be written."""
    key = secrets.token_bytes(1024)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise ConfigError(message=f"cannot write the key {path}: {error.strerror}") from error
    return key
