"""What slurmctld and slurmdbd say to each other about records."""

import msgspec
import pytest

from slurm.model import bounds
from slurm.model.accounting import Outgoing, SuspensionRecord
from slurm.model.errors import InvalidRequest
from slurm.model.ids import JobId
from slurm.model.settings import Settings
from slurm.wire import dbd_messages as d

ENCODE = msgspec.msgpack.Encoder().encode


def test_records_that_lie_in_the_store_as_bytes_are_sent_as_they_are_and_read_as_records() -> None:
    outgoing = [Outgoing(number, SuspensionRecord(job=JobId(7), start_time=float(number))) for number in (4, 5)]
    sent = ENCODE(d.EncodedRecords(records=[msgspec.Raw(ENCODE(each)) for each in outgoing], complete_until=9.0))
    assert msgspec.msgpack.decode(sent, type=d.FromController) == d.TakeRecords(records=outgoing, complete_until=9.0)


def test_a_cluster_that_registers_is_held_to_the_bounds_of_names_and_numbers() -> None:
    bounds.check(d.RegisterCluster(cluster="alpha", journal="0" * 32, control_port=6817, tres={"cpu": 2**40}), Settings())
    for wrong in (d.RegisterCluster(cluster="a\nb", journal=""), d.RegisterCluster(cluster="alpha", journal="0" * 65),
                  d.RegisterCluster(cluster="alpha", journal="", control_port=65_536), d.RegisterCluster(cluster="alpha", journal="", tres={"cpu": -1})):
        with pytest.raises(InvalidRequest):
            bounds.check(wrong, Settings())
