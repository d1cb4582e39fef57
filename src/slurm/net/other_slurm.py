"""A real Slurm beside ours: whether the cluster that is meant is one, and which programs are its own.

Who installs slurm-py on a login node has our commands before the site's on PATH. There they step aside.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from slurm.model.errors import ConfigError, Unreachable
from slurm.net.discovery import find_site

OF_OURS = b"from slurm.commands."
"""What stands in a script of ours."""
_HEAD = 4096
_WITHOUT_SERVER = ("/run/slurm/conf/slurm.conf",)
"""Where a configuration lies that slurmd fetched from the controller ("configless")."""
SACK_SOCKETS = ("/run/slurm/sack.socket", "/run/slurmctld/sack.socket", "/run/slurmdbd/sack.socket")
"""Where the daemons of a real Slurm with auth/slurm make credentials for its commands, in folders that only root can make."""


def is_ours(path: str) -> bool:
    """Whether a program is a command of slurm-py, of whichever installation."""
    try:
        with open(path, "rb") as file:
            return OF_OURS in file.read(_HEAD)
    except OSError:
        return False


def program(name: str, environ: Mapping[str, str]) -> str:
    """The first program of this name on PATH that is none of ours; "" when there is none."""
    return next((path for path in _on_path(name, environ) if not is_ours(path)), "")


def instead(name: str, environ: Mapping[str, str]) -> str:
    """The real Slurm's program of this name, where ours comes before it on PATH and the cluster that is meant is a real Slurm's; else
    ""."""
    first = next(_on_path(name, environ), "")
    other = program(name, environ) if is_ours(first) else ""
    return other if other and is_meant(environ, other) else ""


def is_meant(environ: Mapping[str, str], other: str) -> bool:
    """Whether the cluster that is meant speaks another protocol than ours; `other` is a program of the real Slurm.

    Only what lies on this machine decides: a real Slurm's command sends tokens and jobs unencrypted, so nobody on the network may bring it
    in.
    """
    try:
        site = find_site(environ)
    except ConfigError:
        return False
    except Unreachable:
        return any(os.path.exists(path) for path in _found_without_us(other))
    if site.embedded or site.auth.lower() == "auth/local" or any(point.is_unix and os.path.exists(point.path) for point in site.ways):
        return False
    return site.auth.lower() not in ("", "auth/slurm") or any(map(os.path.exists, SACK_SOCKETS))


def _found_without_us(other: str) -> Iterator[str]:
    """Where a real Slurm finds its configuration when nothing names it: beside itself, or fetched."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(other)))
    yield from (f"{prefix}/etc/slurm.conf", f"{prefix}/etc/slurm/slurm.conf", *_WITHOUT_SERVER)


def _on_path(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            yield path
