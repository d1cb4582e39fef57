"""Ed25519: who signs step credentials, and who checks them. Daemons only: it imports `cryptography`."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_BYTES = 32
PUBLIC_BYTES = 32


class Signer:
    """Signs with the key that grows from `seed` (32 random bytes); `public` is the half that others may know."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        """The signature of `text`, 64 bytes."""
        return self._key.sign(text)


class Checker:
    """Checks signatures with a public key; ValueError when `public` is none."""

    def __init__(self, public: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def genuine(self, signature: bytes, text: bytes) -> bool:
        """Whether the owner of the key signed this very text."""
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True
