"""Every fuzzer runs with a seed that stays and with one of the day; a failure says how to run that one again."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from tests.cluster.slurmctld.conftest import Play, Stage
from tests.cluster.slurmctld.conftest import play as play
from tests.fuzz.seeds import TODAY

FIXED = 1

__all__ = ["Play", "Stage", "play"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Two seeds for each fuzzer."""
    if "fuzz_seed" in metafunc.fixturenames:
        metafunc.parametrize("fuzz_seed", [FIXED, TODAY], ids=[f"seed-{FIXED}", f"seed-{TODAY}"], indirect=True)


@pytest.fixture(autouse=True)
def only_its_own_garbage() -> Iterator[None]:
    """What thousands of tests before it left to the collector counts as nobody's time here: one look at all of that takes a second."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def fuzz_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run."""
    return int(request.param)


@pytest.fixture
def with_seed(fuzz_seed: int) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Runs a hypothesis test with the seed of this run."""
    def run(test: Callable[[], None]) -> None:
        try:
            hypothesis.seed(fuzz_seed)(test)()
        except BaseException:
            print(f"\nFUZZ: again with FUZZ_SEED={fuzz_seed} python -m pytest tests/fuzz (seed {fuzz_seed})")
            raise

    yield run
