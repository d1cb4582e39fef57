"""`slurm cluster list`: the environments of a Slurmfile. Asks no cluster."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.sdk import slurmfile
from slurm.sdk.errors import SlurmfileError, SlurmfileNotFoundError

SHOWN = ("backend_type", "hostname", "username", "port", "partition", "account", "job_base_dir")
"""What is told of an environment; passwords are not."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cluster list`."""
    which_cluster.arguments(parser, json="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """List the environments; exit status 0, also when there is no Slurmfile."""
    start = os.path.abspath(options.slurmfile) if options.slurmfile else None
    with which_cluster.told():
        try:
            path, names = slurmfile.names(start, os.environ)
        except SlurmfileNotFoundError:
            if start or os.environ.get("SLURMFILE"):
                raise
            if console.json:
                console.answer({"slurmfile": None, "environments": []})
            console.line("No Slurmfile.toml here or above: without one, `slurm jobs` and Cluster.from_env() have the cluster of this "
                         "machine only.")
            return 0
    chosen = options.env or os.environ.get("SLURM_ENV") or "default"
    found = [{"name": name, "chosen": name == chosen, **_facts(start, name)} for name in names]
    if console.json:
        console.answer({"slurmfile": str(path), "environments": found})
        return 0
    console.table(["", "NAME", "BACKEND", "HOST", "PARTITION", "ACCOUNT"], [
        ["*" if one["chosen"] else "", str(one["name"]), str(one.get("backend_type", "")), _host(one), str(one.get("partition") or ""),
         str(one.get("account") or "")] for one in found], title=str(path), free=("HOST",))
    for one in found:
        if "error" in one:
            console.line(f"{one['name']}: {one['error']}")
    return 0


def _facts(start: str | None, name: str) -> dict[str, object]:
    try:
        settings = slurmfile.settings(start, name, os.environ, submitting=False)
    except SlurmfileError as error:
        return {"error": str(error)}
    settings.setdefault("partition", settings.get("default_partition"))
    settings.setdefault("account", settings.get("default_account"))
    return {key: settings[key] for key in SHOWN if settings.get(key) is not None}


def _host(one: Mapping[str, object]) -> str:
    user = f"{one['username']}@" if one.get("username") else ""
    port = f":{one['port']}" if one.get("port") not in (None, 22) else ""
    return f"{user}{one['hostname']}{port}" if one.get("hostname") else ""
