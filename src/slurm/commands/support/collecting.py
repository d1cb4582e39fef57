"""What goes into the bundle: each part a file's name and its text, made one by one; a part that cannot be made says why, and the others are
there.

Never: scripts, environments and command lines of jobs, keys, the database itself.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from glob import glob
from importlib.metadata import distributions

import msgspec

from slurm.client.cluster import Cluster
from slurm.commands.doctor.asking import controller_of
from slurm.commands.doctor.check import World
from slurm.commands.doctor.command import CHECKS
from slurm.commands.doctor.gather import facts
from slurm.config.config import SIBLINGS, Config, load
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.version import SLURM_VERSION, VERSION
from slurm.net import client
from slurm.net.discovery import find_site
from slurm.render import statistics

TAIL_BYTES = 1 << 20
"""So much of the end of each log."""
MOST_INCLUDES = 64
PATIENCE_SECONDS = 2.0
FILES = (*SIBLINGS, "slurmdbd.conf", "plugstack.conf", "job_container.conf", "helpers.conf", "acct_gather.conf", "oci.conf", "mpi.conf")
NODE_FIELDS = ("name", "state", "reason", "cpus", "real_memory", "alloc_cpus", "version", "gres", "boot_time", "slurmd_start_time",
    "last_busy")
_INCLUDE = re.compile(r"(?im)^\s*include\s+(\S+)")


def parts(conf: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name in the bundle, text), not scrubbed yet."""
    config: Config | None = None
    try:
        config = load(conf)
    except ConfigError as error:
        yield "configuration/problems.txt", "\n".join(error.lines()) + "\n"
    for path in _configuration(conf):
        yield f"configuration/{os.path.basename(path)}", _said(partial(_tail, path))
    yield "versions.json", _said(_versions)
    yield "doctor.json", _said(lambda: _doctor(conf, config, environ))
    if config is not None:
        for path in logs_of(config, conf):
            yield f"logs/{os.path.basename(path)}", _said(partial(_tail, path))
        yield "state.json", _said(partial(_state, config))
    yield from _cluster(environ)


def _said(make: Callable[[], str]) -> str:
    try:
        return make()
    except (OSError, SlurmError, sqlite3.Error) as error:
        return f"this could not be had: {error.message if isinstance(error, SlurmError) else error}\n"


def _configuration(conf: str) -> list[str]:
    """slurm.conf, what it includes, and the other files beside it, those that are there."""
    folder = os.path.dirname(os.path.abspath(conf))
    found = [conf, *(path for name in FILES if os.path.exists(path := os.path.join(folder, name)))]
    for path in found:
        if len(found) > MOST_INCLUDES:
            break
        try:
            included = _INCLUDE.findall(_tail(path))
        except OSError:
            continue
        found += [full for name in included if (full := os.path.join(folder, name)) not in found and os.path.exists(full)]
    return found


def logs_of(config: Config, conf: str) -> list[str]:
    """The logs of this machine's daemons."""
    named = [config.text("SlurmctldLogFile"), *(config.for_node("SlurmdLogFile", node) for node in config.nodes)]
    dbd = os.path.join(os.path.dirname(os.path.abspath(conf)), "slurmdbd.conf")
    if os.path.exists(dbd):
        named += re.findall(r"(?im)^\s*LogFile\s*=\s*\"?([^\"\s]+)", _tail(dbd))
    return [path for path in dict.fromkeys(named) if path and os.path.isfile(path)]


def _tail(path: str) -> str:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace")


def _versions() -> str:
    packages = {str(one.metadata["Name"]): one.version for one in distributions()}
    return json.dumps({
        "slurm-py": VERSION, "slurm": SLURM_VERSION, "python": sys.version, "system": platform.platform(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "packages": dict(sorted(packages.items()))}, indent=1) + "\n"


def _doctor(conf: str, config: Config | None, environ: Mapping[str, str]) -> str:
    here = facts(conf, config, environ)
    here.accounts = {}  # who has an account there helps nobody
    world = World(here, (here,), config, controller=controller_of(here, config, environ))
    findings = [one._asdict() for check in CHECKS for one in check.run(world)]
    return json.dumps({"findings": findings, "facts": msgspec.to_builtins(here)}, indent=1) + "\n"


def _state(config: Config) -> str:
    """Sizes of the files of StateSaveLocation, and how many rows of each kind the journal has."""
    folder = config.state_save_location
    if not os.path.isabs(folder):
        return "it is not in a folder\n"
    sizes = {os.path.relpath(path, folder): os.path.getsize(path) for path in sorted(glob(f"{folder}/**", recursive=True))
        if os.path.isfile(path)}
    kept = dict(list(sizes.items())[:1000])
    found: dict[str, object] = {"files": len(sizes), "bytes": sum(sizes.values()), "sizes": kept}
    journal = os.path.join(folder, "journal.db")
    if os.path.exists(journal):
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=2.0)) as connection:
            tables = [str(name) for name, in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            found["journal"] = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}
    return json.dumps(found, indent=1) + "\n"


def _cluster(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What slurmctld says: counters, nodes, how many jobs are in which state and why they wait."""
    try:
        connection = client.reach(find_site(environ), PATIENCE_SECONDS)
    except SlurmError as error:
        yield "controller.txt", "\n".join(error.lines()) + "\n"
        return
    with connection:
        door = Cluster(connection)
        yield "sdiag.json", _said(lambda: json.dumps(statistics.record(door.counters()), indent=1) + "\n")
        yield "nodes.json", _said(lambda: json.dumps([{name: node.get(name) for name in NODE_FIELDS}
                                                      for node in door.report("node").get("nodes", [])], indent=1) + "\n")
        yield "jobs.json", _said(lambda: json.dumps(_jobs(door), indent=1) + "\n")


def _jobs(door: Cluster) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state, reason in door.jobs(["State", "Reason"]).rows:
        name = f"{state} {reason}" if reason and reason != "None" else state
        counts[name] = counts.get(name, 0) + 1
    return counts
