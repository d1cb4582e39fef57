"""plugstack.conf: which plug-ins a site wants around the steps of its jobs. Python files are ours to call; SPANK's libraries in C are not.

Pyxis' is ours by itself (`net.container_options`). A Python file is read, not run, to learn what it has: its functions of the names in
PLACES, and the options that its OPTIONS adds to sbatch, srun and salloc. Commands read it too: only what is light may be loaded here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from slurm.model.errors import ConfigError, SlurmError

PLACES = ("init", "user_init", "task_init", "exit")
"""Functions of a plug-in, in the order in which they are called."""
PREFIX = "_SLURM_SPANK_OPTION_"
"""Begins the variables by which options of plug-ins reach the node. Slurm names them likewise."""
_OURS = frozenset(("spank_pyxis.so", "pyxis.so"))
_MOST_INCLUDES = 20
_KINDS = ("required", "optional", "include")


class Line(NamedTuple):
    """One plug-in of the file: `where` it stands there, its `file` and `arguments`."""

    where: str
    required: bool
    file: str
    arguments: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        """Whether it is for us to call."""
        return self.file.endswith(".py")

    @property
    def is_pyxis(self) -> bool:
        """Whether slurm-py does itself what it does."""
        return os.path.basename(self.file) in _OURS


class PluginOption(NamedTuple):
    """An option that a plug-in adds: `metavar` "" for a flag; `optional`: its argument may be left out."""

    name: str
    metavar: str
    optional: bool
    help: str


class StepPlugin(NamedTuple):
    """One Python plug-in: `functions` are those of PLACES that it has; `broken` says why it cannot be used ("": it can)."""

    name: str
    file: str
    required: bool
    arguments: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    options: tuple[PluginOption, ...] = ()
    broken: str = ""

    @property
    def seconds(self) -> float:
        """How long a call may last: its argument call_timeout=SECONDS, 10 without it."""
        given = next((word.partition("=")[2] for word in self.arguments if word.startswith("call_timeout=")), "")
        return float(given) if given.isdecimal() and 0 < len(given) < 5 and int(given) else 10.0

    def variable(self, option: str) -> str:
        """By which this option of it reaches the node."""
        return f"{PREFIX}{self.name}_{option.replace('-', '_')}"


def path_of(key: str, conf: str) -> str:
    """The file: as PlugStackConfig (`key`) says, else plugstack.conf beside the slurm.conf `conf`."""
    return key or os.path.join(os.path.dirname(conf), "plugstack.conf")


def read(path: str) -> list[Line]:
    """Its lines, and those of files that it includes; [] where there is none. SlurmError for what cannot be read."""
    return _lines(path, [0]) if os.path.exists(path) else []


def described(line: Line, folders: Sequence[str], owners: frozenset[int] | None) -> StepPlugin:
    """What a Python plug-in has. `folders` are those of PluginDir, for a name without a path; `owners` as `sources.find` has them."""
    from slurm.plugins import sources

    name = os.path.basename(line.file)[:-3].removeprefix("spank_")
    path = line.file if line.file.startswith("/") else next(
        (found for folder in folders if os.path.exists(found := os.path.join(folder, line.file))), "")
    try:
        if not path:
            raise ConfigError(message=f"{line.where}: there is no {line.file} in PluginDir ({', '.join(folders)})")
        if not name.isidentifier():
            raise ConfigError(message=f"{line.where}: {line.file} is no name of a Python module")
        sources.find(line.where, "spank", path, (), owners)
        functions, options = _content(path)
    except SlurmError as error:
        return StepPlugin(name, path, line.required, line.arguments, broken=error.message)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        return StepPlugin(name, path, line.required, line.arguments, broken=f"{line.where}: {path}: {error}")
    return StepPlugin(name, path, line.required, line.arguments, functions, options)


def _content(path: str) -> tuple[tuple[str, ...], tuple[PluginOption, ...]]:
    import ast  # few sites have such plug-ins

    with open(path, encoding="utf-8") as file:
        body = ast.parse(file.read(), path).body
    functions = [one.name for one in body if isinstance(one, ast.FunctionDef) and one.name in PLACES]
    options: Any = {}
    for one in body:
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == "OPTIONS" for target in targets):
            options = ast.literal_eval(one.value)  # type: ignore[attr-defined]
    if not isinstance(options, dict) or not all(isinstance(text, str) for pair in options.items() for text in pair):
        raise ValueError('OPTIONS is no dict of texts such as {"renice=N": "run tasks at nice value N"}')
    return tuple(functions), tuple(_option(key, text) for key, text in options.items())


def _option(key: str, text: str) -> PluginOption:
    """From "name", "name=METAVAR" or "name[=METAVAR]"."""
    optional = key.endswith("]") and "[=" in key
    name, _, metavar = (key[:-1].replace("[=", "=", 1) if optional else key).partition("=")
    if not (name.isascii() and name.replace("-", "").isalnum() and name == name.lower() and name[0].isalpha()) or (
            "=" in key and not metavar):
        raise ValueError(f'OPTIONS has {key!r}: no name of an option; valid: "name", "name=METAVAR", "name[=METAVAR]"')
    return PluginOption(name, metavar, optional, text)


def _lines(path: str, depth: list[int]) -> list[Line]:
    import glob  # few sites have one
    import shlex

    found: list[Line] = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise SlurmError("SLURM_ERROR", f"{path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        where = f"{path}: line {number}"
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise SlurmError("SLURM_ERROR", f"{where}: {line.strip()}: {error}") from error
        if not words:
            continue
        if len(words) < 2 or words[0] not in _KINDS:
            raise SlurmError("SLURM_ERROR", f"{where}: {line.strip()}: no such line",
                hints=["valid: required|optional FILE [ARGUMENT …], include FILES"])
        if words[0] != "include":
            found.append(Line(where, words[0] == "required", words[1], tuple(words[2:])))
            continue
        for name in sorted(glob.glob(os.path.join(os.path.dirname(path), words[1]))):
            depth[0] += 1
            if depth[0] > _MOST_INCLUDES:
                raise SlurmError("SLURM_ERROR", f"{where}: more than {_MOST_INCLUDES} files are included")
            found += _lines(name, depth)
    return found
