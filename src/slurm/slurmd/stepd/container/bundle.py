"""The bundle of --container=FOLDER: the container that its config.json describes (OCI runtime specification), as far as a user may have one.

Read as the owner; what stands there gives nobody anything that the options of containers would not. What would run a program outside the
container is refused, what can only limit or colour the container is named and left out.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slurm.model.errors import NotationError
from slurm.notation import container
from slurm.notation.container import Mount
from slurm.slurmd.stepd.container.root import CannotBuild

_CONFIG = "config.json"
_LONGEST = 1 << 20
_GIVEN = frozenset(("proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"))
"""Kinds of mounts that every container of ours has, or needs not."""
_LIMITS = ("seccomp", "resources", "devices", "sysctl", "intelRdt", "mountLabel")


class Bundle(NamedTuple):
    """`root`: the folder of its files; `as_root`: its program expects to be root inside; `left_out`: parts of config.json that are not
    followed."""

    root: str
    writable: bool
    as_root: bool
    work_dir: str
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    left_out: Sequence[str]


def read(folder: str) -> Bundle:
    """The bundle in this folder. CannotBuild."""
    config = _config(os.path.join(folder, _CONFIG))
    root, process, linux = (_part(config, name) for name in ("root", "process", "linux"))
    path = root.get("path")
    if not isinstance(path, str) or not path or "\0" in path:
        raise CannotBuild(f"{folder}/{_CONFIG} names no root.path")
    if any(config.get(name) for name in ("hooks", "vm", "windows", "solaris", "zos")):
        raise CannotBuild(f"{folder}/{_CONFIG} has hooks or is for another system: programs beside the container are not run")
    writable = root.get("readonly") is not True
    user = _part(process, "user")
    left_out = [f"linux.{name}" for name in _LIMITS if linux.get(name)]
    left_out += [f"process.{name}" for name in ("apparmorProfile", "selinuxLabel", "rlimits") if process.get(name)]
    return Bundle(os.path.normpath(os.path.join(folder, path)), writable, user.get("uid") == 0, _work_dir(process.get("cwd")),
        _environment(process.get("env")), [mount for one in _list(config, "mounts") if (mount := _mount(folder, one, writable)) is not None],
        left_out)


def _config(path: str) -> dict[str, Any]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CannotBuild(f"{path} is no file")
            text = file.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise CannotBuild(f"{path} is longer than {_LONGEST} bytes")
        config = json.loads(text)
    except CannotBuild:
        raise
    except OSError as error:
        raise CannotBuild(f"--container: {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CannotBuild(f"{path} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise CannotBuild(f"{path} is no JSON object")
    return config


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    if found is not None and not isinstance(found, dict):
        raise CannotBuild(f"{_CONFIG}: {name} is no object")
    return found or {}


def _list(config: Mapping[str, Any], name: str) -> list[Any]:
    found = config.get(name)
    if found is not None and not isinstance(found, list):
        raise CannotBuild(f"{_CONFIG}: {name} is no list")
    return found or []


def _work_dir(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise CannotBuild(f"{_CONFIG}: process.cwd is no absolute path")
    return value


def _environment(value: object) -> dict[str, str]:
    if value is not None and not isinstance(value, list):
        raise CannotBuild(f"{_CONFIG}: process.env is no list")
    found: dict[str, str] = {}
    for text in value or []:
        name, equals, content = text.partition("=") if isinstance(text, str) else ("", "", "")
        if not name or not equals or "\0" in content + name:
            raise CannotBuild(f"{_CONFIG}: process.env has what is no NAME=value")
        found[name] = content
    return found


def _mount(folder: str, one: object, writable: bool) -> Mount | None:
    """What of the host it shows; None for what containers have anyway. CannotBuild for what they cannot have."""
    given = one if isinstance(one, dict) else {}
    target, kind, source = (given.get(name) or "" for name in ("destination", "type", "source"))
    options = given.get("options") or []
    if not (isinstance(target, str) and isinstance(kind, str) and isinstance(source, str) and isinstance(options, list)) or not target:
        raise CannotBuild(f"{_CONFIG}: a mount is not described as one")
    if kind == "bind" or {"bind", "rbind"} & {word for word in options if isinstance(word, str)}:
        text = f"{os.path.normpath(os.path.join(folder, source))}:{target}"
        if text.count(":") != 1 or "," in text:
            raise CannotBuild(f"{_CONFIG}: the mount at {target} has a colon or comma in its path")
        try:
            mount = container.mounts(text)[0]
        except NotationError as error:
            raise CannotBuild(f"{_CONFIG}: the mount at {target}: {error.hints[0] if error.hints else error.message}") from error
        return mount._replace(read_only="ro" in options, no_programs="noexec" in options)
    place = os.path.normpath(target)
    if kind in _GIVEN or (kind == "tmpfs" and (writable or place in ("/dev", "/dev/shm", "/tmp", "/run"))):
        return None  # what is written into a container is kept in memory
    raise CannotBuild(f"{_CONFIG}: the mount at {target} is of type {kind or 'none'}: valid are bind and what every container has")
