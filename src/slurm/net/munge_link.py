"""A daemon's side of auth/munge on a link that it keeps open: TLS to a certificate that nobody vouches for, then MUNGE says whose it is
(munge_proof).

Asked beside the event loop. What commands do instead, blocking, is in `munge_client`; the other side is `munge_server`.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Collection

import msgspec

from slurm.model.errors import ProtocolError
from slurm.net.munge import Munge
from slurm.net.munge_proof import answered, greeting
from slurm.net.tls import Credentials, Party, Trust
from slurm.wire import frames
from slurm.wire.messages import Failure, Hello, Welcome

_decode = msgspec.json.Decoder(Welcome | Failure).decode


class Unproved(Trust):
    """TLS 1.3 with whomever: nothing may be said on it before both ends are proved otherwise. `cluster` is named to a server of several."""

    def __init__(self, cluster: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.credentials = Credentials(cluster, None, b"")
        self.client_context = context

    def party_of(self, connection: ssl.SSLObject | ssl.SSLSocket) -> Party | None:
        """Nobody is known by this certificate."""
        return None


class MungeProver:
    """`prover` of a SocketLink: we are `cluster`'s, the other side is the daemon `to`, run by one of `owners`; `reader` is the user who may
    open what we seal."""

    def __init__(self, munge: Munge, cluster: str, to: str, reader: int, owners: Collection[int]) -> None:
        self.trust = Unproved(cluster)
        self._munge = munge
        self._cluster = cluster
        self._to = to
        self._reader = reader
        self._owners = frozenset(owners)

    async def prove(self, certificate: bytes, ask: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Both ends prove who they are, bound to this certificate (DER). `ask` sends a frame and returns the payload of the next one.

        SlurmError.
        """
        said = greeting(self._cluster, self._to, certificate)
        token = await self._munge.seal_beside(said.text(), reader=self._reader)
        answer = _decode(await ask(frames.pack(frames.JSON, msgspec.json.encode(Hello(token=token)))))
        if isinstance(answer, Failure):
            raise ProtocolError(message=answer.message, hints=answer.hints)
        sealed = await self._munge.open_beside(answer.token)
        answered(sealed.text, said, sealed.uid, self._owners)
