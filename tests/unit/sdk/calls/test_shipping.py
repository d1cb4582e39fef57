"""What travels to a cluster that does not see this disk."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from slurm.sdk.backends.backend import Around, Distant
from slurm.sdk.backends.inline import InlineBackend
from slurm.sdk.calls import shipping
from slurm.sdk.errors import BackendCommandError, PackagingError
from slurm.sdk.following.status import Status
from slurm.sdk.packaging.base import PackagingStrategy
from slurm.sdk.packaging.choice import get_packaging_strategy


class Far:
    """A distant backend that remembers what was unpacked and says which Python it has."""

    name = "far"
    pace = (0.0, 0.0)

    def __init__(self, python: str = "", failure: str = "") -> None:
        here = "{}.{}".format(*sys.version_info[:2])
        self.answer, self.failure = f"module loaded\nslurm-python={python or here}\n", failure
        self.folders: dict[str, bytes] = {}
        self.said: list[str] = []

    def unpack(self, archive: bytes, folder: str) -> None:
        self.folders[folder] = archive

    def say(self, command: str, seconds: float = 60.0) -> str:
        self.said.append(command)
        if self.failure:
            raise BackendCommandError(self.failure)
        return self.answer

    def submit(self, script: str, path: str, options: Mapping[str, str | None], array: Sequence[int] = (), limit: int = 0) -> str:
        return "1"

    def states(self, ids: Sequence[str]) -> dict[str, Status]:
        return {}

    def changes(self, ids: Sequence[str], timeout: float) -> dict[str, Status]:
        return {}

    def wake(self) -> None: ...
    def rest(self) -> None: ...
    def cancel(self, ids: Sequence[str]) -> None: ...
    def prefetch(self, paths: Sequence[str]) -> None: ...
    def write(self, path: str, data: bytes, mode: int = 0o600) -> None: ...
    def close(self) -> None: ...

    def present(self, paths: Sequence[str]) -> set[str]:
        return set()

    def grown(self, files: Mapping[str, int]) -> dict[str, tuple[int, bytes]]:
        return {}

    def read(self, path: str) -> BinaryIO:
        return io.BytesIO()

    def base(self, path: str) -> str:
        return path

    def around(self) -> Around:
        return Around("/", "user")

    def ask(self, words: Sequence[str]) -> str:
        raise AssertionError("nothing is asked of Slurm to ship code")

    def max_array(self) -> int:
        return 10


class Place:
    """A cluster as far as shipping looks at it."""

    def __init__(self, backend: Far | InlineBackend, setup: str = "") -> None:
        self.backend, self.python, self.setup, self.job_base_dir = backend, "python3", setup, "/scratch/jobs"


def _placed(place: Place, kind: str = "auto") -> PackagingStrategy:
    strategy = get_packaging_strategy({"type": kind})
    strategy.prepare(None, place)
    return strategy


@pytest.fixture
def package(tmp_path: Path) -> Iterator[str]:
    """An imported package of the user's with a module that was not imported."""
    folder = tmp_path / "ofusers"
    folder.mkdir()
    (folder / "__init__.py").write_text("from ofusers import used\n")
    (folder / "used.py").write_text("VALUE = 1\n")
    (folder / "later.py").write_text("VALUE = 2\n")
    sys.path.insert(0, str(tmp_path))
    __import__("ofusers")
    yield "ofusers"
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("ofusers")]:
        del sys.modules[name]


def _names(archive: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return set(opened.getnames())


def test_all_modules_of_an_imported_package_travel_and_nothing_of_the_library_does(package: str) -> None:
    found = shipping.modules()
    assert {"ofusers/__init__.py", "ofusers/used.py", "ofusers/later.py"} <= found.keys()
    assert not any(name.startswith(("slurm/", "json/", "pytest", "cloudpickle/")) for name in found)


def test_the_runner_and_the_users_modules_travel_under_names_of_their_content(package: str) -> None:
    far = Far()
    code = _placed(Place(far))
    assert code.source.startswith("/scratch/jobs/.code/slurm-") and code.path[0].startswith("/scratch/jobs/.code/modules-")
    assert {"slurm/__init__.py", "slurm/sdk/inside/runner.py", "cloudpickle/__init__.py"} <= _names(far.folders[code.source])
    assert "ofusers/later.py" in _names(far.folders[code.path[0]])
    assert _placed(Place(Far())).made() == code.made()


def test_the_python_there_is_asked_for_once(package: str) -> None:
    far = Far()
    for _ in range(3):
        _placed(Place(far))
    assert len(far.said) == 1


def test_another_version_of_python_is_refused_before_anything_is_submitted() -> None:
    with pytest.raises(PackagingError, match=r"python3 on the login node is Python 3\.6.*Cluster\(…, python="):
        _placed(Place(Far("3.6")))


def test_a_python_that_is_missing_is_refused_but_not_when_setup_may_load_it_on_the_node() -> None:
    with pytest.raises(PackagingError, match="does not run on the login node"):
        _placed(Place(Far(failure="python3: not found")))
    assert _placed(Place(Far(failure="module: not found"), setup="module load python")).source


def test_nothing_travels_when_the_python_there_has_everything() -> None:
    far = Far()
    code = _placed(Place(far), "none")
    assert (code.source, code.path, code.interpreter) == ("", [], ["python3"])
    assert far.folders == {} and far.said == []


def test_the_environment_of_this_program_cannot_be_inherited_where_nobody_sees_it() -> None:
    with pytest.raises(PackagingError, match="this is no workflow"):
        _placed(Place(Far()), "inherit")


def test_where_the_disk_is_shared_the_jobs_look_where_this_process_looks() -> None:
    backend = InlineBackend()
    assert not isinstance(backend, Distant)
    code = _placed(Place(backend))
    assert code.path == shipping.extra_path()
