"""What a handshake costs the server: `python -m bench.handshakes` measures it with a whole slurmctld."""

import pytest

from bench.handshakes import handshake_alone


@pytest.mark.alone
def test_a_full_handshake_costs_the_server_two_milliseconds_at_most_and_a_resumed_one_one() -> None:
    found = [handshake_alone(200) for _ in range(3)]
    assert min(full for full, _ in found) <= 2.0, found
    assert min(resumed for _, resumed in found) <= 1.0, found
