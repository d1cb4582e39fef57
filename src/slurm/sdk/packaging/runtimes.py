"""How each container runtime is told to run one command: texts of bash, nothing is run here. Which runtime a node has is found out in the
job.

    pyxis                   srun --container-image: the plugin that most GPU clusters have, with enroot below it
    apptainer, singularity  apptainer exec
    podman, docker          podman run; no network, user or limit of its own: the job's hold
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from slurm.sdk.packaging.settings import RUNTIMES

HOST = "PACKAGING_HOST_"
VARIABLES = (
    "SLURM*", f"{HOST}*", "JOB_DIR", "PYTHONUNBUFFERED", "MASTER_*", "WORLD_SIZE", "RANK", "LOCAL_RANK", "PMI*", "OMP_*", "MKL_*", "NCCL_*",
    "UCX_*", "ROCR_VISIBLE_DEVICES",
    "XDG_STATE_HOME", "TZ", "LANG", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What podman and docker are told to bring into the container; the others bring everything.

CUDA_VISIBLE_DEVICES is not among them: they number anew.
"""
STOP_SECONDS = 20
"""How long a container may take to end after SIGTERM; less than Slurm's KillWait, 30 s."""


class Mount(NamedTuple):
    """A folder of the node inside the container; `options` such as "ro"."""

    source: str
    target: str
    options: str = ""

    def text(self) -> str:
        """As all runtimes write it."""
        return ":".join(part for part in self if part)


class Container(NamedTuple):
    """What is to be run in; `archive` is a file to load the image from where the node has not got it, `arguments` go to the runtime as they
    are."""

    image: str
    mounts: Sequence[Mount]
    workdir: str
    env: Mapping[str, str]
    arguments: Sequence[str] = ()
    archive: str = ""


def lines(runtime: str, container: Container, command: str, srun: str) -> list[str]:
    """The end of a job's script: run `command` in the container, under `srun` (a command with its options) where that is not "".

    With runtime "" the node's own is taken, in the order above.
    """
    # A workflow inside submits with the container's PATH and HOME; its children start on the node.
    found = [f'export {HOST}{name}="${{{HOST}{name}:-${name}}}" {name}="${{{HOST}{name}:-${name}}}"'
        for name in ("PATH", "HOME")] + [f"set -- {command}"]
    if runtime:
        return found + _one(runtime, container, srun)
    found += [
        'if srun --help 2>/dev/null | grep -q -e --container-image; then runtime=pyxis; else runtime=""',
        f"for one in {' '.join(RUNTIMES[1:])}; do if command -v $one >/dev/null; then runtime=$one; break; fi; done; fi",
        'case "$runtime" in']
    for name in RUNTIMES:
        found += [f"{name})", *_one(name, container, srun), ";;"]
    missing = (f"looked for srun with --container-image (Pyxis), {', '.join(RUNTIMES[1:])} on PATH=$PATH. Load one with "
               "packaging_modules=, or name one that is there with packaging_runtime=")
    return [*found, "*)", f'echo "slurm: $(uname -n) has no container runtime: {missing}" >&2', "exit 127", "esac"]


def _one(runtime: str, container: Container, srun: str) -> list[str]:
    """The command stands in "$@"."""
    if runtime == "pyxis":
        return _pyxis(container, srun)
    inside = _apptainer(runtime, container) if runtime in ("apptainer", "singularity") else _podman(runtime, container)
    # Ranks and their variables are known only in the step.
    return [f'exec {srun} /bin/bash -c {shlex.quote(chr(10).join(inside))} bash "$@"'] if srun else inside


def _pyxis(container: Container, srun: str) -> list[str]:
    words = [*container.arguments, f"--container-image={_enroot(container.image)}", f"--container-workdir={container.workdir}"]
    if container.mounts:
        words.append("--container-mounts=" + ",".join(f"{one.source}:{one.target}" + (f":{one.options.replace(',', '+')}" if one.options
            else "") for one in container.mounts))
    if container.env:
        words.append(f"--container-env={','.join(container.env)}")  # else what the image says wins
    return [*_exports(container.env), "unset PYTHONPATH PYTHONHOME", f"exec {srun or 'srun'} {shlex.join(words)} \"$@\""]


def _apptainer(runtime: str, container: Container) -> list[str]:
    words = [word for one in container.mounts for word in ("--bind", one.text())]
    words += ["--pwd", container.workdir, *container.arguments]
    image = f"docker-archive:{container.archive}" if container.archive else _uri(container.image)
    return [
        *_exports({f"{runtime.upper()}ENV_{name}": value for name, value in container.env.items()}),
        "gpus=", 'if [ -n "${SLURM_STEP_GPUS:-${SLURM_JOB_GPUS:-}}" ]; then if [ -e /dev/kfd ]; then gpus=--rocm; else gpus=--nv; fi; fi',
        "unset PYTHONPATH PYTHONHOME", f"exec {runtime} exec $gpus {shlex.join([*words, image])} \"$@\""]


def _podman(runtime: str, container: Container) -> list[str]:
    words = [word for one in container.mounts for word in ("--volume", one.text())]
    words += ["--workdir", container.workdir, *(word for name, value in container.env.items() for word in ("--env", f"{name}={value}")),
        *container.arguments]
    load = []
    if container.archive:
        image, archive = shlex.quote(container.image), shlex.quote(container.archive)
        load = [f"{runtime} image inspect {image} >/dev/null 2>&1 || {runtime} load -q -i {archive} >&2 || exit 1"]
    if runtime == "podman":
        # Without a cgroup of its own it stays in the job's; a user other than root keeps his name inside.
        own = "own=(--cgroups=disabled --security-opt label=disable); [ \"$(id -u)\" = 0 ] || own+=(--userns=keep-id)"
        device = 'own+=(--device "nvidia.com/gpu=$one")'
        gpus = f'for one in $(echo "${{SLURM_STEP_GPUS:-${{SLURM_JOB_GPUS:-}}}}" | tr , " "); do {device}; done'
    else:
        # Docker's daemon starts the container, as root and as its own child.
        own = 'own=(--init --user "$(id -u):$(id -g)" --env HOME=/tmp)'
        gpus = 'one="${SLURM_STEP_GPUS:-${SLURM_JOB_GPUS:-}}"; [ -z "$one" ] || own+=(--gpus "\\"device=$one\\"")'
    return [
        *load, own, gpus,
        f'for one in $(compgen -e); do case "$one" in {"|".join(VARIABLES)}) own+=(--env "$one");; esac; done',
        'name="slurm-$SLURM_JOB_ID-${SLURM_STEP_ID:-batch}-${SLURM_PROCID:-0}"',
        f"trap '{runtime} stop -t {STOP_SECONDS} \"$name\" >/dev/null 2>&1' TERM INT",
        f'{runtime} run --rm --name "$name" --network=host --ipc=host "${{own[@]}}" {shlex.join([*words, container.image])} "$@" &',
        "container=$!", "wait $container; status=$?",
        "if kill -0 $container 2>/dev/null; then wait $container; status=$?; fi", "exit $status"]


def _exports(env: Mapping[str, str]) -> Iterable[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in env.items()]


def _enroot(image: str) -> str:
    """An image as Pyxis and enroot write it: REGISTRY#NAME:TAG."""
    name = image.removeprefix("docker://")
    host, slash, path = name.partition("/")
    if not slash or name.startswith(("/", ".")) or "#" in name or not re.search(r"[.:]|^localhost$", host):
        return name
    return f"{host}#{path}"


def _uri(image: str) -> str:
    """An image as apptainer writes it: a file, a folder, or an address with its kind."""
    return image if "://" in image or image.startswith(("/", ".")) or image.endswith(".sif") else f"docker://{image}"
