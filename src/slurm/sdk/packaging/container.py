"""`container`: the task runs in an image. What the image needs is a Python of this minor version: slurm-py and the user's modules come from
the jobs' folder, which is mounted; what the image has itself wins over them.

How images are made: `image`. What the runtimes are told: `runtimes`.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.errors import InvalidOption, PackagingError
from slurm.sdk.packaging import image, runtimes
from slurm.sdk.packaging.base import PackagingStrategy, quoted
from slurm.sdk.packaging.runtimes import Container, Mount
from slurm.sdk.packaging.settings import Config
from slurm.sdk.place import Place

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
        return [f"export CONTAINER_IMAGE={quoted([self.image])}", *runtimes.lines(self.config.get("runtime", ""), container, command, srun)]

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
