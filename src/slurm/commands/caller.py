"""Who calls a command, for the end of its JSON."""

from __future__ import annotations


def names() -> tuple[str, str]:
    """The names of the caller's user and group on this machine, their numbers where they have none."""
    import grp
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    except KeyError:
        return str(os.getuid()), str(os.getgid())
