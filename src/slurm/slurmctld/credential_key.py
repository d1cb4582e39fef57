"""Secrets that slurmctld makes at its first start and keeps beside its state, known to nobody else.

`credential.key` signs step credentials (`wire.step_credential`): nodes get its public half when they register. `authority.key` is what
certificates are issued under where there is no slurm.key (auth/munge).
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Collection

from slurm.model.errors import StoreError
from slurm.net.signing import SEED_BYTES, Signer

log = logging.getLogger("slurmctld")
NAME = "credential.key"
AUTHORITY = "authority.key"
_SHARED_KEY_BYTES = 64
"""What slurm-py kept in credential.key before it signed: a key that every node knew."""


def load(folder: str, owners: Collection[int]) -> Signer:
    """The key that signs, in a StateSaveLocation; it must belong to one of `owners` (uids) and be nobody else's to read. StoreError."""
    path = os.path.join(folder, NAME)
    seed = _read(path, owners)
    if seed is not None and len(seed) == _SHARED_KEY_BYTES:
        log.info("%s is the key of an earlier slurm-py, which nodes knew: a new one takes its place", path)
        os.unlink(path)
        seed = None
    return Signer(_make(path) if seed is None else seed)


def authority(folder: str, owners: Collection[int]) -> bytes:
    """What the controller's own certificate authority follows from (net.authority). StoreError."""
    path = os.path.join(folder, AUTHORITY)
    return _read(path, owners) or _make(path)


def _make(path: str) -> bytes:
    seed = os.urandom(SEED_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(seed)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise StoreError(message=f"cannot write {path}: {error.strerror}") from error
    return seed


def _read(path: str, owners: Collection[int]) -> bytes | None:
    """What the file holds, None where there is none; who owns it is asked of the file that was opened, not of its name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(message=f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        seed = file.read(_SHARED_KEY_BYTES + 1) if stat.S_ISREG(facts.st_mode) else b""
    why = ""
    if not stat.S_ISREG(facts.st_mode):
        why = "it is no regular file"
    elif facts.st_uid not in owners:
        why = f"it belongs to uid {facts.st_uid}, not to root or SlurmUser"
    elif facts.st_mode & 0o077:
        why = "others may read it"
    elif len(seed) not in (SEED_BYTES, _SHARED_KEY_BYTES):
        why = f"it has {len(seed)} bytes instead of {SEED_BYTES}"
    if why:
        raise StoreError(message=f"{path} cannot be trusted: {why}",
            hints=["remove it: a new one is made, and steps that start just then are refused"])
    return seed
