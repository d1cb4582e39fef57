"""Getting code to a cluster that does not see this disk: the runner, and the modules of the user that this process has imported.

Both travel as archives named by their content, once, into `.code` below the folders of the jobs. What lies in site-packages does not
travel: the Python there has to have it. What travels when is for `packaging` to say.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import os
import re
import shlex
import shutil
import sys
import sysconfig
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import cloudpickle

import slurm
from slurm.sdk.backends.backend import Backend, Distant
from slurm.sdk.calls.folder import make_private
from slurm.sdk.calls.pickling import python_version
from slurm.sdk.errors import BackendCommandError, PackagingError

LARGEST = 64 << 20
"""More bytes of the user's modules are not sent along: somebody imports from a folder of data."""
OWN = frozenset(("slurm", "cloudpickle", "__main__", "__mp_main__"))
_VERSION = re.compile(r"^slurm-python=(\d+)\.(\d+)$", re.MULTILINE)


def here() -> tuple[str, list[str]]:
    """Where jobs that see this disk find code as this process does: a folder to go before PYTHONPATH, "" where none is needed, and folders
    before sys.path."""
    return _source(), extra_path()


def runner(backend: Backend, base: str) -> str:
    """The folder below `base` that holds slurm-py and cloudpickle, made when it is not there yet."""
    folder = f"{base}/.code/slurm-{slurm.__version__}-{name_of(_runtime())}"
    deposit(backend, _runtime(), folder)
    return folder


def sources(backend: Backend, base: str) -> list[str]:
    """The folder below `base` that holds the user's modules, made when it is not there yet; [] when there are none."""
    files = modules()
    if not files:
        return []
    archive = _archive(tuple((name, path, os.stat(path).st_mtime_ns) for name, path in sorted(files.items())))
    folder = f"{base}/.code/modules-{name_of(archive)}"
    deposit(backend, archive, folder)
    return [folder]


def deposit(backend: Backend, archive: bytes, folder: str) -> None:
    """Unpack a .tar.gz into `folder` where the jobs run, unless it is there; it appears whole or not at all.

    PackagingError when it cannot be made here.
    """
    if isinstance(backend, Distant):
        backend.unpack(archive, folder)
        return
    if os.path.isdir(folder):
        with contextlib.suppress(PermissionError):  # it is a colleague's
            os.utime(folder)  # clean-up counts from the last use
        return
    new = f"{folder}.{uuid.uuid4().hex[:8]}"
    try:
        make_private(new)
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(new, filter="data")
        try:
            os.rename(new, folder)
        except OSError:
            if not os.path.isdir(folder):  # else somebody was faster
                raise
    except OSError as error:
        raise PackagingError(f"{folder} cannot be made: {error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def modules() -> dict[str, str]:
    """The user's modules that this process has imported, as names of files below a folder of sys.path → the files here.

    Of a package all modules count. A module that is not found by its name, such as one loaded from a file, is left out: what a task needs
    of it travels by value.
    """
    found: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")  # lazy modules raise when asked for what they lack
        if not isinstance(file, str) or not file.endswith(".py") or name.partition(".")[0] in OWN or is_usual(
                os.path.dirname(os.path.abspath(file))):
            continue
        file = os.path.abspath(file)
        stem = name.replace(".", "/")
        inside = next((one for one in (f"{stem}.py", f"{stem}/__init__.py") if file.endswith(f"/{one}")), None)
        if inside is None:
            continue
        found[inside] = file
        if inside.endswith("/__init__.py"):
            found.update(_below(os.path.dirname(file), stem))
    return found


def extra_path() -> list[str]:
    """Where this process finds modules and another of the same interpreter would not, the folder of the main script included."""
    own = [os.path.abspath(entry) if entry else os.getcwd() for entry in sys.path]
    return [entry for entry in dict.fromkeys(own) if not is_usual(entry)]


def is_usual(folder: str) -> bool:
    """Whether every interpreter of the same installation looks there by itself."""
    return folder.endswith(".zip") or "site-packages" in folder or "dist-packages" in folder or f"{folder}/".startswith(
        f"{_installed('stdlib')}/")


_checked: WeakKeyDictionary[Distant, set[tuple[str, str]]] = WeakKeyDictionary()


def check(backend: Distant, interpreter: Sequence[str], setup: str) -> None:
    """Find out, once, which Python would run the jobs; PackagingError when it is another version than this one.

    Where it cannot be found on the login node, but `setup` may load it on the node, the job itself has to tell.
    """
    python = shlex.join(interpreter)
    checked = _checked.setdefault(backend, set())
    if (python, setup) not in checked:
        _check(backend, python, setup)
        checked.add((python, setup))


def _check(backend: Distant, python: str, setup: str) -> None:
    here = ".".join(map(str, python_version()))
    try:
        out = backend.say(f"{setup}\n{python} -c 'import sys; print(\"slurm-python=%d.%d\" % sys.version_info[:2])'")
    except BackendCommandError as error:
        if setup:
            return
        raise PackagingError(f"{python} does not run on the login node: {error}. Name the Python {here} that is there: "
                             "Cluster(…, python=\"/path/to/python\"), or the lines that load it: setup=\"module load python\"") from error
    found = _VERSION.search(out)
    if found is not None and (int(found[1]), int(found[2])) != python_version():
        raise PackagingError(f"{python} on the login node is Python {found[1]}.{found[2]}, this is {here}: functions travel as compiled "
                             "code, which "
                             f"another version cannot run. Name a Python {here} with Cluster(…, python=\"…\"), or run this program with "
                             f"{found[1]}.{found[2]}")


@functools.cache
def _runtime() -> bytes:
    """slurm-py and cloudpickle."""
    found: dict[str, str | bytes] = {}
    for package in (slurm, cloudpickle):
        folder = os.path.dirname(os.path.abspath(str(package.__file__)))
        found.update(_below(folder, os.path.basename(folder)))
    if "slurm.examples" in sys.modules:  # which in a clone lies elsewhere
        found.update(_below(next(iter(sys.modules["slurm.examples"].__path__)), "slurm/examples"))
    return packed(found)


@functools.lru_cache(maxsize=8)
def _archive(files: tuple[tuple[str, str, int], ...]) -> bytes:
    return packed({name: path for name, path, _ in files})


def _below(folder: str, stem: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one.isidentifier() and one != "__pycache__"]
        inside = stem + place[len(folder):]
        found.update((f"{inside}/{name}", f"{place}/{name}") for name in names if name.endswith(".py"))
    return found


def packed(files: Mapping[str, str | bytes], largest: int = LARGEST) -> bytes:
    """A .tar.gz that is the same for the same files: names in it → paths here, or contents.

    PackagingError for more than `largest` bytes.
    """
    size = 0
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, path in sorted(files.items()):
            data = path if isinstance(path, bytes) else _content(path)
            size += len(data)
            if size > largest:
                raise PackagingError(f"what would travel to the cluster is more than {largest >> 20} MB, {name} among it: "
                                     "install it there and use packaging=\"none\"")
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), 6, mtime=0)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def name_of(archive: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(archive).hexdigest()[:16]


def _source() -> str:
    """The folder that this package was imported from, "" when every Python with the same prefix finds it by itself."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(str(slurm.__file__))))
    return "" if folder in (_installed("purelib"), _installed("platlib")) else folder


@functools.cache
def _installed(kind: str) -> str:
    """Where this interpreter has things of this kind. Each call is asked for it, and `sysconfig` takes a millisecond to say."""
    return sysconfig.get_path(kind)
