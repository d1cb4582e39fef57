"""One installation for the tests of a file: making it takes a second."""

from __future__ import annotations

import pytest

from tests.unit.commands.frozen.installation import Installation


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that has its frozen file."""
    one = Installation(tmp_path_factory.mktemp("installed") / "venv")
    one.froze()
    return one
