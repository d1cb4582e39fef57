"""What every test process needs of its surroundings."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A shell that starts `make test` in the background has it ignore ctrl-C, and every command that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# How fast examples are made says something about the machine, not about what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture
def open_folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's own folder, with a way to it for every user: pytest makes the folders above for their owner alone."""
    above = tmp_path.parents
    top = tmp_path_factory.getbasetemp()
    while top.name and not top.name.startswith("pytest-of-"):
        top = top.parent
    for folder in (tmp_path, *above[: above.index(top) + 1 if top in above else 2]):
        folder.chmod(0o755)
    return tmp_path
