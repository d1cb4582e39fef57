"""Which cluster a subcommand of `slurm` means: one of a Slurmfile, or that of this machine, which is never started for it."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from slurm.net.discovery import INSTANCE_VARIABLE, find_site
from slurm.sdk import slurmfile
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError, SlurmfileNotFoundError


class Meant(NamedTuple):
    """A cluster: `name` is what it is called, `distant` whether a network is between."""

    name: str
    backend: Backend
    distant: bool


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which cluster."""
    parser.add_argument("-e", "--env", metavar="NAME", help="environment of the Slurmfile (default: $SLURM_ENV, else `default`)")
    parser.add_argument("-f", "--slurmfile", metavar="PATH", help="the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)")


def meant(options: argparse.Namespace, environ: Mapping[str, str]) -> Meant:
    """The cluster of the Slurmfile that the options name or that is found from here upwards, else that of this machine.

    Unreachable when there is none here, SlurmfileError for a Slurmfile that is missing or wrong, BackendError for a backend without a queue.
    """
    try:
        settings = slurmfile.settings(options.slurmfile, options.env, environ)
    except SlurmfileNotFoundError:
        if options.slurmfile or options.env or environ.get("SLURMFILE"):
            raise
        settings = {"backend_type": "local"}
    kind = settings["backend_type"]
    if kind == "local":
        return _here({**environ, INSTANCE_VARIABLE: options.name} if options.name else environ, options.env or "")
    if kind in ("inline", "subprocess"):
        raise BackendError(f"the environment {options.env or 'default'} of the Slurmfile has backend = \"{kind}\", which has no queue to look at")
    from slurm.sdk.cluster import Cluster

    cluster = Cluster(**settings)
    return Meant(options.env or environ.get("SLURM_ENV") or str(settings.get("hostname", kind)), cluster.backend, kind == "ssh")


def _here(environ: Mapping[str, str], name: str) -> Meant:
    """The cluster of this machine: ours by its protocol, a real Slurm by its commands."""
    from slurm.sdk.backends.local import LocalBackend

    site = find_site(environ)
    local: Any = LocalBackend(environ)
    if not site.embedded and shutil.which("squeue", path=environ.get("PATH", os.defpath)) and not _answers(local):
        from slurm.sdk.backends.commands import CommandsBackend

        local = CommandsBackend(environ)
    return Meant(name or site.cluster, local, False)


def _answers(backend: Backend) -> bool:
    try:
        backend.max_array()
    except BackendError:
        return False
    return True
