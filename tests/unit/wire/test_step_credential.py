"""Step credentials: who signed one can be told, nobody can alter it, and nothing of a false one is read."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.cpu_set import CpuSet
from slurm.model.errors import NotPermitted
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.net.signing import Checker, Signer
from slurm.wire.step_credential import StepCredential, opened, seal

SIGNER = Signer(b"s" * 32)
GENUINE = Checker(SIGNER.public).genuine
STEP = StepCredential(
    cluster="test", job=12, attempt=1, step=0, uid=1001, gid=1001, user="alice", groups=[1001, 2000], job_shown="12", issued=1000.0,
    expires=1120.0, shares=[NodeShare(node=NodeName("cn01"), cpus=CpuSet.of([0, 1, 200]), gres={"gpu": CpuSet.of([64])})])
TOKEN = seal(STEP, SIGNER.sign)


def test_a_credential_comes_back() -> None:
    assert opened(TOKEN, GENUINE) == STEP


def test_another_key_and_another_purpose_are_refused() -> None:
    with pytest.raises(NotPermitted, match="Invalid job credential"):
        opened(TOKEN, Checker(Signer(b"x" * 32).public).genuine)
    body = base64.urlsafe_b64decode(TOKEN)[64:]
    with pytest.raises(NotPermitted, match="Invalid job credential"):
        opened(base64.urlsafe_b64encode(SIGNER.sign(body) + body).decode(), GENUINE)


@given(st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(TOKEN))
    raw[position % len(raw)] ^= change
    with pytest.raises(NotPermitted):
        opened(base64.urlsafe_b64encode(raw).decode(), GENUINE)


@given(st.text())
def test_any_text_is_refused_as_a_credential(text: str) -> None:
    with pytest.raises(NotPermitted):
        opened(text, GENUINE)
