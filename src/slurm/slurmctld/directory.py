"""Directory: which users and groups this machine knows, for reservations."""

from __future__ import annotations

import grp
import pwd

DIGITS = 10


class SystemDirectory:
    """The users and groups of the operating system."""

    def user(self, text: str) -> str | None:
        """The login name of a name or uid, None when there is no such user."""
        try:
            return pwd.getpwuid(int(text)).pw_name if text.isdecimal() and len(text) <= DIGITS else pwd.getpwnam(text).pw_name
        except (KeyError, OverflowError):
            return None

    def members(self, group: str) -> list[str] | None:
        """The users listed in a group, None when there is no such group; those whose first group it is are known by their jobs."""
        try:
            return list(grp.getgrnam(group).gr_mem)
        except KeyError:
            return None


def uid_of(user: str) -> int | None:
    """The uid of a login name, None where this machine knows it not."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None
