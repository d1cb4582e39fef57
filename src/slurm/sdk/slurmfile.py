"""Slurmfiles: TOML files that say which cluster to use, in several environments. What they mean for a Cluster, not how it is reached.

    [default.cluster]                 arguments of Cluster by name; `backend` is the backend_type
    backend = "local"
    [default.cluster.backend_config]  more of them
    [default.submit]                  options of sbatch for every job
    [gpu.cluster]                     another environment; what it does not say comes from `default`
    [gpu.ours]                        any other table is the user's own: it stands in `Cluster.environment_config`
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from slurm.notation.nearest import nearest
from slurm.sdk.callbacks.base import BaseCallback
from slurm.sdk.errors import SlurmfileEnvironmentNotFoundError, SlurmfileInvalidError, SlurmfileNotFoundError


def made(entries: object, where: str) -> list[BaseCallback]:
    """The callbacks that these entries stand for; SlurmfileInvalidError begins with `where` and says what is wrong."""
    if not isinstance(entries, list):
        raise SlurmfileInvalidError(f'{where}: callbacks is no list, such as callbacks = ["slurm.callbacks:LoggerCallback"]')
    return [_made(entry, f"{where}: callbacks[{number}]") for number, entry in enumerate(entries)]


def _made(entry: object, where: str) -> BaseCallback:
    table: dict[str, Any] = {"target": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
    target, args, kwargs = table.get("target"), table.get("args", []), table.get("kwargs", {})
    if not isinstance(target, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise SlurmfileInvalidError(f'{where} is {entry!r}, neither "module:Class" nor a table with a text `target`, a list `args` and a '
                                    'table `kwargs`')
    module, colon, name = target.partition(":")
    if not colon:
        module, _, name = target.rpartition(".")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        callback = found(*args, **kwargs) if callable(found) else found
    except Exception as error:
        # Importing and making it runs the user's code, which may raise anything.
        raise SlurmfileInvalidError(f"{where}: {target} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(callback, BaseCallback):
        raise SlurmfileInvalidError(f"{where}: {target} gives {callback!r}, which is no BaseCallback")
    return callback


NAMES = ("Slurmfile.toml", "Slurmfile", "slurmfile.toml", "slurmfile")
_PARTS = ("cluster", "submit", "packaging", "callbacks")


def find(start: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path:
    """The Slurmfile: at `start`, else $SLURMFILE, else the nearest from here upwards; SlurmfileNotFoundError names where was looked."""
    named = os.fspath(start) if start is not None else environ.get("SLURMFILE", "")
    if named:
        path = Path(named).expanduser()
        places = [path / name for name in NAMES] if path.is_dir() else [path]
    else:
        try:
            here = Path.cwd()
        except FileNotFoundError:
            raise SlurmfileNotFoundError("no Slurmfile: the present folder is gone, and $SLURMFILE is not set") from None
        places = [folder / name for folder in (here, *here.parents) for name in NAMES]
    for place in places:
        if place.is_file():
            return place
    raise SlurmfileNotFoundError(f"no Slurmfile: looked for {named or f'{NAMES[0]} in {here} and above it, and $SLURMFILE is not set'}")


def where(path_or_env: str | os.PathLike[str] | None, env: str | None, environ: Mapping[str, str]) -> tuple[Path, str]:
    """The Slurmfile and the name of the environment that are meant; SlurmfileNotFoundError. The environment may be missing there."""
    start = path_or_env if path_or_env is not None and _is_path(os.fspath(path_or_env)) else None
    if path_or_env is not None and start is None:
        env = env or os.fspath(path_or_env)
    return find(start, environ), env or environ.get("SLURM_ENV") or "default"


def settings(path_or_env: str | os.PathLike[str] | None, env: str | None, environ: Mapping[str, str], *,
        submitting: bool = True) -> dict[str, Any]:
    """The arguments of Cluster that an environment of a Slurmfile stands for; a SlurmfileError says what is wrong.

    With submitting=False what only new jobs need is left out: packaging, and callbacks, which are the user's own code.
    """
    path, name = where(path_or_env, env, environ)
    return arguments(environment(path, name), f"{path}: [{name}]", submitting)


def environment(path: Path, name: str) -> dict[str, Any]:
    """The tables of an environment of this Slurmfile, above those of `default`; a SlurmfileError says what is wrong."""
    content = _read(path)
    root, environments = _environments(content)
    if name != "default" and name not in environments:
        known = ", ".join(sorted(key for key, value in environments.items() if isinstance(value, dict)))
        raise SlurmfileEnvironmentNotFoundError(f"{path} has no environment {name}; it has {known}")
    merged: dict[str, Any] = {}
    for table in (root.get("default", {}), environments.get("default", {}), environments.get(name, {})):
        if not isinstance(table, dict):
            raise SlurmfileInvalidError(f"{path}: {name} is no table")
        merged = _over(merged, table)
    return merged


def names(start: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> tuple[Path, list[str]]:
    """The Slurmfile and the environments that it has, in its order; SlurmfileError when it cannot be found or read."""
    path = find(start, environ)
    root, environments = _environments(_read(path))
    found = dict.fromkeys(["default"] if isinstance(root.get("default"), dict) else [])
    found |= dict.fromkeys(key for key, value in environments.items() if isinstance(value, dict))
    return path, list(found)


def flat(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments of Cluster in a TOML file without environments."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise SlurmfileNotFoundError(f"there is no file {found}")
    content = _read(found)
    if any(isinstance(value, dict) for value in content.values()):
        return settings(found, None, os.environ)
    return {"backend_type" if key == "backend" else key: value for key, value in content.items()}


def _environments(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table that holds `default`, and the one that holds the environments; often they are the same."""
    root = content.get("tool", {}).get("slurm", content)
    environments = root.get("environments", root)
    return root, environments if isinstance(environments, dict) else root


def arguments(table: Mapping[str, Any], where: str, submitting: bool = True) -> dict[str, Any]:
    """The arguments of Cluster that the tables of an environment stand for. Tables that resemble none of these are the user's own."""
    for unknown in sorted(table.keys() - set(_PARTS)):
        meant = nearest(unknown, _PARTS)
        if meant is not None:
            raise SlurmfileInvalidError(f"{where}: {unknown} is unknown; did you mean {meant}? valid: {', '.join(_PARTS)}")
    cluster = table.get("cluster")
    if not isinstance(cluster, dict) or not cluster.get("backend"):
        raise SlurmfileInvalidError(f'{where}: the table `cluster` with a key `backend` is missing, such as backend = "local"')
    found = {key: value for key, value in cluster.items() if key not in ("backend", "backend_config")}
    found |= {"backend_type": cluster["backend"], **cluster.get("backend_config", {})}
    if table.get("packaging") and submitting:
        found.setdefault("default_packaging", dict(table["packaging"]))
    if table.get("callbacks") and submitting:
        from slurm.sdk.slurmfile import made  # most Slurmfiles name no callbacks

        found["callbacks"] = made(table["callbacks"], where)
    return {**table.get("submit", {}), **found}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SlurmfileInvalidError(f"{path} is no TOML: {error}") from error


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        merged[key] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _is_path(text: str) -> bool:
    return os.path.exists(text) or os.sep in text or text.startswith((".", "~")) or text.endswith(".toml")
