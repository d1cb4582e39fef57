"""The certificate authority of a cluster, derived from its key: who holds slurm.key can issue a certificate to anybody of this cluster.

For daemons and `slurm cert` only: `cryptography` loads slowly. The authority's P-256 key is HKDF-SHA256 of the key and the cluster's name,
so every holder of the key has the same authority and nothing needs to be sent. Two clusters with one key have different authorities.

    authority = Authority(read_key(path, owners), "cluster")
    pair = authority.issue("slurmd", "nd1")             # Pair(certificate, key), PEM
    credentials = authority.credentials("slurmd", "nd1")  # what net.tls.Trust takes

A certificate names its party in one URI of its subjectAltName (`net.tls.Party.uri`) and the authority's key id as the common name of its
issuer. It holds from 1970 until 9999, or for `seconds`: a clock that jumps invalidates nothing. Not here: files (`certificates`),
connections (`tls`).
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from slurm.net.tls import Credentials, Pair, Party

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many private keys P-256 has, plus one (SEC 2, section 2.4.2)."""
_PURPOSE = b"slurm-py certificate authority 1\0"
_BEGINNING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
KEY_ID_DIGITS = 16


class Authority:
    """The authority of one cluster that follows from one key (bytes of slurm.key)."""

    def __init__(self, key: bytes, cluster: str) -> None:
        # 16 bytes more than the order has: what the division leaves over is even to 2^-128.
        stream = HKDF(algorithm=hashes.SHA256(), length=48, salt=None, info=_PURPOSE + cluster.encode()).derive(key)
        self.cluster = cluster
        self._key = ec.derive_private_key(int.from_bytes(stream, "big") % (_ORDER - 1) + 1, ec.SECP256R1())
        self.key_id = key_id_of(self._key.public_key())
        self._name = x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "slurm-py"), x509.NameAttribute(NameOID.COMMON_NAME, self.key_id)])
        self.certificate = self._own_certificate()
        """PEM of the authority's own certificate, which others need to check those that it issued."""

    def issue(self, role: str, name: str, *, now: float | None = None, seconds: float | None = None) -> Pair:
        """A new key with a certificate for this party (role one of net.tls.ROLES); with `seconds` it ends so long after `now` (epoch)."""
        until = _NEVER if seconds is None or now is None else datetime.datetime.fromtimestamp(now + seconds, datetime.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate_of(Party(self.cluster, role, name), key.public_key(), until)
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def certify(self, role: str, name: str, public_key: bytes, *, now: float | None = None, seconds: float | None = None) -> bytes:
        """PEM of a certificate for a key that somebody else has and keeps; `public_key` is its public half (PEM).

        ValueError for another kind of key.
        """
        key = serialization.load_pem_public_key(public_key)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("a certificate is given to P-256 keys only")
        until = _NEVER if seconds is None or now is None else datetime.datetime.fromtimestamp(now + seconds, datetime.UTC)
        return self._certificate_of(Party(self.cluster, role, name), key, until).public_bytes(serialization.Encoding.PEM)

    def credentials(self, role: str, name: str, *, trusted: Iterable[bytes] = (), revoked: Iterable[str] = ()) -> Credentials:
        """A certificate issued now, and trust in this authority and those of `trusted` (PEM); serial numbers in `revoked` are refused."""
        return Credentials(
            self.cluster, self.issue(role, name), b"".join([self.certificate, *trusted]), frozenset(revoked))

    def _certificate_of(self, party: Party, key: ec.EllipticCurvePublicKey, until: datetime.datetime) -> x509.Certificate:
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return (
            x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{party.role} {party.name}"[:64])]))
            .issuer_name(self._name).public_key(key).serial_number(secrets.randbits(127) + 1)
            .not_valid_before(_BEGINNING).not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(party.uri)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self._key, hashes.SHA256()))

    def _own_certificate(self) -> bytes:
        key = self._key.public_key()
        usage = x509.KeyUsage(
            key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False)
        return (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(self._name).public_key(key).serial_number(1)
            .not_valid_before(_BEGINNING).not_valid_after(_NEVER)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self._key, hashes.SHA256())).public_bytes(serialization.Encoding.PEM)


def key_id_of(key: ec.EllipticCurvePublicKey) -> str:
    """The first digits of the SHA-256 of a public key (SubjectPublicKeyInfo, DER): what certificates and messages call an authority."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()[:KEY_ID_DIGITS]
