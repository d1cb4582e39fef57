"""What munged seals for a connection: good for one addressee, one purpose, one certificate, one question; and answered by the right user."""

import asyncio
import json
import math
import ssl

import pytest

from slurm.model.errors import NotPermitted
from slurm.net.authority import Authority
from slurm.net.munge import Munge, Sealed
from slurm.net.munge_proof import Answer, Greeting, answered, fingerprint, greeting, heard
from slurm.net.munge_server import MungeVerifier

DER = b"the server's certificate"


def hear(said: Greeting, **changes: object) -> Greeting:
    return heard(said.text(), **{"cluster": "lab", "here": "slurmctld", "certificate": DER, **changes})  # type: ignore[arg-type]


def test_a_greeting_comes_to_whom_it_is_for() -> None:
    said = greeting("lab", "slurmctld", DER)
    assert hear(said) == said and said.certificate == fingerprint(DER)
    assert greeting("lab", "slurmctld", DER).number != said.number


@pytest.mark.parametrize(("changes", "why"), [
    ({"cluster": "other"}, "sealed for cluster lab"), ({"here": "slurmd nd2"}, "sealed for slurmctld"),
    ({"certificate": b"that of who stands between"}, "sealed for another connection")])
def test_a_greeting_is_of_no_use_to_anybody_else(changes: dict[str, object], why: str) -> None:
    with pytest.raises(NotPermitted) as caught:
        hear(greeting("lab", "slurmctld", DER), **changes)
    assert why in caught.value.hints[0]


@pytest.mark.parametrize("text", [b"", b"x", b"{}", b"[]", b'["slurm-py greeting 1"]', b'["slurm-py greeting 1",1,2,3,4]'])
def test_a_text_that_is_something_else_is_refused(text: bytes) -> None:
    with pytest.raises(NotPermitted, match="Protocol authentication error"):
        heard(text, cluster="lab", here="slurmctld", certificate=DER)


def test_an_answer_is_taken_from_root_or_slurmuser_only_and_to_this_very_question() -> None:
    said = greeting("lab", "slurmctld", DER)
    good = Answer("lab", fingerprint(DER), said.number)
    answered(good.text(), said, 64030, {0, 64030})
    with pytest.raises(NotPermitted) as caught:
        answered(good.text(), said, 1001, {0, 64030})
    assert "answered as uid 1001" in caught.value.hints[0]
    for wrong in (good._replace(number="0"), good._replace(certificate="0"), good._replace(cluster="other")):
        with pytest.raises(NotPermitted):
            answered(wrong.text(), said, 0, {0})
    with pytest.raises(NotPermitted):
        answered(said.text(), said, 0, {0})  # a greeting is no answer


class SealedByAlice(Munge):
    """A munged that is not there: what it opens was sealed by uid 1001."""

    async def seal_beside(self, text: bytes, *, reader: int) -> str:
        return f"{reader}:{text.decode()}"

    async def open_beside(self, credential: str) -> Sealed:
        return Sealed(credential.encode(), 1001, 100)


def test_who_proved_himself_once_is_known_for_as_long_as_the_connection_lasts_and_gets_an_answer_for_his_eyes() -> None:
    own = Authority(b"k" * 32, "lab").issue("slurmctld", "head")
    said = greeting("lab", "slurmctld", ssl.PEM_cert_to_DER_cert(own.certificate.decode()))
    verify = MungeVerifier(SealedByAlice(), "lab", "slurmctld", own.certificate)
    proved = asyncio.run(verify(said.text().decode()))
    assert (proved.identity.uid, proved.identity.gid, proved.identity.ttl) == (1001, 100, math.inf)
    reader, _, text = json.loads(proved.answer[8:])["token"].partition(":")
    assert reader == "1001"
    answered(text.encode(), said, 0, {0})
