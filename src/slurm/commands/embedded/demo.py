"""`slurm demo`: the main job, visibly.

Four emulated nodes, a sweep of twenty trainings four at a time, a report on the best model, and nothing left behind.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping

from slurm.commands.embedded import down, processes, programs, up
from slurm.commands.embedded.cluster import EmbeddedCluster
from slurm.commands.embedded.console import Console
from slurm.commands.embedded.shape import emulated
from slurm.model.errors import InvalidRequest
from slurm.net import client
from slurm.net.client import Connection
from slurm.net.discovery import INSTANCE_VARIABLE, state_home

PREFIX = "demo-"
RUN_SECONDS = 600.0
MARKS = {"PENDING": "·", "RUNNING": "▶", "COMPLETED": "✔", "COMPLETING": "✔"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm demo`."""
    parser.add_argument("--keep", metavar="FOLDER",
        help="keep outputs and models in FOLDER, which is made (default: they are removed at the end)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def examples_folder() -> str:
    """Where the example scripts lie: in the installed package, or beside the sources in a clone."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for folder in (os.path.join(package, "examples"), os.path.join(os.path.dirname(os.path.dirname(package)), "examples")):
        if os.path.exists(os.path.join(folder, "sweep.slurm")):
            return folder
    raise InvalidRequest(message="the examples are not installed with this slurm-py", hints=["run it from a clone, or reinstall slurm-py"])


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Run the demo; exit status 0 when every job of it completed.

    Everything lies in one folder beside the user's clusters, and goes with it.
    """
    if options.name:
        raise InvalidRequest(message="`slurm demo` takes no --name", hints=["it makes a cluster of its own and removes it at the end"])
    commands = programs.folder()
    programs.check(commands)
    keep = _new_folder(options.keep) if options.keep else ""
    _sweep(environ)
    name = f"{PREFIX}{os.getpid()}"
    cluster = EmbeddedCluster(environ, name)
    env = {**environ, INSTANCE_VARIABLE: name}
    env.pop("SLURM_CONF", None)
    # The commands of this very installation come first, and `python` is the one that has numpy.
    env["PATH"] = os.pathsep.join((commands, os.path.dirname(sys.executable), environ.get("PATH", "/usr/bin:/bin")))
    work = keep or f"{cluster.instance.root}/work"
    try:
        with cluster.locked(), processes.held() as heed:
            shape = emulated(up.machine(), nodes=4, cpus=16, memory=64 * 1024, gpus=2, gpu_type="h100")
            up.bring_up(cluster, shape, env, heed)
        console.line(f"A cluster for the demo is up: {up.describe(shape)}")
        shutil.copytree(examples_folder(), work, dirs_exist_ok=True)
        states = _main_job(env, work, console)
    finally:
        _remove(cluster, env)
    found = shutil.which("slurm", path=environ.get("PATH"))
    own = "slurm" if found and os.path.dirname(os.path.realpath(found)) == os.path.realpath(commands) else f"{commands}/slurm"
    console.line(f"The demo's cluster is stopped and removed. A cluster of your own:  {own} up")
    if keep:
        console.line(f"Outputs and models: {keep}")
    completed = all(state == "COMPLETED" for state in states.values())
    if console.json:
        console.answer({"jobs": states, "completed": completed, "kept": keep})
    return 0 if completed else 1


def _new_folder(path: str) -> str:
    folder = os.path.abspath(path)
    if os.path.exists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise InvalidRequest(message=f"--keep {path}: it exists and is not an empty folder",
            hints=["name a folder that does not exist yet"])
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InvalidRequest(message=f"--keep {path}: {error.strerror}", hints=["name a folder in which you may write"]) from error
    return folder


def _sweep(environ: Mapping[str, str]) -> None:
    """Remove what demos left that were killed."""
    home = state_home(environ)
    for name in os.listdir(home) if os.path.isdir(home) else []:
        number = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and number.isdigit() and not os.path.exists(f"/proc/{number}"):
            _remove(EmbeddedCluster(environ, name), environ)


def _remove(cluster: EmbeddedCluster, environ: Mapping[str, str]) -> None:
    with processes.undisturbed(), cluster.locked():
        down.take_down(cluster, environ)
        shutil.rmtree(cluster.instance.root, ignore_errors=True)


def _command(words: list[str], env: Mapping[str, str], work: str, console: Console) -> str:
    shown = " ".join(words)
    console.line(f"\n$ {shown}")
    found = subprocess.run(words, env=dict(env), cwd=work, capture_output=True, text=True, check=False)
    console.line((found.stdout + found.stderr).rstrip())
    if found.returncode:
        raise InvalidRequest(message=f"`{shown}` failed with status {found.returncode}")
    return found.stdout.strip()


def _main_job(env: Mapping[str, str], work: str, console: Console) -> dict[str, str]:
    _command(["sinfo"], env, work, console)
    sweep = _command(["sbatch", "--parsable", "sweep.slurm"], env, work, console)
    report = _command(["sbatch", "--parsable", f"--dependency=afterok:{sweep}", "report.slurm", sweep], env, work, console)
    _command(["squeue"], env, work, console)
    console.line()
    states = _follow(env, sweep, report, console)
    path = os.path.join(work, f"report_{report}.out")
    console.line(f"\n$ cat report_{report}.out")
    if os.path.exists(path):
        with open(path) as file:
            console.line(file.read().rstrip())
    bad = {name: state for name, state in states.items() if state != "COMPLETED"}
    if bad:
        console.error([f"not completed: {', '.join(f'{name} {state}' for name, state in sorted(bad.items()))}", *_last_words(work)])
    else:
        console.line(f"\nAll {len(states)} jobs completed.")
    return states


def _last_words(work: str) -> list[str]:
    """The last lines of what the jobs wrote to their error files: after the demo they are gone."""
    lines: list[str] = []
    for name in sorted(entry for entry in os.listdir(work) if entry.endswith((".err", ".out"))):
        with open(os.path.join(work, name), errors="replace") as file:
            lines += [f"{name}: {line.rstrip()}" for line in file.readlines()[-3:]]
    return lines[-30:]


def _states(connection: Connection, sweep: str, report: str) -> dict[str, str]:
    reply = connection.call({
        "type": "ListJobs", "fields": ["JobArrayID", "State"], "expand_arrays": True,
        "filter": {"ids": [sweep, report], "all_states": True}})
    return {row[0]: row[1] for row in reply["rows"]}


def _picture(states: dict[str, str], began: float) -> str:
    marks = "".join(MARKS.get(state, "✘") for _, state in sorted(states.items(), key=lambda item: _task_key(item[0])))
    counts = {word: sum(1 for state in states.values() if state == word) for word in ("PENDING", "RUNNING", "COMPLETED")}
    return (f"{marks}  {counts['PENDING']:2d} pending  {counts['RUNNING']:2d} running  {counts['COMPLETED']:2d} completed"
            f"  {time.monotonic() - began:5.1f} s")


def _task_key(name: str) -> tuple[int, int]:
    job, _, task = name.partition("_")
    return int(job), int(task) if task.isdigit() else 0


def _follow(env: Mapping[str, str], sweep: str, report: str, console: Console) -> dict[str, str]:
    """Watch until everything ended: one live line on a terminal, a line a change elsewhere."""
    began = time.monotonic()
    states: dict[str, str] = {}
    last = ""
    with client.connect(env) as connection:
        while time.monotonic() - began < RUN_SECONDS:
            states = _states(connection, sweep, report)
            picture = _picture(states, began)
            if console.fancy and not console.json:
                console.out.write("\r" + picture)
                console.out.flush()
            elif picture.partition("  ")[0] != last:
                console.line(picture)
            last = picture.partition("  ")[0]
            if states and all(state not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED") for state in states.values()):
                break
            time.sleep(0.2)
    if console.fancy:
        console.line()
    return states
