"""TLS of the standard library between this cluster's programs: TLS 1.3 only, no host names, the other end known as a `Party`.

    trust = Trust(credentials)                 # one a process; `trust.replace(credentials)` when files changed
    tls = Tls(trust, server=True)              # one a connection, without a socket: bytes in, bytes out
    tls.feed(data)                             # what the socket gave
    tls.handshake()                            # True once the other end is known: tls.party; NotPermitted, ProtocolError
    tls.read(), tls.write(frame)               # plain bytes
    tls.outgoing()                             # what must go to the socket now: ask after each of the others

A server asks for a certificate always. With `anonymous=True` it takes clients that show none (tls.party is None): for those that prove
themselves by a message. A client demands one of the server; who asked for whom checks `Party.require`. Light: no asyncio, no cryptography.
Not here: where certificates come from (`authority`, `certificates`).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from slurm.model.errors import NotPermitted, ProtocolError, SlurmError

ROLES = ("slurmctld", "slurmd", "sackd", "sackd-admin", "slurmdbd", "slurmrestd", "user")
"""Who a certificate may be for. The name is the daemon's host, the node's name (slurmd), or the uid (user)."""
_SCHEME = "slurm://"
_LABEL = 60
"""Characters of one label of a host name, of 63 that there may be."""
_READ_SIZE = 16 * 1024
"""A record's: with more, each of them costs a buffer of that size, and reading is five times slower."""


class Party(NamedTuple):
    """Who is at an end of a connection, as its certificate says.

    `serial` (hex) and `key_id` of its authority are "" for one that is only meant.
    """

    cluster: str
    role: str
    name: str
    serial: str = ""
    key_id: str = ""

    def __str__(self) -> str:
        return f"{self.role} {self.name}"

    @property
    def uri(self) -> str:
        """How a certificate names it: slurm://CLUSTER/ROLE/NAME."""
        return f"{_SCHEME}{quote(self.cluster, safe='')}/{quote(self.role, safe='')}/{quote(self.name, safe='')}"

    def require(self, role: str, name: str = "") -> None:
        """NotPermitted unless it has this role, and this name where one is given."""
        if self.role != role or name not in ("", self.name):
            wanted = f"{role} {name}".strip()
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[f"its certificate is that of {self}, not of {wanted}"])


class Pair(NamedTuple):
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes


class Credentials(NamedTuple):
    """What a program proves itself by and whom it trusts: its own pair (None: it shows no certificate), the authorities' certificates (PEM,
    one after another), the serial numbers (hex, lower case) of certificates that are trusted no longer."""

    cluster: str
    own: Pair | None
    authorities: bytes
    revoked: frozenset[str] = frozenset()


class Trust:
    """The TLS contexts of one program, and what it thinks of certificates. ConfigError-free: bad PEM raises ssl.SSLError."""

    def __init__(self, credentials: Credentials) -> None:
        self.replace(credentials)

    def replace(self, credentials: Credentials) -> None:
        """From now on these hold; connections that stand are not touched: ask `refusal` for each. ssl.SSLError changes nothing."""
        client = _context(credentials, ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_REQUIRED
        server = None
        anonymous = None
        if credentials.own is not None:
            server, anonymous = (_context(credentials, ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
            server.verify_mode = ssl.CERT_REQUIRED
            anonymous.verify_mode = ssl.CERT_OPTIONAL
            server.num_tickets = anonymous.num_tickets = 1
        key_ids = frozenset(_common_name(found["subject"]) for found in client.get_ca_certs())
        self.credentials = credentials
        self.client_context = client
        self._server_context = server
        self._anonymous_context = anonymous
        self._key_ids = key_ids

    @property
    def cluster(self) -> str:
        """The cluster that all parties must belong to."""
        return self.credentials.cluster

    def server_context(self, *, anonymous: bool = False) -> ssl.SSLContext:
        """The context of the server's side; with `anonymous` clients without a certificate are let in.

        RuntimeError without an own certificate.
        """
        context = self._anonymous_context if anonymous else self._server_context
        if context is None:
            raise RuntimeError("a server needs a certificate of its own")
        return context

    def refusal(self, party: Party) -> str:
        """Why a party that proved itself is not trusted (any longer), "" when it is."""
        if party.cluster != self.cluster:
            return f"its certificate is one of cluster {party.cluster}, this is {self.cluster}"
        if party.serial in self.credentials.revoked:
            return f"the certificate {party.serial} of {party} was revoked"
        if party.key_id not in self._key_ids:
            return f"its certificate names the key {party.key_id}, which is not trusted (any longer)"
        return ""

    def party_of(self, connection: ssl.SSLObject | ssl.SSLSocket) -> Party | None:
        """Who is at the other end after the handshake, None when it showed no certificate; NotPermitted when it is not trusted."""
        shown = connection.getpeercert()
        if not shown:
            return None
        party = _party(shown)
        why = self.refusal(party)
        if why:
            raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[why])
        return party


class Tls:
    """One end of one connection, without its socket. `session` (of an earlier `Tls` of the same client) makes the handshake shorter."""

    def __init__(self, trust: Trust, *, server: bool, anonymous: bool = False, session: ssl.SSLSession | None = None) -> None:
        self.party: Party | None = None
        self.finished = False
        """Whether the handshake is over and the other end trusted."""
        self.established = False
        """Whether the handshake is over: a party that is not trusted can be told so."""
        self.ended = False
        """Whether the other end has said that it will send no more."""
        self._trust = trust
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = trust.server_context(anonymous=anonymous) if server else trust.client_context
        self._tls = context.wrap_bio(self._in, self._out, server_side=server,
            server_hostname=None if server else server_name(trust.cluster))
        if session is not None:
            try:
                self._tls.session = session
            except ValueError:
                session = None  # of a context that was replaced meanwhile

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a client may resume this session by, None before the server has granted it."""
        session = self._tls.session
        return session if session is not None and session.has_ticket else None

    @property
    def resumed(self) -> bool:
        """Whether the handshake was the short one."""
        return bool(self._tls.session_reused)

    @property
    def certificate(self) -> bytes:
        """What the other end shows, DER, once the handshake is over; b"" for nothing."""
        return self._tls.getpeercert(binary_form=True) or b""

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._in.write(data)

    def handshake(self) -> bool:
        """Go on with the handshake; True once it is over and `party` set. NotPermitted, ProtocolError: hang up after sending `outgoing`."""
        if self.finished:
            return True
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise refused(error) from error
        self.established = True
        self.party = self._trust.party_of(self._tls)
        self.finished = True
        return True

    def read(self) -> bytes:
        """The plain bytes that have come, b"" for none; ProtocolError when the stream was tampered with."""
        pieces = []
        while self._in.pending or self._tls.pending():
            try:
                piece = self._tls.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                self.ended = True
                break
            except ssl.SSLError as error:
                raise refused(error) from error
            if not piece:
                self.ended = True
                break
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, plain: bytes) -> None:
        """Put plain bytes into records; after the handshake."""
        view = memoryview(plain)
        while len(view):
            view = view[self._tls.write(view):]

    def outgoing(self) -> bytes:
        """What must go to the socket now."""
        return self._out.read() if self._out.pending else b""


def server_name(cluster: str) -> str | None:
    """How a client names its cluster as it connects, for a daemon that serves several: hexadecimal, since cluster names are no host
    names."""
    digits = cluster.encode().hex()
    return ".".join(digits[at:at + _LABEL] for at in range(0, len(digits), _LABEL)) or None


def cluster_in(name: str) -> str:
    """The cluster that `server_name` named; ValueError."""
    return bytes.fromhex(name.replace(".", "")).decode()


def refused(error: ssl.SSLError) -> SlurmError:
    """What an error of the ssl module means to us: NotPermitted about certificates, ProtocolError otherwise."""
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[
            f"the other side's certificate was not issued under a key that is trusted here: {error.verify_message}"])
    if "peer did not return a certificate" in reason:
        return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["the other side showed no certificate"])
    if "alert" in reason:
        return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[
            f"the other side refuses our certificate or way of speaking ({reason}): has it the same slurm.key, or authority?"])
    return ProtocolError(message="these bytes are not the TLS of slurm-py", hints=[reason])


def _context(credentials: Credentials, protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=credentials.authorities.decode("ascii"))
    if credentials.own is not None:
        _load_pair(context, credentials.own)
    return context


def _load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """The ssl module takes a certificate out of a file only: one in memory, so that no key comes onto a disk."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


def _common_name(name: object) -> str:
    """The common name in a name as the ssl module gives it: a tuple of tuples of pairs."""
    for pairs in name if isinstance(name, tuple) else ():
        for key, value in pairs:
            if key == "commonName":
                return str(value)
    return ""


def _party(shown: Mapping[str, object]) -> Party:
    """The party that a certificate (as the ssl module gives it) names; NotPermitted when it is none of ours."""
    names = shown.get("subjectAltName")
    uris = [value for kind, value in names if kind == "URI"] if isinstance(names, tuple) else []
    parts = uris[0].removeprefix(_SCHEME).split("/") if len(uris) == 1 and uris[0].startswith(_SCHEME) else []
    if len(parts) != 3:
        raise NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=["its certificate names no cluster, role and name"])
    cluster, role, name = map(unquote, parts)
    return Party(cluster, role, name, str(shown.get("serialNumber", "")).lower(), _common_name(shown.get("issuer")))
