"""slurmctld's side of auth/munge: who said Hello, asked of munged beside the event loop, and the answer that proves slurmctld
(munge_proof)."""

from __future__ import annotations

import asyncio
import math
import ssl
import time

import msgspec

from slurm.model.errors import NotNow
from slurm.net.munge import Munge
from slurm.net.munge_proof import Answer, heard
from slurm.net.stream import Proved
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.messages import Welcome

_SECONDS = 10.0


class MungeVerifier:
    """`verify` of a net.server.Server: `here` is what the daemon calls itself, `certificate` (PEM) what it shows."""

    def __init__(self, munge: Munge, cluster: str, here: str, certificate: bytes) -> None:
        self._munge = munge
        self._cluster = cluster
        self._here = here
        self._certificate = ssl.PEM_cert_to_DER_cert(certificate.decode("ascii"))

    async def __call__(self, token: str) -> Proved:
        """Who sealed this token, and the answer for his eyes. NotPermitted, NotNow, Unreachable."""
        try:
            async with asyncio.timeout(_SECONDS):
                sealed = await self._munge.open_beside(token)
                said = heard(sealed.text, cluster=self._cluster, here=self._here, certificate=self._certificate)
                answer = Answer(said.cluster, said.certificate, said.number)
                proof = await self._munge.seal_beside(answer.text(), reader=sealed.uid)
        except TimeoutError as error:
            raise NotNow(message="munged does not answer",
                hints=[f"it was waited for {_SECONDS:.0f} s: is it running, and not overloaded?"]) from error
        # proved once for the whole connection
        identity = Identity(uid=sealed.uid, gid=sealed.gid, host="", issued=time.time(), ttl=math.inf)
        return Proved(identity, frames.pack(frames.JSON, msgspec.json.encode(Welcome(token=proof))))
