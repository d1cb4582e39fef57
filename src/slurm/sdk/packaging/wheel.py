"""`wheel`: the project is built as a wheel and installed, with what it depends on, into one virtual environment that all jobs of this
content share.

    <job_base_dir>/.code/wheel-<content>/       the wheel, local wheels among the dependencies, and the recipe that `environment` follows
    <job_base_dir>/.code/venv-<content>/        the environment: made by the first job, or at submission with install="submit"
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.errors import BackendError, PackagingError
from slurm.sdk.packaging import build
from slurm.sdk.packaging.base import PackagingStrategy, asked_python, quoted
from slurm.sdk.packaging.environment import READY
from slurm.sdk.packaging.settings import Config
from slurm.sdk.place import Place

INSTALL_SECONDS = 3600.0
RECIPE = "recipe.json"


class WheelPackagingStrategy(PackagingStrategy):
    """One environment a content."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.folder = ""
        self.recipe = ""
        self.python: list[str] = []

    def prepare(self, task: Any, cluster: Place) -> None:
        """Build the wheel unless this content was built, send it unless it is there."""
        file = getattr(sys.modules.get(getattr(task.func, "__module__", "") or ""), "__file__", None)
        root = build.project(os.getcwd(), *([os.path.dirname(file)] if file else []))
        self.python = asked_python(self.config, cluster)
        backend, base = cluster.backend, cluster.job_base_dir
        if isinstance(backend, Distant):
            shipping.check(backend, self.python, cluster.setup)
        links = _links(self.config, isinstance(backend, Distant))
        archive = _archive(self.config, root, self.python, links, cluster.setup)
        name = shipping.name_of(archive)
        self.recipe = f"{base}/.code/wheel-{name}/{RECIPE}"
        self.folder = f"{base}/.code/venv-{name}"
        self.interpreter = [f"{self.folder}/bin/python"]
        shipping.deposit(backend, archive, os.path.dirname(self.recipe))
        self.source = shipping.runner(backend, base)
        self.behind = shipping.sources(backend, base) if isinstance(backend, Distant) else shipping.extra_path()
        if self.config.get("install") == "submit":
            self._install_now(cluster)

    def lines(self, files: JobFiles, base: int | None) -> list[str]:
        """Have the environment made unless it is ready, and enter it."""
        told = ["--folder", files.folder, "--key", files.array_key, *(["--base", str(base)] if base is not None else [])]
        return [f"export VIRTUAL_ENV={quoted([self.folder])}",
                f'[ -e "$VIRTUAL_ENV/{READY}" ] && [ -x "$VIRTUAL_ENV/bin/python" ] || {quoted(self._making(*told))} || exit 1',
                'export PATH="$VIRTUAL_ENV/bin:$PATH"', "unset PYTHONHOME"]

    def made(self) -> dict[str, Any]:
        """Where the environment is."""
        return {**super().made(), "folder": self.folder, "recipe": self.recipe, "python": self.python}

    def _making(self, *told: str) -> list[str]:
        return [*self.python, "-m", "slurm.sdk.packaging.environment", self.recipe, self.folder, *told]

    def _install_now(self, cluster: Place) -> None:
        command = f"[ -e {quoted([f'{self.folder}/{READY}'])} ] || PYTHONPATH={quoted([self.source])} {quoted(self._making())}"
        if isinstance(cluster.backend, Distant):
            try:
                cluster.backend.say(f"{cluster.setup}\n{command}", INSTALL_SECONDS)
            except BackendError as error:
                raise PackagingError(str(error)) from error
            return
        done = subprocess.run(["/bin/bash", "-c", f"{cluster.setup}\n{command}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise PackagingError(done.stderr.strip())


def _archive(config: Config, root: str, python: list[str], links: list[str], setup: str) -> bytes:
    """The wheels that travel, and what is to be made of them."""
    wheel = build.wheel(root, config.get("build_tool"), os.environ)
    asked = config.get("dependencies", ())
    local = {one: os.path.abspath(one) for one in asked if one.endswith(".whl") and os.path.isfile(one)}
    extras = f"[{','.join(config['extras'])}]" if config.get("extras") else ""
    recipe = {
        "python": python, "version": "{}.{}".format(*python_version()), "setup": setup, "links": links,
        "upgrade_pip": bool(config.get("upgrade_pip")),
        "index": [one for one in config.get("extra_index_url", ()) if "://" in one],
        "wheels": [os.path.basename(wheel) + extras, *(os.path.basename(path) for path in local.values())],
        "packages": [one for one in asked if one not in local]}
    files: dict[str, str | bytes] = {os.path.basename(path): path for path in (wheel, *local.values())}
    return shipping.packed({**files, RECIPE: json.dumps(recipe).encode()}, 1 << 30)


def _links(config: Config, far: bool) -> list[str]:
    """Folders of wheels among the indexes, as absolute paths; PackagingError when the cluster cannot see them."""
    found = []
    for place in config.get("extra_index_url", ()):
        if "://" not in place:
            if not os.path.isdir(place):
                raise PackagingError(f"packaging_extra_index_url={place!r} is neither an address (https://…) nor a folder of wheels here")
            if far:
                raise PackagingError(f"packaging_extra_index_url={place!r} is a folder here, which the cluster behind ssh cannot see: "
                                     "name the wheels themselves "
                                     "as packaging_dependencies=[\"path/to/one.whl\"], and they travel with the job")
            found.append(os.path.abspath(place))
    return found
