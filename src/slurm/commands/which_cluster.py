"""Which cluster `slurm jobs`, `slurm top` and their like mean, and how what goes wrong with it is told. None is ever started for a look.

The one of --env and --slurmfile; else of the Slurmfile that $SLURMFILE names or that lies here or above; else the one of this machine, as
sbatch finds it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from slurm.commands.failure import Failure
from slurm.model.errors import SlurmError
from slurm.net.discovery import INSTANCE_VARIABLE, find_site
from slurm.sdk import slurmfile
from slurm.sdk.backends.backend import Backend
from slurm.sdk.cluster import Cluster
from slurm.sdk.errors import BackendError, SdkError, SlurmfileNotFoundError
from slurm.sdk.following import inspection

WITHOUT_QUEUE = ("inline", "subprocess")


class Meant(NamedTuple):
    """A cluster: `name` is what it is called, `distant` whether a network is between."""

    name: str
    backend: Backend
    distant: bool


def arguments(parser: argparse.ArgumentParser, *, slurmfile_flags: tuple[str, ...] = ("-f", "-s"), json: str = "") -> None:
    """The options that say which cluster is meant; and --json, where it is said what that prints."""
    parser.add_argument("-e", "--env", metavar="NAME", help="environment of the Slurmfile (default: $SLURM_ENV, else `default`)")
    parser.add_argument(*slurmfile_flags, "--slurmfile", metavar="PATH",
        help="the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)")
    if json:
        parser.add_argument("--json", action="store_true", help=json)


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Cluster]:
    """The cluster, whose connections are closed at the end; errors of the SDK become Failures."""
    with told():
        cluster = _cluster(options)
        try:
            yield cluster
        finally:
            cluster.close()


@contextmanager
def told() -> Iterator[None]:
    """Errors of the SDK, and of files that it reads, become Failures of the same name."""
    try:
        yield
    except SlurmError:
        raise
    except SdkError as error:
        below = error.__cause__
        if isinstance(below, SlurmError):
            raise Failure(type(error).__name__, below.message, below.hints) from error
        first, *more = inspection.lines(str(error)) or [type(error).__name__]
        raise Failure(type(error).__name__, first, more) from error
    except ValueError as error:
        raise Failure(type(error).__name__, str(error)) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise Failure(type(error).__name__, f"{error.filename}: {error.strerror}") from error


def meant(options: argparse.Namespace, environ: Mapping[str, str]) -> Meant:
    """The cluster and what to call it; SdkError when it cannot be had."""
    cluster = _cluster(options)
    return Meant(name(options, cluster), cluster.backend, cluster.backend_type == "ssh")


def name(options: argparse.Namespace, cluster: Cluster) -> str:
    """What a cluster is called: its environment in the Slurmfile, else its host, else the name in its slurm.conf."""
    named = options.env or os.environ.get("SLURM_ENV", "")
    if named:
        return named
    if cluster.backend_type == "ssh":
        return str(login(cluster))
    try:
        return find_site(os.environ).cluster
    except SlurmError:
        return cluster.backend_type  # a real Slurm whose slurm.conf lies where only its commands look


def login(cluster: Cluster) -> Any:
    """The `Login` of a cluster behind ssh; as text it is user@host:port, as far as they are said. TypeError for another cluster."""
    from slurm.sdk.backends.ssh import SshBackend  # asyncssh is loaded by now

    if not isinstance(cluster.backend, SshBackend):
        raise TypeError(f"{cluster!r} has no login node")
    return cluster.backend.connection.login


def _cluster(options: argparse.Namespace) -> Cluster:
    return Cluster(**settings(options), start=False)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What a Slurmfile says of the cluster that is meant, {} for the one of this machine; asks no cluster.

    SdkError for one that has no queue or is not described.
    """
    if options.name:
        os.environ[INSTANCE_VARIABLE] = options.name
        os.environ.pop("SLURM_CONF", None)
    try:
        found = slurmfile.settings(os.path.abspath(options.slurmfile) if options.slurmfile else None, options.env, os.environ,
            submitting=False)
    except SlurmfileNotFoundError:
        if options.env or options.slurmfile or os.environ.get("SLURMFILE"):
            raise
        found = {}
    kind = found.get("backend_type", "local")
    if kind in WITHOUT_QUEUE:
        raise BackendError(f"the environment {options.env or os.environ.get('SLURM_ENV') or 'default'} of the Slurmfile has backend = "
                           f"\"{kind}\", "
                           "which has no queue to look at")
    return found
