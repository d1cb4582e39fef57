"""`container`: the task runs in an image. What the image needs is a Python of this minor version: slurm-py and the user's modules come from
the jobs' folder, which is mounted; what the image has itself wins over them.

How images are made: `image`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.errors import InvalidOption, PackagingError
from slurm.sdk.packaging import image
from slurm.sdk.packaging.base import PackagingStrategy, quoted
from slurm.sdk.packaging.settings import RUNTIMES, Config
from slurm.sdk.place import Place

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


PYTHON = "python3"
_BOOT = """import sys
del sys.path[:sys.path[:1] == [""]]
import os, signal
found = "%d.%d" % sys.version_info[:2]
if found != {here!r}:
    sys.exit("slurm: the task was submitted from Python {here}, and %s in the image {image} is Python %s: take an image with Python {here}, or name its Python "
             "with packaging_python_executable=" % (sys.executable, found))
if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # which the kernel keeps from process 1 that has no handler
sys.path.insert(0, {source!r})
from slurm.runner import main
sys.exit(main())"""
_SOURCES = ("source", "src", "host", "host_path")
_TARGETS = ("target", "dst", "destination", "container_path")
_OPTIONS = ("options", "mode", "access")
_MODULES = "for one in /etc/profile.d/modules.sh /etc/profile.d/lmod.sh; do type module >/dev/null 2>&1 || [ ! -r $one ] || . $one; done"


class ContainerPackagingStrategy(PackagingStrategy):
    """One container a task of the job, gone with it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.image = ""
        self.archive = ""
        self.runner = ""
        self.mounts: list[Mount] = []

    def prepare(self, task: Any, cluster: Place) -> None:
        """Build or push the image where that is asked for, and send what is to be mounted."""
        backend, base = cluster.backend, cluster.job_base_dir
        far = isinstance(backend, Distant)
        self.mounts = [_mount(one, far) for one in self.config.get("mounts", ())]
        if self.config.get("mount_job_dir", True):
            self.mounts.insert(0, Mount(base, base))
        elif not any(f"{base}/".startswith(f"{one.target.rstrip('/')}/") for one in self.mounts):
            raise PackagingError(f"packaging_mount_job_dir=False: then packaging_mounts has to bring {base} into the container, where the "
                                 "job's call lies")
        self.mounts += [Mount(path, path) for path in _cluster(cluster) if task.workflow]
        self.image, tool = image.ready(self.config, task.name, os.environ)
        if tool and not self.config.get("push"):
            if far:
                raise PackagingError(f"the image {self.image} was built here and the cluster behind ssh cannot see it: "
                                     "packaging_push=True with packaging_registry= "
                                     "brings it there")
            self.archive = f"{base}/.code/image-{hashlib.sha256(self.image.encode()).hexdigest()[:16]}.tar"
            image.saved(tool, self.image, self.archive, os.environ)
        asked = self.config.get("python_executable", PYTHON)
        self.interpreter = shlex.split(asked) if isinstance(asked, str) else list(asked)
        self.runner = shipping.runner(backend, base)
        self.behind = shipping.sources(backend, base)

    def command(self) -> list[str]:
        """A Python that says so when it is another version; not by PYTHONPATH, which images set too."""
        here = "{}.{}".format(*python_version())
        return [*self.interpreter, "-c", _BOOT.format(here=here, image=self.image, source=self.runner)]

    def lines(self, files: JobFiles, base: int | None) -> list[str]:
        """Modules of the node. Packages of a home folder that the runtime mounts are not for the container."""
        found = [_MODULES, f"module load {quoted(self.config['modules'])} || exit 1"] if self.config.get("modules") else []
        return [*found, "export PYTHONNOUSERSITE=1"]

    def launch(self, command: str, launcher: str, files: JobFiles) -> list[str]:
        """The container around the runner."""
        srun = " ".join((launcher or "srun", quoted(self.config["srun_args"]))) if self.config.get("srun_args") else launcher
        mounts = [Mount(*(part.replace("{job_dir}", files.folder) for part in one)) for one in self.mounts]
        container = Container(self.image, mounts, self.config.get("workdir", files.folder), self.config.get("env", {}),
            self.config.get("run_args", ()), self.archive)
        return [f"export CONTAINER_IMAGE={quoted([self.image])}", *lines(self.config.get("runtime", ""), container, command, srun)]

    def made(self) -> dict[str, Any]:
        """The image and what belongs to it."""
        return {**super().made(), **{name: getattr(self, name) for name in ("image", "archive", "runner", "mounts")}}


def _mount(told: str | Mapping[str, Any], far: bool) -> Mount:
    """A mount as people write it: SOURCE[:TARGET[:OPTIONS]], or a table."""
    if isinstance(told, str):
        parts = told.split(":", 2)
        found = Mount(parts[0], parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else "")
    else:
        unknown = told.keys() - {*_SOURCES, *_TARGETS, *_OPTIONS, "read_only"}
        source, target, options = (next((str(told[name]) for name in names if told.get(name)), "")
            for names in (_SOURCES, _TARGETS, _OPTIONS))
        if unknown or not source:
            raise InvalidOption(f"packaging_mounts: {dict(told)!r} is no mount; write {{\"source\": \"/data\", \"target\": \"/data\", "
                                f"\"options\": \"ro\"}} or \"/data:/data:ro\"")
        found = Mount(source, target, options or ("ro" if told.get("read_only") is True else ""))
    source = found.source
    if not source.startswith(("/", "{job_dir}")):
        if far:
            raise InvalidOption(f"packaging_mounts: {source!r} is no absolute path, and the cluster behind ssh does not know this folder")
        source = os.path.abspath(os.path.expanduser(source))
    return found._replace(source=source, target=found.target or source)


def _cluster(cluster: Place) -> list[str]:
    """Where an embedded cluster of this machine is spoken to: a workflow in a container has to see it."""
    if cluster.backend.name != "local":
        return []
    from slurm.net.discovery import find_site  # only where a cluster of this machine is looked for

    site = find_site(os.environ)
    return [os.path.dirname(site.conf)] if site.embedded else []
