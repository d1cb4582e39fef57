"""What lies in the outbox is what slurmdbd reads, with the scripts and environments that the fold knows only by name."""

import msgspec
import pytest

from slurm.core.effects import Announce, Record
from slurm.model.accounting import Outgoing, PayloadRecord, SuspensionRecord
from slurm.model.ids import Digest, JobId
from slurm.slurmctld.accounting import parcels
from slurm.store.payloads import digest

SCRIPT = b"#!/bin/sh\ntrue\n"
ENVIRONMENT = msgspec.json.encode({"HOME": "/home/alice", "TEXT": "ä=b"})


def read(body: bytes) -> Outgoing:
    return msgspec.msgpack.decode(body, type=Outgoing)


def test_records_become_parcels_of_their_numbers_and_other_effects_none() -> None:
    record = SuspensionRecord(job=JobId(1), start_time=2.0)
    [parcel] = parcels.of([Announce(job=JobId(1)), Record(sequence=9, record=record)])
    assert parcel.sequence == 9
    assert read(parcel.body) == Outgoing(9, record)


def test_a_script_goes_as_it_is_and_an_environment_as_names_and_values_between_nuls() -> None:
    effects = [Record(sequence=number, record=PayloadRecord(digest=digest(content), what=what, content=b""))
               for number, (what, content) in enumerate((("script", SCRIPT), ("environment", ENVIRONMENT)), 1)]
    script, environment = (read(parcel.body).record for parcel in parcels.of(effects, [ENVIRONMENT, SCRIPT]))
    assert isinstance(script, PayloadRecord) and isinstance(environment, PayloadRecord)
    assert script.content == SCRIPT
    assert environment.content.decode().split("\0") == ["HOME=/home/alice", "TEXT=ä=b"]


def test_a_payload_that_was_not_brought_along_is_told_and_leaves_no_gap(caplog: pytest.LogCaptureFixture) -> None:
    [parcel] = parcels.of([Record(sequence=1, record=PayloadRecord(digest=Digest("0" * 64), what="script", content=b""))], [])
    assert parcel.sequence == 1
    assert "0" * 64 in caplog.text
