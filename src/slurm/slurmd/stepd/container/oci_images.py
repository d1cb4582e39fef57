"""Images of registries and of container engines on this node, as folders of the cache. Files are `images`' work."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from slurm.notation.container import Image
from slurm.slurmd.stepd.container import images, layers
from slurm.slurmd.stepd.container.images import Found, Tell
from slurm.slurmd.stepd.container.inside import ENTRY_POINT
from slurm.slurmd.stepd.container.registry import Registry
from slurm.slurmd.stepd.container.root import CannotBuild

_ASKED_AGAIN_SECONDS = 600.0
"""So long a tag is taken for what it was when its registry was last asked."""
_SAVED_SECONDS = 3600.0
_MEGABYTE = 1_000_000
_ENGINES = {"dockerd": "docker", "podman": "podman"}


def find(image: Image, cache: str, tell: Tell, environ: Mapping[str, str]) -> Found:
    """The image, pulled now where it is not here yet. CannotBuild."""
    if image.scheme in _ENGINES:
        return _of_engine(image, cache, tell)
    key = images.key("registry", image.registry, image.name, image.digest or image.tag, image.user)
    known = _known(cache, key)
    if known is not None and (image.digest or time.time() - known[1] < _ASKED_AGAIN_SECONDS):
        found = images.present(cache, known[0])
        if found is not None:
            return found
    registry = Registry(image, environ)
    try:
        manifest = registry.manifest()
    except CannotBuild as error:
        found = images.present(cache, known[0]) if known is not None else None
        if found is None:
            raise
        tell(f"{error.strerror}; the image that was pulled before is taken")
        return found
    content = images.key("manifest", manifest.digest)

    def fill(folder: str) -> dict[str, object]:
        size = sum(layer.size for layer in manifest.layers)
        tell(f"importing {image}: {len(manifest.layers)} layers, {size / _MEGABYTE:.1f} MB")
        with tempfile.TemporaryDirectory(dir=folder, prefix="layers-") as beside:
            files = []
            for number, layer in enumerate(manifest.layers):
                path = os.path.join(beside, str(number))
                with open(path, "xb") as file:
                    registry.fetch(layer, file)
                files.append((path, layer.kind))
            return _unpacked(files, folder, manifest.config, str(image))

    found = images.cached(cache, content, fill)
    _note(cache, key, content)
    return found


def _of_engine(image: Image, cache: str, tell: Tell) -> Found:
    """An image of docker or podman on this node, which save it for whom they let."""
    program = _ENGINES[image.scheme]
    if shutil.which(program) is None:
        raise CannotBuild(f"{image}: this node has no {program}")
    name = f"{image.registry}/{image.name}" if image.registry else image.name
    name += f"@{image.digest}" if image.digest else f":{image.tag}"
    identity = _said([program, "image", "inspect", "--format", "{{.Id}}", name], image)

    def fill(folder: str) -> dict[str, object]:
        tell(f"importing {image}")
        with tempfile.TemporaryDirectory(dir=folder, prefix="layers-") as beside:
            archive = os.path.join(beside, "archive")
            form = ["--format", "docker-archive"] if program == "podman" else []
            _said([program, "save", *form, "-o", archive, name], image)
            return _of_archive(archive, beside, folder, image)

    return images.cached(cache, images.key(image.scheme, identity), fill)


def _said(words: list[str], image: Image) -> str:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SAVED_SECONDS, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise CannotBuild(f"{image}: {lines[-1] if lines else f'{words[0]} ended with status {done.returncode}'}")
    return done.stdout.strip()


def _of_archive(archive: str, beside: str, folder: str, image: Image) -> dict[str, object]:
    """Unpack what `docker save` writes."""
    try:
        with tarfile.open(archive) as saved:
            listed = json.load(_member(saved, "manifest.json"))[0]
            config = json.load(_member(saved, listed["Config"]))
            files = []
            for number, name in enumerate(listed["Layers"]):
                path = os.path.join(beside, str(number))
                with open(path, "xb") as file:
                    shutil.copyfileobj(_member(saved, name), file)
                files.append((path, "tar"))
    except (tarfile.TarError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CannotBuild(f"{image}: what was saved of it cannot be read: {error}") from error
    return _unpacked(files, folder, config, str(image))


def _member(saved: tarfile.TarFile, name: str) -> Any:
    file = saved.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file


def _unpacked(files: list[tuple[str, str]], folder: str, config: Mapping[str, Any], of: str) -> dict[str, object]:
    facts = told(config)
    layers.unpack(files, os.path.join(folder, "root"), enroot_files(config))
    return {"of": of, **facts}


def told(config: Mapping[str, Any]) -> dict[str, object]:
    """What an image says of the environment that its programs expect."""
    own = config.get("config") or {}
    variables = dict(line.split("=", 1) for line in own.get("Env") or [] if isinstance(line, str) and "=" in line)
    return {"environment": variables, "work_dir": str(own.get("WorkingDir") or "")}


def enroot_files(config: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """The files by which enroot's images say the same, and what they run: path → (text, mode)."""
    own = config.get("config") or {}
    entry, words = ([str(word) for word in own.get(name) or []] for name in ("Entrypoint", "Cmd"))
    folder = str(own.get("WorkingDir") or "/")
    program = (f'#!/bin/sh\ncd {shlex.quote(folder)} || exit 1\nif [ $# -gt 0 ]; then\n    exec {shlex.join(entry)} "$@"\nelse\n'
               f"    exec {shlex.join([*entry, *words]) or '/bin/sh'}\nfi\n")
    variables = "".join(f"{line}\n" for line in own.get("Env") or [] if isinstance(line, str) and "\n" not in line)
    return {ENTRY_POINT: (program, 0o755), "/etc/environment": (variables, 0o644)}


# --- which image a tag was ---------------------------------------------------------------------------------------------------

def _known(cache: str, key: str) -> tuple[str, float] | None:
    """(key of the image, when its registry said so)."""
    path = os.path.join(cache, "tags", key)
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().strip(), os.fstat(file.fileno()).st_mtime
    return None


def _note(cache: str, key: str, content: str) -> None:
    folder = os.path.join(cache, "tags")
    os.makedirs(folder, 0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=folder, delete=False) as file:
        file.write(content)
    os.replace(file.name, os.path.join(folder, key))
