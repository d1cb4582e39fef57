"""How two programs prove themselves by MUNGE inside TLS (auth/munge): what is sealed, and what must be in it. No sockets, no munged.

There is no slurm.key, so nobody could check a certificate; the server's is its own making. Each side seals a text that names whom it is
for, what for, and the SHA-256 of the certificate that is seen on this very connection: who stands between the two shows another one, and
cannot use what he hears. Only the other side's user can open it.

    client → server    Greeting: cluster, "slurmctld", the certificate, a number used once
    server → client    Answer: cluster, that number, the certificate
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from typing import Any, NamedTuple

from slurm.model.errors import NotPermitted

_GREETING, _ANSWER = "slurm-py greeting 1", "slurm-py answer 1"


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate (DER), in hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


class Greeting(NamedTuple):
    """What a client seals."""

    cluster: str
    to: str
    certificate: str
    number: str

    def text(self) -> bytes:
        """To be sealed."""
        return _text(_GREETING, self)


class Answer(NamedTuple):
    """What a server seals after a good greeting."""

    cluster: str
    certificate: str
    number: str

    def text(self) -> bytes:
        """To be sealed."""
        return _text(_ANSWER, self)


def greeting(cluster: str, to: str, certificate: bytes) -> Greeting:
    """A new greeting for the daemon `to`, which showed this certificate (DER)."""
    return Greeting(cluster, to, fingerprint(certificate), secrets.token_hex(16))


def heard(text: bytes, *, cluster: str, here: str, certificate: bytes) -> Greeting:
    """The greeting in what was unsealed, if it is for this server (`here`, which shows this certificate; of any cluster where that is "").

    NotPermitted.
    """
    found = Greeting(*_fields(_GREETING, text, Greeting._fields))
    if cluster and found.cluster != cluster:
        raise _refused(f"it was sealed for cluster {found.cluster}, this is {cluster}")
    if found.to != here:
        raise _refused(f"it was sealed for {found.to}, this is {here}")
    if found.certificate != fingerprint(certificate):
        raise _refused("it was sealed for another connection than this one")
    return found


def answered(text: bytes, said: Greeting, uid: int, owners: Collection[int]) -> None:
    """Check what was unsealed of the server's answer: it is to this greeting, over this connection, by one of the users `owners`.

    NotPermitted.
    """
    found = Answer(*_fields(_ANSWER, text, Answer._fields))
    if uid not in owners:
        raise _refused(f"it answered as uid {uid}: {said.to} runs as root or SlurmUser")
    if found != (said.cluster, said.certificate, said.number):
        raise _refused("its answer is not to what was asked here")


def _text(kind: str, record: tuple[str, ...]) -> bytes:
    return json.dumps([kind, *record], separators=(",", ":")).encode()


def _fields(kind: str, text: bytes, names: tuple[str, ...]) -> list[str]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused("it is not of slurm-py") from error
    if not isinstance(found, list) or len(found) != len(names) + 1 or found[0] != kind or not all(isinstance(each, str) for each in found):
        raise _refused("it is not of slurm-py, or for another purpose")
    return found[1:]


def _refused(why: str) -> NotPermitted:
    return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[f"the MUNGE credential of the other side is refused: {why}"])
