"""Credentials: who holds the key can sign, nobody else can alter, and none is good for ever."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.errors import NotPermitted
from slurm.wire.credentials import Identity, sign, verify_identity

KEY = b"k" * 32
ALICE = Identity(uid=1001, gid=1001, host="login", issued=1000.0, nonce="n1")


def test_an_identity_comes_back() -> None:
    assert verify_identity(KEY, sign(KEY, ALICE), 1010.0) == ALICE


def test_another_key_is_refused() -> None:
    with pytest.raises(NotPermitted, match="Protocol authentication error"):
        verify_identity(b"x" * 32, sign(KEY, ALICE), 1000.0)


@pytest.mark.parametrize("now", [939.0, 1061.0])
def test_a_credential_of_another_moment_is_refused(now: float) -> None:
    with pytest.raises(NotPermitted) as caught:
        verify_identity(KEY, sign(KEY, ALICE), now)
    assert caught.value.hints == ("the credential has expired: are the clocks of both machines right?",)


@given(st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(sign(KEY, ALICE)))
    raw[position % len(raw)] ^= change
    with pytest.raises(NotPermitted):
        verify_identity(KEY, base64.urlsafe_b64encode(raw).decode(), 1000.0)


@given(st.text())
def test_any_text_is_refused_as_a_credential(text: str) -> None:
    with pytest.raises(NotPermitted):
        verify_identity(KEY, text, 1000.0)
