"""SlurmUser and SlurmdUser: who a daemon becomes once root's work is done, and whom its files belong to."""

from __future__ import annotations

import os
import pwd
import stat
from typing import NamedTuple

from slurm.model.errors import ConfigError, StoreError


class Account(NamedTuple):
    """A user as the system knows it."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def is_wanted(self) -> bool:
        """Whether this process shall become this user: it is root's, and the user is another."""
        return os.geteuid() == 0 and self.uid != 0


def find(name: str, key: str) -> Account:
    """The account that the configuration key `key` names, by name or uid. ConfigError tells what the look-up said."""
    try:
        found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        if name.isdecimal():  # a uid without a name, as containers have them: its group has the same number
            own = int(name) == os.geteuid()
            return Account(name, int(name), os.getegid() if own else int(name), tuple(os.getgroups()) if own else ())
        raise ConfigError(message=f"{key}={name}: there is no such user", hints=[
            f"make it with useradd, or set {key} to a user that exists"]) from None
    except OSError as error:
        raise ConfigError(message=f"{key}={name}: the user cannot be looked up: {error.strerror or error}",
                          hints=["does the service answer that /etc/nsswitch.conf names for passwd?"]) from error
    return Account(found.pw_name, found.pw_uid, found.pw_gid, tuple(os.getgrouplist(found.pw_name, found.pw_gid)))


def become(account: Account) -> None:
    """Be this user from now on, in every thread and without a way back. ConfigError when the system refuses."""
    try:
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        raise ConfigError(message=f"cannot become user {account.name} (uid {account.uid}): {error.strerror}",
                          hints=["CAP_SETUID and CAP_SETGID are needed: start it as root, or as that user"]) from error


def closed_library() -> str:
    """A file of this program that this process may not read as the user that it has become, "" when there is none: what it has yet to
    import fails then."""
    for path in (os.__file__, __file__):
        try:
            os.stat(path)
        except OSError:
            return path
    return ""


def hand_over(path: str, account: Account) -> None:
    """Give an existing file or folder of root's to the account; links and what belongs to others are left alone. StoreError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(message=f"{path}: {error.strerror}") from error
    try:
        facts = os.fstat(descriptor)
        plain = stat.S_ISDIR(facts.st_mode) or (stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1)
        if plain and facts.st_uid == 0 != account.uid:
            os.fchown(descriptor, account.uid, account.gid)
    except OSError as error:
        raise StoreError(message=f"{path} cannot be given to {account.name}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def distrusted(facts: os.stat_result, owners: frozenset[int], mask: int) -> str:
    """Why a file or folder cannot be trusted, "" when it can: whose it is, and who else has one of the rights `mask` (as 0o022)."""
    if facts.st_uid not in owners:
        return (f"it belongs to uid {facts.st_uid}, who is neither root nor "
                f"{' nor '.join(str(uid) for uid in sorted(owners - {0})) or 'another of this daemon'}")
    if facts.st_mode & mask:
        return f"its mode is {facts.st_mode & 0o7777:04o}: others may {'write' if mask & facts.st_mode & 0o022 else 'read'} it"
    return ""
