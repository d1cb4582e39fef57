"""Fixtures: one cluster shared by the tests of a module, or a fresh one for tests that break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.harness import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four emulated nodes of 16 CPUs with two GPUs."""
    found = Cluster(tmp_path_factory.mktemp("cluster") / "c", "--nodes", "4", "--cpus", "16", "--memory", "64G", "--gpus", "h100:2")
    found.up()
    yield found
    found.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """A maker of clusters that the test may break; not started."""
    made: list[Cluster] = []

    def make(*flags: str) -> Cluster:
        made.append(Cluster(tmp_path / f"c{len(made)}", *flags))
        return made[-1]

    yield make
    for one in made:
        one.close()
