"""Makes the frozen file: which modules stand in it, in which order each command runs them, and where and by whom it is written.

A module is frozen if, as it is loaded, it imports nothing but others of ours and light modules; all others are imported as ever.
"""

from __future__ import annotations

import ast
import marshal
import os
import sys
import time
from _frozen_importlib_external import MAGIC_NUMBER
from types import CodeType

from slurm.commands.frozen.boot import END, MAKER
from slurm.commands.frozen.place import PACKAGE
from slurm.commands.frozen.rewrite import LIGHT, RECORDS, TWIN, replaced, rewritten

COMMANDS = ("sbatch", "srun", "salloc", "squeue", "sinfo", "scancel", "scontrol", "sdiag", "sacct", "sstat", "sreport", "seff", "sacctmgr",
    "sshare", "sprio", "sbcast", "sgather", "scrontab", "sattach", "strigger")
"""Modules of `slurm.commands` that a script in scripts/ starts."""
_NEARLY_ALWAYS = ("slurm.net.client",)
_TABLES = {
    **dict.fromkeys(("sbatch", "srun", "salloc"), ("table", "table_launch", "table_pyxis")),
    **{name: (f"table_{name}",) for name in ("squeue", "sinfo", "scancel", "scontrol", "sdiag", "sacct", "sstat", "sreport", "seff",
    "sacctmgr", "sshare", "sprio")},
    "sattach": ("table_sattach",), "strigger": ("table_strigger",),
    "scrontab": ("table_scrontab", "table", "table_launch", "table_pyxis"),
    **dict.fromkeys(("sbcast", "sgather"), ("table_sbcast", "table", "table_launch", "table_pyxis")),
}
"""Command → its tables below slurm.options, which it imports when it reads its command line."""
_WITH_RECORDS = {
    "sacct": ("slurm.net.database_client", "slurm.commands.past_jobs_report"),
    "seff": ("slurm.net.database_client", "slurm.client.accounting", "slurm.render.efficiency_text"),
    "sreport": ("slurm.net.database_client", "slurm.commands.usage_report")}
"""Command → what it imports later on that works with records: taken from the file with the command, or with the command from the
sources."""
_LIGHT = frozenset({
    "__future__", "errno", "fcntl", "gc", "grp", "io", "itertools", "marshal", "math", "os", "posixpath", "pwd", "resource", "select",
    "shlex", "ssl", "stat", "sys",
    "termios", "time", "tty"})
"""Modules of the standard library that frozen modules import as they are."""
_BOOT = "slurm.commands.frozen.boot"
_MAKERS = ("boot", "build", "rewrite")
"""Whoever changes one of these changes what the file should be."""
_STALE_SECONDS = 60.0
"""A file that somebody began to write so long ago is not going to be finished."""


class Source:
    """A module of ours as it lies on disk: its file below the package, that file's time and size, its tree, and whom it imports."""

    def __init__(self, package: str, name: str, path: str) -> None:
        self.path = package + path
        with open(self.path, "rb") as file:
            facts = os.fstat(file.fileno())
            self.stamp = (path, facts.st_mtime_ns, facts.st_size)
            self.tree = ast.parse(file.read(), self.path)
        self.name = name
        self.replaced = replaced(name)


class Sources:
    """The modules of the package, read when asked for."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._read: dict[str, Source | None] = {}

    def get(self, name: str) -> Source | None:
        """The module of this name; None where it is none of ours, or cannot be frozen."""
        if name not in self._read:
            self._read[name] = self._found(name)
        return self._read[name]

    def wanted(self, source: Source, *, at_load: bool) -> list[str]:
        """Modules of ours that it imports, in that order, each behind the packages it is in; `at_load`: while it is loaded itself."""
        found = []
        for node in _imports(source.tree, at_load=at_load):
            for name in _targets(node):
                name = source.replaced.get(name, name)
                parts = name.split(".")
                found += [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
            if isinstance(node, ast.ImportFrom):
                found += [f"{node.module}.{alias.name}" for alias in node.names]
        return [name for name in dict.fromkeys(found) if self.get(name) is not None]

    def _found(self, name: str) -> Source | None:
        if name.partition(".")[0] != "slurm":
            return None
        stem = "/".join((RECORDS if name == TWIN else name).split(".")[1:])
        for path in (f"{stem}/__init__.py".lstrip("/"), f"{stem}.py"):
            if os.path.isfile(self.package + path):
                source = Source(self.package, name, path)
                return source if _is_light(source) else None
        return None


def _is_light(source: Source) -> bool:
    names = {name for node in _imports(source.tree, at_load=True) for name in _targets(node)}
    return source.name.startswith(f"{LIGHT}.") or all(
        name.partition(".")[0] in ("slurm", *_LIGHT) or name in source.replaced or name.startswith("_") for name in names)


def _imports(tree: ast.Module, *, at_load: bool) -> list[ast.Import | ast.ImportFrom]:
    nodes: list[ast.AST] = list(tree.body) if at_load else list(ast.walk(tree))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def order(sources: Sources, *names: str) -> list[str]:
    """These modules and all that they import as they are loaded, each behind those that it imports."""
    found: dict[str, None] = {}
    begun: set[str] = set()

    def visit(name: str) -> None:
        source = sources.get(name)
        if source is None or name in begun:
            return
        begun.add(name)
        for each in sources.wanted(source, at_load=True):
            visit(each)
        found[name] = None

    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            visit(".".join(parts[:end]))
    return list(found)


def frozen(package: str) -> bytes:
    """The frozen file of the package in this folder (which ends with a slash)."""
    sources = Sources(package)
    orders = {}
    for command in COMMANDS:
        tables = [f"slurm.options.{name}" for name in _TABLES.get(command, ())]
        if sources.get(f"slurm.commands.{command}") is None:
            continue  # it is run from its sources
        orders[command] = order(sources, *tables, *_NEARLY_ALWAYS, *_WITH_RECORDS.get(command, ()), f"slurm.commands.{command}")
    names = dict.fromkeys(name for each in orders.values() for name in each)
    for name in list(names):
        _reach(sources, name, names)
    codes = {name: marshal.dumps(_code(source)) for name in names if (source := sources.get(name)) is not None}
    places, before = {}, len(END)
    for name, code in reversed(codes.items()):
        places[name] = (-before - len(code), -before)
        before += len(code)
    stamps = {name: source.stamp for name in codes if (source := sources.get(name)) is not None}
    for name in _MAKERS:
        stamps[MAKER + name] = Source(package, name, f"commands/frozen/{name}.py").stamp
    boot = sources.get(_BOOT)
    assert boot is not None
    return marshal.dumps((_code(boot), stamps, places, orders)) + b"".join(codes.values()) + END


def _reach(sources: Sources, name: str, found: dict[str, None]) -> None:
    """Add what a module imports later on, and what that needs."""
    source = sources.get(name)
    for each in sources.wanted(source, at_load=False) if source else ():
        if each not in found:
            found[each] = None
            _reach(sources, each, found)


def _code(source: Source) -> CodeType:
    return compile(rewritten(source.tree, source.name), source.path, "exec", dont_inherit=True)


def file_of(package: str) -> str:
    """Where the frozen file of this Python lies: the scripts look there."""
    return f"{package}commands/__pycache__/frozen-{MAGIC_NUMBER.hex()}"


def renew(package: str) -> bool:
    """Writes the frozen file anew, if that is ours to do: only the owner of the sources does, where Python may keep compiled code.

    Whether it was written.
    """
    try:
        return os.stat(package).st_uid == os.geteuid() and _written(file_of(package),
            os.stat(f"{package}__init__.py").st_mode & 0o644 | 0o600, package)
    except OSError:
        return False  # a full disk, a file system for reading: the commands start as they did


def _written(path: str, mode: int, package: str) -> bool:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = f"{path}.new"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        if time.time() - os.stat(new).st_mtime > _STALE_SECONDS:
            os.unlink(new)
        return False  # somebody else is at it
    try:
        with open(descriptor, "wb") as file:
            file.write(frozen(package))
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
    return True


if __name__ == "__main__":
    if not renew(PACKAGE):
        sys.exit(f"{file_of(PACKAGE)} was not written: it is for the owner of {PACKAGE} to do")
