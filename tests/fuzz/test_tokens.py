"""Whatever a stranger shows to say who he is: NotPermitted or an identity, never another failure, and the port serves others."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from hypothesis import given
from hypothesis import strategies as st

from slurm.model.errors import NotPermitted, SlurmError
from slurm.net import munge_proof
from slurm.net.authority import Authority
from slurm.net.endpoint import tcp
from slurm.net.jwt_tokens import Tokens
from slurm.net.peer import Peer
from slurm.net.server import Limits, Server
from slurm.net.tls import Credentials, Tls, Trust
from slurm.wire import frames
from tests.fuzz.seeds import fuzzed
from tests.fuzz.surprises import nothing_stays, nothing_surprises

WithSeed = Callable[[Callable[[], None]], None]
SECRET = b"k" * 32
CERTIFICATE = b"certificate"
AUTHORITY = Authority(b"k" * 32, "test")
DEEP = "[" * 11_000
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), st.just(10**400), st.just(DEEP[:2000]),
    st.just([]), st.just({"a": []}), st.sampled_from(["nobody", "root", "", "a" * 5000, "x\0y", "\ud800"]))
TIMES = st.tuples(st.sampled_from(["iat", "exp"]), st.sampled_from([-1.0, -1e300, 1e300, 10**30, 0.5, 253_370_764_801])).map(lambda pair: {pair[0]: pair[1]})
CLAIMS = TIMES | st.dictionaries(st.sampled_from(["sun", "username", "iat", "exp", "nbf", "aud", "iss", "sub", "jti", "crit"]), ODD, max_size=5)


def tokens(folder: Path) -> Tokens:
    """HS256 with a known key."""
    key = folder / "jwt.key"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    return Tokens({"jwt_key": str(key)}, str(folder), {os.getuid(), 0}, time.time)


def part(text: str) -> str:
    """One part of a token."""
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def raw(header: str, claims: str) -> st.SearchStrategy[str]:
    """Tokens whose parts are any text."""
    return st.binary(max_size=40).map(lambda sign: f"{part(header)}.{part(claims)}.{base64.urlsafe_b64encode(sign).decode()}")


STRANGE = st.one_of(
    st.text(max_size=60), st.sampled_from(["", ".", "..", "...", "a.b.c", "x" * 20_000, "\0.\0.\0", "\ud800.a.b", "\u0661.a.b"]),
    raw(DEEP, "{}"), raw('{"alg":"HS256","a":' + DEEP, "{}"), raw('{"alg":"none"}', '{"sun":"root"}'), raw('{"alg":["HS256"]}', "{}"),
    raw('{"alg":"HS256","kid":{}}', "[]"), raw('{"alg":"HS256","crit":1,"b64":false}', "{}"), raw('{"alg":"HS256","typ":1' + "0" * 5000 + "}", "{}"), raw("[]", "[]"), raw("1", "1"))


def taken_or_refused(found: Tokens, token: str) -> bool:
    """Whether it was taken; anything but NotPermitted is a fault, and a sentence is short."""
    began = time.thread_time()
    try:
        identity = found.verify(token)
    except NotPermitted as error:
        assert all(len(hint) < 2_000 for hint in error.hints), error.hints
        return False
    finally:
        assert time.thread_time() - began < 0.25
    assert identity.uid >= 0 and abs(identity.ttl) < 1e12
    return True


def test_tokens_that_nobody_signed(with_seed: WithSeed, tmp_path: Path) -> None:
    found = tokens(tmp_path)
    good = found.make("nobody", 60)

    @fuzzed(60)
    @given(STRANGE | st.tuples(st.integers(0, 200), st.sampled_from(["", "A", "=", ".", "\u20ac"])).map(
        lambda edit: good[:edit[0] % len(good)] + edit[1] + good[edit[0] % len(good) + 1:]))
    def attack(token: str) -> None:
        assert taken_or_refused(found, token) <= (token == good)

    with nothing_stays():
        with_seed(attack)


def test_signed_claims_of_every_kind(with_seed: WithSeed, tmp_path: Path) -> None:
    found = tokens(tmp_path)
    sound = {"sun": "nobody", "iat": int(time.time()), "exp": int(time.time()) + 600}

    @fuzzed(60)
    @given(CLAIMS)
    def attack(claims: dict[str, Any]) -> None:
        try:
            payload = json.dumps({**sound, **claims}).encode()
        except (TypeError, ValueError):
            return
        taken_or_refused(found, jwt.PyJWS().encode(payload, SECRET, algorithm="HS256"))

    with_seed(attack)


def test_what_munge_unsealed(with_seed: WithSeed) -> None:
    said = munge_proof.greeting("test", "slurmctld", CERTIFICATE)

    @fuzzed(60)
    @given(st.one_of(
        st.binary(max_size=60), st.just(DEEP.encode()), st.just(b"9" * 5000), st.integers(0, len(said.text()) - 1).map(lambda cut: said.text()[:cut]),
        st.lists(ODD, max_size=6).map(lambda found: json.dumps(["slurm-py greeting 1", *found], default=str).encode("utf-8", "replace"))))
    def attack(text: bytes) -> None:
        try:
            munge_proof.heard(text, cluster="test", here="slurmctld", certificate=CERTIFICATE)
        except NotPermitted:
            pass
        else:
            raise AssertionError(text)
        try:
            munge_proof.answered(text, said, 0, [0])
        except NotPermitted:
            return
        raise AssertionError(text)

    with_seed(attack)


class Port:
    """A server as slurmctld's port, for callers with tokens; `heard` counts messages of those who were let in."""

    def __init__(self, found: Tokens) -> None:
        self.heard = 0
        self.server = Server(
            self._on_message, verify=found.verify, trust=Trust(AUTHORITY.credentials("slurmctld", "head")), limits=Limits(silent=1.0),
            log=logging.getLogger("test.port"))

    def _on_message(self, peer: Peer, codec: int, payload: bytes) -> None:
        self.heard += 1
        peer.send(frames.pack(frames.JSON, b"{}"))


async def over_tls(port: int, plain: bytes, *, junk: bytes = b"", cut: int = 1 << 20) -> bytes:
    """What a caller without a certificate hears who sends this; `junk` in the midst of the handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    tls = Tls(Trust(Credentials("test", None, AUTHORITY.certificate, frozenset())), server=False)
    heard = b""
    try:
        async with asyncio.timeout(5):
            while not tls.handshake():
                writer.write(tls.outgoing()[:cut] + junk)
                data = await reader.read(65536)
                if not data:
                    return heard
                tls.feed(data)
            tls.write(plain)
            writer.write(tls.outgoing())
            while not heard:
                data = await reader.read(65536)
                if not data:
                    return heard
                tls.feed(data)
                heard += tls.read()
    except (SlurmError, ConnectionError):
        return heard
    finally:
        writer.close()
    return heard


def test_hellos_and_handshakes_at_the_port(with_seed: WithSeed, tmp_path: Path) -> None:
    found = tokens(tmp_path)
    good = frames.pack(frames.JSON, json.dumps({"type": "Hello", "token": found.make("nobody", 600)}).encode()) + frames.pack(frames.JSON, b"{}")

    @fuzzed(10)
    @given(st.lists(st.tuples(
        STRANGE.map(lambda token: json.dumps({"type": "Hello", "token": token}).encode()) | st.binary(max_size=40) | st.just(DEEP.encode()),
        st.sampled_from([frames.JSON, frames.MSGPACK, frames.STEP_IO, 0]), st.binary(max_size=20), st.booleans(), st.integers(1, 600)), min_size=1, max_size=4))
    def attack(callers: list[tuple[bytes, int, bytes, bool, int]]) -> None:
        async def scene() -> None:
            port = Port(found)
            place = await port.server.listen(tcp("127.0.0.1", 0))
            try:
                for payload, codec, junk, inside, cut in callers:
                    await over_tls(place.port, frames.pack(codec, payload), junk=junk if inside else b"", cut=cut if inside else 1 << 20)
                assert not port.heard
                assert await over_tls(place.port, good) and port.heard == 1, "somebody with a good token is not served"
                async with asyncio.timeout(5):
                    while port.server.connections:
                        await asyncio.sleep(0.01)
            finally:
                await port.server.close()

        with nothing_surprises():
            asyncio.run(scene())

    with nothing_stays():
        with_seed(attack)
