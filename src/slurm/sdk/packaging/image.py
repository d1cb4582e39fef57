"""Images of containers: built from a dockerfile by podman or docker, once a content; pushed only where that is asked for."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from slurm.sdk.calls.folder import folder_name, make_private
from slurm.sdk.errors import PackagingError
from slurm.sdk.packaging import wheel
from slurm.sdk.packaging.environment import tail
from slurm.sdk.packaging.settings import Config

SECONDS = 7200.0
BUILD_KEYS = ("dockerfile", "context", "name", "tag", "build_args", "build_secrets", "no_cache", "platform")
_pushed: set[str] = set()


def ready(config: Config, task: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The image that a task runs in, and the program that built it ("" when it was not built here); PackagingError says what is missing or
    failed."""
    image, dockerfile = config.get("image"), config.get("dockerfile")
    if not dockerfile:
        if asked := [key for key in BUILD_KEYS if key in config and key != "platform"]:
            raise PackagingError(f"packaging_{asked[0]} is about building an image: name the dockerfile too, "
                                 "packaging_dockerfile=\"Dockerfile\"")
        if not image:
            raise PackagingError('packaging="container" needs an image: packaging="container:python:3.11", packaging_image=, or '
                                 'packaging_dockerfile= to build one')
        tool = _tool(config, environ) if config.get("push") else ""
        found = image
    else:
        tool = _tool(config, environ)
        found = _built(tool, config, task, environ)
    if config.get("push") and found not in _pushed:
        _push(tool, found, config, environ)
        _pushed.add(found)
    if config.get("use_digest"):
        if not config.get("push"):
            raise PackagingError("packaging_use_digest=True needs packaging_push=True: the digest is the registry's")
        found = _run([tool, "image", "inspect", "--format", "{{index .RepoDigests 0}}", found], environ, quiet=True).strip()
    return found, tool if dockerfile else ""


def saved(tool: str, image: str, path: str, environ: Mapping[str, str]) -> None:
    """Write an image into a file that the nodes can load it from, unless it is there."""
    if os.path.exists(path):
        return
    new = f"{path}.{os.getpid()}.new"
    try:
        make_private(os.path.dirname(path))
        _run([tool, "save", *(["--format", "docker-archive"] if _is_podman(tool) else []), "-o", new, image], environ)
        os.replace(new, path)
    except OSError as error:
        raise PackagingError(f"the image {image} cannot be written to {path}: {error}") from error
    finally:
        if os.path.exists(new):
            os.unlink(new)


def _built(tool: str, config: Config, task: str, environ: Mapping[str, str]) -> str:
    dockerfile = os.path.abspath(config["dockerfile"])
    context = os.path.abspath(config.get("context") or os.path.dirname(dockerfile))
    for path in (dockerfile, context):
        if not os.path.exists(path):
            raise PackagingError(f"packaging_dockerfile: there is no {path}")
    arguments = {name: os.path.expandvars(value) for name, value in config.get("build_args", {}).items()}
    platform = config.get("platform") or ("linux/amd64" if sys.platform == "darwin" else "")
    with open(dockerfile, "rb") as file:
        known = repr((wheel.digest(context, wheel.listing(context, everything=True)), file.read(), sorted(arguments.items()), platform))
    name = config.get("image") or config.get("name") or f"slurm-task-{folder_name(task)}"
    if config.get("registry"):
        name = f"{config['registry'].rstrip('/')}/{name}"
    elif _is_podman(tool) and "/" not in name:
        name = f"localhost/{name}"  # what podman calls it anyway
    tag = config.get("tag") or f"build-{hashlib.sha256(known.encode()).hexdigest()[:12]}"
    found = name if ":" in name.rpartition("/")[2] else f"{name}:{tag}"
    by_content = found.endswith(tag) and "tag" not in config
    if by_content and not config.get("no_cache") and _succeeds([tool, "image", "inspect", found], environ):
        return found
    words = [tool, "build", "-t", found, "-f", dockerfile, *(["--platform", platform] if platform else [])]
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    words += [word for secret in config.get("build_secrets", ()) for word in _secret(secret, environ)]
    _run([*words, *(["--no-cache"] if config.get("no_cache") else []), context], environ)
    return found


def _secret(secret: str | Mapping[str, Any], environ: Mapping[str, str]) -> Sequence[str]:
    """The words that hand a secret to a build; its value is in no command line."""
    told = dict(part.partition("=")[::2] for part in secret.split(",")) if isinstance(secret, str) else {key: str(value) for key,
        value in secret.items()}
    if "src" in told:
        told["file"] = told.pop("src")
    if not told.get("id") or ("env" in told) == ("file" in told) or told.keys() - {"id", "env", "file", "required"}:
        raise PackagingError(f"packaging_build_secrets: {secret!r} is no secret; write {{\"id\": \"token\", \"env\": \"TOKEN\"}} or "
                             f"{{\"id\": …, \"file\": \"path\"}}")
    there = told["env"] in environ if "env" in told else os.path.isfile(told["file"])
    if not there:
        if told.get("required", "true").lower() == "true":
            raise PackagingError("packaging_build_secrets: "
                                 f"{'the variable ' + told['env'] if 'env' in told else 'the file ' + told['file']} of the secret "
                                 f"{told['id']} is missing")
        return []
    return ["--secret", f"id={told['id']}," + (f"env={told['env']}" if "env" in told else f"src={os.path.abspath(told['file'])}")]


def _push(tool: str, image: str, config: Config, environ: Mapping[str, str]) -> None:
    insecure = config.get("tls_verify") is False
    if insecure and not _is_podman(tool):
        raise PackagingError("packaging_tls_verify=False is for podman: docker takes insecure registries from its daemon.json")
    _run([tool, "push", *(["--tls-verify=false"] if insecure else []), image], environ)


def _tool(config: Config, environ: Mapping[str, str]) -> str:
    asked = config.get("runtime")
    for name in (asked,) if asked in ("podman", "docker") else ("podman", "docker"):
        if found := shutil.which(str(name), path=environ.get("PATH")):
            return found
    raise PackagingError("images are built and pushed by podman or docker, and "
                         f"{'neither is' if asked not in ('podman', 'docker') else f'{asked} is not'} on PATH here")


def _is_podman(tool: str) -> bool:
    return os.path.basename(os.path.realpath(tool)).startswith("podman")


def _succeeds(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    return subprocess.run(words, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
        check=False).returncode == 0


def _run(words: Sequence[str], environ: Mapping[str, str], quiet: bool = False) -> str:
    try:
        if quiet:
            done = subprocess.run(words, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
                check=False)
        else:
            done = wheel.run(words, environ, SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PackagingError(f"`{' '.join(words)}` took more than {SECONDS:.0f} s") from error
    if done.returncode:
        raise PackagingError(f"`{' '.join(words)}` ended with {done.returncode}:\n{tail(done.stdout + (done.stderr or ''))}")
    return done.stdout
