"""What a handshake costs the server: `python -m bench.handshakes` measures it with a whole slurmctld."""

import pytest

from bench.handshakes import handshake_alone
from tests.pace import pace


@pytest.mark.alone
def test_a_full_handshake_costs_the_server_two_milliseconds_at_most_and_a_resumed_one_one() -> None:
    slower = pace()
    found = [handshake_alone(200) for _ in range(3)]
    slower = max(slower, pace())
    assert min(full for full, _ in found) <= 2.0 * slower, (found, slower)
    assert min(resumed for _, resumed in found) <= 1.2 * slower, (found, slower)
