"""What is written about containers: images as Pyxis and enroot write them, mounts, and the variables by which the options reach a node.

    /data/image.sqsh   /data/folder   docker://user@registry#name:tag   dockerd://name:tag   podman://name:tag   ubuntu:24.04
    /data:/data:ro,/scratch           FROM[:TO[:FLAG+FLAG]]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from slurm.model.errors import NotationError

PREFIX = "_SLURM_SPANK_OPTION_pyxis_"
"""The options travel in the environment, as those of a SPANK plugin do in Slurm: no message and no record has to know of them."""
HUB = "registry-1.docker.io"
SCHEMES = ("docker", "dockerd", "podman")
_KNOWN_FLAGS = frozenset(("ro", "rw", "bind", "rbind", "private", "rprivate", "slave", "rslave", "nosuid", "nodev", "noexec"))
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-/")
_MARKS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


class Mount(NamedTuple):
    """What of the host is to be seen inside, both absolute."""

    source: str
    target: str
    read_only: bool = False
    no_programs: bool = False


class Image(NamedTuple):
    """Where an image comes from. `scheme` "file": `name` is the path of a squashfs file or a folder."""

    scheme: str
    name: str
    tag: str = ""
    user: str = ""
    registry: str = ""
    digest: str = ""

    def __str__(self) -> str:
        if self.scheme == "file":
            return self.name
        user, registry = f"{self.user}@" if self.user else "", f"{self.registry}#" if self.registry else ""
        return f"{self.scheme}://{user}{registry}{self.name}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def mounts(text: str) -> list[Mount]:
    """The mounts of --container-mounts. NotationError."""
    return [_mount(piece) for piece in text.split(",") if piece]


def _mount(text: str) -> Mount:
    parts = text.split(":")
    source, target = parts[0], parts[1] if len(parts) > 1 and parts[1] else parts[0]
    flags = frozenset(parts[2].split("+")) if len(parts) > 2 else frozenset[str]()
    if len(parts) > 3 or not source.startswith("/") or not target.startswith("/"):
        raise NotationError(f"Invalid --container-mounts specification: {text}",
            hints=["valid: FROM[:TO[:FLAGS]], both absolute, such as /data:/mnt/data:ro"])
    if not flags <= _KNOWN_FLAGS:
        raise NotationError(f"Invalid --container-mounts specification: {text}",
            hints=[f"flags are joined by +; valid: {', '.join(sorted(_KNOWN_FLAGS))}"])
    inside = [piece for piece in target.split("/") if piece not in ("", ".")]
    if not inside or ".." in inside or inside[0] in ("proc", "sys"):
        raise NotationError(f"Invalid --container-mounts specification: {text}",
            hints=["nothing is mounted over the root of the container, its /proc or its /sys, nor at a path with .."])
    return Mount(source, "/" + "/".join(inside), "ro" in flags, "noexec" in flags)


def image(text: str) -> Image:
    """The image that --container-image names. NotationError."""
    if text.startswith(("/", "./", "../")):
        return Image("file", text)
    scheme, colons, rest = text.partition("://")
    if not colons:
        scheme, rest = "docker", text
    if scheme not in SCHEMES:
        raise NotationError(f"Invalid image {text}", hints=[
            f"valid: a path with a /, {', '.join(f'{one}://NAME:TAG' for one in SCHEMES)}, [USER@][REGISTRY#]NAME[:TAG]"])
    place, hash_, name = rest.rpartition("#")
    user, at, registry = place.rpartition("@")
    if not hash_:
        head, slash, tail = rest.partition("@")
        if slash and not tail.startswith("sha256:"):
            user, name = head, tail
    name, _, digest = name.partition("@")
    name, _, tag = name.partition(":") if "/" not in name.rpartition(":")[2] else (name, "", "")
    if (at and not registry) or not name or not _NAME.issuperset(name) or not _MARKS.issuperset(tag) or not _digest(digest):
        raise NotationError(f"Invalid image {text}",
            hints=["valid: [docker://][USER@][REGISTRY#]NAME[:TAG], such as nvcr.io#nvidia/pytorch:24.05-py3"])
    if registry and not _MARKS.issuperset(registry.partition(":")[0]):
        raise NotationError(f"Invalid image {text}: {registry} is no registry")
    return Image(scheme, name, tag or "latest", user, registry, digest)


def _digest(text: str) -> bool:
    return not text or (text.startswith("sha256:") and len(text) == 71 and frozenset("0123456789abcdef").issuperset(text[7:]))


def container_name(text: str) -> tuple[str, str]:
    """(name, flag) of --container-name=NAME[:auto|create|exec|no_exec]. NotationError."""
    name, _, flag = text.partition(":")
    if not name or not _MARKS.issuperset(name) or name.startswith(".") or len(name) > 100 or flag not in ("", "auto", "create", "exec",
            "no_exec"):
        raise NotationError(f"Invalid --container-name specification: {text}",
            hints=["valid: letters, digits, . _ and -, and behind a colon auto, create, exec or no_exec"])
    return name, flag


def separated(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(options, the environment without them): of a step that runs in a container; no options for any other."""
    options = {name[len(PREFIX):]: value for name, value in environment.items() if name.startswith(PREFIX)}
    return options, {name: value for name, value in environment.items() if not name.startswith(PREFIX)} if options else dict(environment)
