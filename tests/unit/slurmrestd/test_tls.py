"""HTTPS: by whose certificate slurmrestd is known, what it refuses, and a certificate that is replaced while it serves."""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from slurm.model.errors import ConfigError
from slurm.net.discovery import Site
from slurm.slurmrestd import serving, tls
from slurm.slurmrestd.visitors import SILENT_OF_ONE

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def made(folder: Path, name: str) -> tls.Identity:
    """A certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(days=1),
        now + datetime.timedelta(days=1)).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, hashes.SHA256())
    found = tls.Identity(str(folder / "restd_cert.pem"), str(folder / "restd_cert_key.pem"))
    Path(found.certificate).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    Path(found.key).write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    os.chmod(found.key, 0o600)
    return found


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


def asked(port: int, trusted: str) -> bytes:
    """What a client that trusts this certificate is answered."""
    context = ssl.create_default_context(cafile=trusted)
    with socket.create_connection(("localhost", port), 20) as plain, context.wrap_socket(plain, server_hostname="localhost") as stream:
        stream.sendall(HEAD)
        found = b""
        while not found.endswith(b"http") and not found.endswith(b"https") and (piece := stream.recv(65536)):
            found += piece
        return found


def test_clients_know_it_by_its_certificate_and_by_a_new_one_from_sighup_on(tmp_path: Path) -> None:
    identity = made(tmp_path, "first")
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    first.write_bytes(Path(identity.certificate).read_bytes())
    context = tls.context(identity)
    (stream,) = serving.listening("https://127.0.0.1:0")
    port = stream.getsockname()[1]

    async def main() -> None:
        ready = asyncio.Event()
        again = asyncio.Event()

        def reread() -> None:
            tls.load(context, identity)
            again.set()

        serves = asyncio.ensure_future(serving.serve(hello, [], 2, 20, ready.set, secured=serving.Secured([stream], context, reread)))
        await asyncio.wait_for(ready.wait(), 20)
        while not (answer := await asyncio.to_thread(_patient, port, str(first))):
            await asyncio.sleep(0.01)
        assert answer.endswith(b"https")
        with pytest.raises((OSError, TimeoutError)):
            await asyncio.to_thread(_plainly, port)
        made(tmp_path, "second")
        second.write_bytes(Path(identity.certificate).read_bytes())
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(again.wait(), 20)
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(asked, port, str(first))
        assert (await asyncio.to_thread(asked, port, str(second))).endswith(b"https")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serves, 20)

    asyncio.run(main())


def test_handshakes_that_do_not_end_are_few_and_keep_nobody_out(tmp_path: Path) -> None:
    """More connections than one place may have say nothing: the oldest give way, and a client that does say something is answered."""
    identity = made(tmp_path, "one")
    (stream,) = serving.listening("https://127.0.0.1:0")
    port = stream.getsockname()[1]

    async def main() -> None:
        ready = asyncio.Event()
        secured = serving.Secured([stream], tls.context(identity), lambda: None)
        serves = asyncio.ensure_future(serving.serve(hello, [], 2, 20, ready.set, secured=secured))
        await asyncio.wait_for(ready.wait(), 20)
        while not await asyncio.to_thread(_patient, port, identity.certificate):
            await asyncio.sleep(0.01)
        silent = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(SILENT_OF_ONE + 40)]
        for each in silent[::2]:
            each.sendall(b"\x16\x03\x01")
        assert (await asyncio.to_thread(asked, port, identity.certificate)).endswith(b"https")
        silent[0].settimeout(20)
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(silent[0].recv, 1)
        ended = 0
        for each in silent:
            each.setblocking(False)
            try:
                each.recv(1)
                ended += 1
            except BlockingIOError:
                continue
            except ConnectionResetError:
                ended += 1
        assert 40 <= ended <= 42
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serves, 20)
        for each in silent:
            each.close()

    asyncio.run(main())


def _patient(port: int, trusted: str) -> bytes:
    try:
        return asked(port, trusted)
    except ConnectionRefusedError:
        return b""


def _plainly(port: int) -> None:
    with socket.create_connection(("localhost", port), 20) as stream:
        stream.sendall(HEAD)
        if not stream.recv(100).startswith(b"HTTP"):
            raise ConnectionResetError


def test_a_key_that_others_may_read_or_that_is_another_certificates_is_refused(tmp_path: Path) -> None:
    identity = made(tmp_path, "one")
    os.chmod(identity.key, 0o640)
    with pytest.raises(ConfigError, match="0640"):
        tls.context(identity)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigError, match="no certificate and its key"):
        tls.context(tls.Identity(identity.certificate, made(other, "two").key))
    with pytest.raises(ConfigError, match="HTTPS needs"):
        tls.context(tls.Identity(str(tmp_path / "none.pem"), str(tmp_path / "none-key.pem")))


def test_the_configuration_says_where_they_are() -> None:
    site = Site(cluster="lab", conf="/etc/slurm/slurm.conf", endpoints=(), key="/etc/slurm/slurm.key")
    assert tls.identity(site, {}).certificate == "/etc/slurm/restd_cert.pem"
    assert tls.identity(site, {"restd_cert_key_file": "/k.pem"}).key == "/k.pem"
