"""The site's Python plug-ins around a step (plugstack.conf): each function is called in a process of its own with a deadline, but
task_init, which is called in the task's, before its program.

What one of them raises, or how long it hangs, is its step's matter: a required one keeps the step from running, of an optional one its user
is told. Nothing of it runs in slurmstepd itself.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from slurm.plugins import worker
from slurm.plugins.plugstack import StepPlugin
from slurm.slurmd.stepd import kernel, tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.loop import READ, Loop
from slurm.slurmd.stepd.user import become

_LONGEST_ANSWER = 1 << 20
_CHUNK = 65_536
_BEYOND = 3


class PluginError(Exception):
    """A plug-in refused, failed or took too long; the text says which and how."""


def plugins_of(record: StepRecord) -> list[StepPlugin]:
    """The plug-ins of a step."""
    return [StepPlugin(**{**one, "options": ()}) for one in record.plugins]


Changes = dict[str, "str | None"]
"""What a plug-in wants of the environment of tasks: None takes a variable away."""


def call(loop: Loop, record: StepRecord, plugin: StepPlugin, place: str, cgroup: Cgroup | None, **facts: object) -> Changes:
    """Call a function: user_init as the step's owner and in its `cgroup`, the others as who runs this. The loop is served meanwhile.

    `facts` are told besides those of every call. PluginError, OSError.
    """
    told = {**facts_of(record, plugin), **facts}
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            _serve(record, plugin, place, told, cgroup, writing)
        finally:
            os._exit(1)
    os.close(writing)
    answer = _Answer(reading)
    try:
        loop.watch(reading, READ, answer.on_event)
        loop.at(time.monotonic() + plugin.seconds, answer.late)
        loop.run(lambda: answer.over)
    finally:
        loop.unwatch(reading)
        os.close(reading)
        tree.send([pid, *tree.descendants(pid)], signal.SIGKILL)
        _wait(pid)
    if answer.is_late:
        raise PluginError(f"{plugin.file}: {place} has not come to an end within {plugin.seconds:g} s")
    return _environment(plugin, place, answer.said())


def in_task(record: StepRecord, rank: int, local: int, environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Call task_init of each plug-in in this process, which becomes the task: its environment then, and sentences about optional ones that
    failed. PluginError for a required one."""
    made = dict(environment)
    told: list[str] = []
    for plugin in plugins_of(record):
        if plugin.broken or "task_init" not in plugin.functions:
            continue
        try:
            module = worker.load({"file": plugin.file, "entry_point": "", "module": ""})
            facts = {**facts_of(record, plugin), "environment": made, "rank": rank, "local_rank": local}
            answer = worker.call(module, "task_init", SimpleNamespace(**facts), _settings(plugin))
            apply(made, _environment(plugin, "task_init", answer))
        except (Exception, SystemExit) as error:
            sentence = str(error) if isinstance(error, PluginError) else f"{plugin.file}: task_init: {type(error).__name__}: {error}"
            if plugin.required:
                raise PluginError(sentence) from error
            told.append(sentence)
    return made, told


def apply(environment: dict[str, str], changes: Changes) -> None:
    """Change it as a plug-in wants."""
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value


def facts_of(record: StepRecord, plugin: StepPlugin) -> dict[str, object]:
    """What a plug-in is told of a step."""
    begins = plugin.variable("")
    return {
        "job_id": record.job, "step": record.key.step_name, "user": record.user, "uid": record.uid, "gid": record.gid, "node": record.node,
        "node_rank": record.node_rank, "ranks": list(record.ranks), "argv": record.argv, "work_dir": record.work_dir,
        "environment": dict(record.environment), "options": {name[len(begins):].replace("_", "-"): value
            for name, value in record.environment.items() if name.startswith(begins)}}


def _serve(record: StepRecord, plugin: StepPlugin, place: str, facts: Mapping[str, object], cgroup: Cgroup | None, writing: int) -> None:
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)
    kernel.take_signals((*kernel.PYTHONS_OWN, int(signal.SIGCHLD), *kernel.ignored()))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if writing != _BEYOND:
        os.dup2(writing, _BEYOND)
    try:
        module = worker.load({"file": plugin.file, "entry_point": "", "module": ""})  # the owner may not be able to read it
        if place == "user_init":
            if cgroup is not None:
                cgroup.enter()
            become(record)
            kernel.die_with_parent(signal.SIGKILL)
        os.closerange(_BEYOND + 1, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        answer = worker.call(module, place, SimpleNamespace(**facts), _settings(plugin))
    except (Exception, SystemExit) as error:
        answer = {"failed": f"{type(error).__name__}: {error}"}
    body = json.dumps(answer).encode()
    while body:
        body = body[os.write(_BEYOND, body):]
    os._exit(0)


class _Answer:
    """What comes through the pipe, until its end."""

    def __init__(self, reading: int) -> None:
        self._reading = reading
        self._body = b""
        self.over = self.is_late = False

    def on_event(self, _events: int) -> None:
        part = os.read(self._reading, _CHUNK)
        self._body += part
        self.over = self.over or not part or len(self._body) > _LONGEST_ANSWER

    def late(self) -> None:
        self.is_late = self.is_late or not self.over
        self.over = True

    def said(self) -> dict[str, Any]:
        try:
            said = json.loads(self._body)
        except (ValueError, RecursionError):
            said = None
        return said if isinstance(said, dict) else {"failed": "it ended without an answer"}


def _environment(plugin: StepPlugin, place: str, answer: Mapping[str, Any]) -> Changes:
    """The changes that an answer brings. PluginError where it brings a refusal."""
    if "refused" in answer:
        raise PluginError(str(answer["refused"]))
    if "failed" in answer:
        raise PluginError(f"{plugin.file}: {place}: {answer['failed']}")
    changes = answer.get("value") or {}
    if not isinstance(changes, dict) or not all(isinstance(name, str) and (value is None or isinstance(value, str)) and _is_variable(
            name, value or "") for name, value in changes.items()):
        raise PluginError(f"{plugin.file}: {place} must return None or a dict of variables, each a text or None")
    return changes


def _is_variable(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value


def _settings(plugin: StepPlugin) -> SimpleNamespace:
    return SimpleNamespace(arguments=list(plugin.arguments))


def _wait(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # the step's own look at its children came first

