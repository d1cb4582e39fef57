"""`wheel`: the project is built as a wheel and installed, with what it depends on, into one virtual environment that all jobs of this
content share. It is built once a content, into a cache of this user; somebody may listen to the lines of programs that build.

    <job_base_dir>/.code/wheel-<content>/       the wheel, local wheels among the dependencies, and the recipe that `environment` follows
    <job_base_dir>/.code/venv-<content>/        the environment: made by the first job, or at submission with install="submit"
"""

from __future__ import annotations

import fcntl
import functools
import glob
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.errors import BackendError, PackagingError
from slurm.sdk.packaging.base import PackagingStrategy, asked_python, quoted
from slurm.sdk.packaging.environment import READY, tail
from slurm.sdk.packaging.settings import Config
from slurm.sdk.place import Place

Heard = Callable[[str], object]
_listener: ContextVar[Heard | None] = ContextVar("slurm_build_listener", default=None)


@contextmanager
def heard(listener: Heard) -> Iterator[None]:
    """While this lasts, `listener` is called with each line that a build of this thread says."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def run(words: Sequence[str], environ: Mapping[str, str], timeout: float, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program, its output and errors as one text; subprocess.TimeoutExpired after so many seconds, as subprocess.run."""
    listener = _listener.get()
    if listener is None:
        return subprocess.run(words, env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=timeout, check=False)
    said: list[str] = []
    deadline = time.monotonic() + timeout
    with subprocess.Popen(words, env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        timer = threading.Timer(timeout, _kill, (process.pid,))
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                listener(line.rstrip("\n"))
        except BaseException:
            _kill(process.pid)
            raise
        finally:
            timer.cancel()
    if process.returncode == -signal.SIGKILL and time.monotonic() >= deadline:
        raise subprocess.TimeoutExpired(words, timeout, "".join(said))
    return subprocess.CompletedProcess(words, process.returncode, "".join(said))


def _kill(group: int) -> None:
    """End a program and what it has started, which may hold its output open."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


LARGE = 8 << 20
"""Files of more bytes are known by their size and time instead of being read."""
_SKIPPED = frozenset(("__pycache__", "build", "dist", "node_modules"))

Listing = tuple[tuple[str, int, int], ...]
"""(path below the folder, bytes, time of change in ns) of each file."""


def listing(folder: str, *, everything: bool = False) -> Listing:
    """The files below a folder.

    Hidden folders, virtual environments and what builds leave behind are no part of a project, unless `everything` counts.
    """
    return tuple(sorted(_files(folder, everything)))


def digest(folder: str, files: Listing) -> str:
    """A name for the content of these files."""
    return _digest(folder, files)


@functools.lru_cache(maxsize=32)
def _digest(folder: str, files: Listing) -> str:
    found = hashlib.sha256()
    for name, size, changed in files:
        found.update(f"{name}\0{size}\0".encode())
        if size > LARGE:
            found.update(f"{changed}\0".encode())
            continue
        with open(os.path.join(folder, name), "rb") as file:
            found.update(hashlib.sha256(file.read()).digest())
    return found.hexdigest()[:16]


def _files(folder: str, everything: bool) -> Iterator[tuple[str, int, int]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one != ".git" and (everything or _counts(place, one))]
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and (everything or not name.endswith(".pyc")):
                told = os.stat(path)
                yield os.path.relpath(path, folder), told.st_size, told.st_mtime_ns


def _counts(place: str, name: str) -> bool:
    return not (name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info")
        or os.path.exists(os.path.join(place, name, "pyvenv.cfg")))


SECONDS = 1800.0


def project(*starts: str) -> str:
    """The folder of the nearest pyproject.toml or setup.py, from each start upwards; PackagingError when there is none."""
    for start in starts:
        folder = os.path.abspath(start)
        while True:
            if any(os.path.isfile(os.path.join(folder, name)) for name in ("pyproject.toml", "setup.py")):
                return folder
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
    raise PackagingError('packaging="wheel" builds the project around, and there is no pyproject.toml in '
                         f'{" or ".join(dict.fromkeys(starts))} or above. '
                         'packaging="auto" needs none')


def built_wheel(root: str, tool: str | None, environ: Mapping[str, str]) -> str:
    """The wheel of the project in `root`, built if this content never was; PackagingError with what the tool said when that fails.

    `tool` is uv, build or pip; None, or uv where there is none, takes the first of them that is there. The cache lies in
    $XDG_CACHE_HOME/slurm-py/wheels.
    """
    cache = os.path.join(environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "slurm-py", "wheels")
    found = _cached(cache, root)
    if found:
        return found
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        with open(f"{cache}/{os.path.basename(root)}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another program of this user may be building it
            return _cached(cache, root) or _built(cache, root, tool, environ)
    except OSError as error:
        raise PackagingError(f"the wheel of {root} cannot be kept in {cache}: {error}") from error


def _cached(cache: str, root: str) -> str:
    return next(iter(glob.glob(f"{glob.escape(_place(cache, root))}/*.whl")), "")


def _place(cache: str, root: str) -> str:
    # A wheel with compiled parts belongs to one version of Python.
    return f"{cache}/{digest(root, listing(root))}-{sys.implementation.cache_tag}"


def _built(cache: str, root: str, tool: str | None, environ: Mapping[str, str]) -> str:
    place = _place(cache, root)
    with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as new:
        command = _command(tool, root, new, environ)
        try:
            done = run(command, environ, SECONDS, cwd=root)
        except subprocess.TimeoutExpired as error:
            raise PackagingError(f"building the wheel of {root} took more than {SECONDS:.0f} s: {' '.join(command)}") from error
        made = glob.glob(f"{glob.escape(new)}/*.whl")
        if done.returncode or len(made) != 1:
            said = tail(done.stdout) if done.returncode else f"it left {len(made)} wheels"
            raise PackagingError(f"the wheel of {root} cannot be built: `{' '.join(command)}` ended with {done.returncode}:\n{said}")
        name = os.path.basename(made[0])
        # Some builds write a file into the project, such as its version: what lies there now is built too.
        for folder in dict.fromkeys((place, _place(cache, root))):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            shutil.copyfile(made[0], f"{folder}/{name}.new")
            os.replace(f"{folder}/{name}.new", f"{folder}/{name}")
    return f"{place}/{name}"


def _command(tool: str | None, root: str, out: str, environ: Mapping[str, str]) -> Sequence[str]:
    uv = shutil.which("uv", path=environ.get("PATH")) if tool in (None, "uv") else None
    if uv:
        return [uv, "build", "--wheel", "--python", sys.executable, "-o", out, root]
    if tool == "build" or (tool is None and _has("build")):
        if not _has("build"):
            raise PackagingError(f"packaging_build_tool=\"build\": {sys.executable} has no module build; pip install build, or say \"pip\"")
        return [sys.executable, "-m", "build", "--wheel", "--outdir", out, root]
    if not _has("pip"):
        raise PackagingError(f"a wheel is built by uv, build or pip, and {sys.executable} has none of them: pip install uv")
    return [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "-w", out, root]


def _has(module: str) -> bool:
    """Whether it can be run. A folder of that name, as builds leave one, is a package without a file of its own."""
    found = find_spec(module)
    return found is not None and found.origin is not None


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
        root = project(os.getcwd(), *([os.path.dirname(file)] if file else []))
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
    wheel = built_wheel(root, config.get("build_tool"), os.environ)
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
