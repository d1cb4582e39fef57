"""Messages: every one survives both codecs, and old ones without new fields are still read."""

import msgspec
import pytest

from slurm.model import bounds, msgpack
from slurm.model.errors import InvalidRequest
from slurm.model.settings import Settings
from slurm.wire import messages, node_messages
from slurm.wire.relay_messages import SackdAccepted


def kinds(union: object) -> list[type]:
    return list(getattr(union, "__args__", ()))


@pytest.mark.parametrize("kind", [*kinds(messages.Request), *kinds(messages.Reply)])
def test_a_command_message_is_known_by_its_type_in_json(kind: type) -> None:
    union = messages.Request if kind in kinds(messages.Request) else messages.Reply
    required = [field for field in msgspec.structs.fields(kind) if field.required]
    if required:
        with pytest.raises(msgspec.ValidationError, match="missing required field"):
            msgspec.json.decode(msgspec.json.encode({"type": kind.__name__}), type=union)
    else:
        assert type(msgspec.json.decode(msgspec.json.encode({"type": kind.__name__}), type=union)) is kind


def test_an_unknown_message_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"type": "Bogus"}', type=messages.Request)


def test_a_node_message_comes_back_through_messagepack() -> None:
    sent = node_messages.StepEnded(serial=3, job=12, attempt=1, step=-5, status=256)
    assert msgpack.decode(msgpack.encode(sent), type=node_messages.FromNode) == sent
    order = node_messages.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=5)
    assert msgpack.decode(msgpack.encode(order), type=node_messages.ToNode) == order


@pytest.mark.parametrize("payload", [b"", b"{", b'{"type": "\xff"}', b'{"type": "Ping", "x": ' + b"[" * 50_000, b'{"type": "NoSuch"}', b"[]"])
def test_whatever_is_no_message_is_unreadable_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(messages.UNREADABLE):
        msgspec.json.decode(payload, type=messages.Request)


@pytest.mark.parametrize("beat", [0.0, -1.0, 1e300, float("nan"), 90_000.0])
@pytest.mark.parametrize("kind", [node_messages.ReconfigureNode, node_messages.NodeAccepted, SackdAccepted], ids=lambda kind: kind.__name__)
def test_a_heartbeat_out_of_bounds_is_refused_in_every_message_that_tells_one(kind: type[msgspec.Struct], beat: float) -> None:
    told = {"ReconfigureNode": {"kill_wait": 30}, "NodeAccepted": {"kill_wait": 30}, "SackdAccepted": {}}[kind.__name__]
    with pytest.raises(InvalidRequest) as caught:
        bounds.check(kind(heartbeat=beat, **told), Settings())
    assert "heartbeat" in " ".join(caught.value.lines())
