"""auth/jwt: tokens (JSON Web Tokens) by which a command on a machine without a daemon says who calls. Daemons only: PyJWT loads slowly.

    AuthAltTypes=auth/jwt
    AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key,jwks=/etc/slurm/jwks.json

With `jwt_key` (HS256; by default jwt_hs256.key in StateSaveLocation) tokens are checked and made; with `jwks` (RS256) tokens that somebody
else made, such as a site's identity provider, are checked. A token names its user as `sun` (or `username`, or what `userclaimfield` says),
and carries
`iat` and `exp`; with `issuer=` and `audience=`, ours, also `iss` and `aud`, so that what a provider signs for other programs is worth
nothing here. It belongs to whoever has it: it travels inside TLS only, to a slurmctld that has proved to be one. Which kind of key a
token is checked with follows from where that key lies, never from the token.
"""

from __future__ import annotations

import json
import os
import pwd
import stat
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from slurm.model import bounds
from slurm.model.errors import ConfigError, NotPermitted
from slurm.net.identity import read_key
from slurm.wire.credentials import Identity

HS256, RS256 = "HS256", "RS256"
SHORTEST_KEY = 32
"""Bytes of an HS256 key (RFC 7518, 3.2)."""
SHORTEST_MODULUS = 2048
LONGEST_TOKEN = 16 * 1024
LEEWAY_SECONDS = 5.0
"""How far the clock of whoever made a token may be from ours."""
DEFAULT_LIFESPAN = 1800
"""Seconds, as scontrol(1) has it."""
USERS_LIFESPAN = 30 * 86_400
"""Seconds that a user's token lasts at most unless max_token_lifespan says otherwise: a token cannot be taken back."""
LONGEST_LIFESPAN = 2**31 - 1
_FIELDS = ("sun", "username")
_SHOWN = 40
_SHOWN_WHY = 200
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What PyJWT and json raise besides, for texts that strangers make up."""
_WHY = (
    (jwt.ExpiredSignatureError, "the token has expired: `scontrol token` on a machine of the cluster makes another"),
    (jwt.ImmatureSignatureError, "the token was made in the future: are the clocks of both machines right?"),
    (jwt.InvalidSignatureError, "the token was not signed with this cluster's key"),
    (jwt.InvalidAudienceError, "the token is for something else (aud): AuthAltParameters=audience= says what it must name"),
    (jwt.InvalidIssuerError, "the token is of somebody else (iss): AuthAltParameters=issuer= says who makes tokens for this cluster"),
)


class Keys(NamedTuple):
    """What tokens are checked with: the HS256 key, which also makes them (b"": none), and RS256 keys by their `kid`."""

    secret: bytes
    public: Mapping[str, RSAPublicKey]


class Tokens:
    """Makes and checks tokens. `parameters` is AuthAltParameters; `owners` are the uids to which its files may belong. ConfigError."""

    def __init__(self, parameters: Mapping[str, str], state_folder: str, owners: Collection[int], now: Callable[[], float]) -> None:
        self._keys = _keys(parameters, state_folder, owners)
        self._fields = (parameters["userclaimfield"],) if parameters.get("userclaimfield") else _FIELDS
        self._issuer = parameters.get("issuer") or None
        self._audience = parameters.get("audience") or None
        self._required = ["exp", "iat", *(["iss"] if self._issuer else []), *(["aud"] if self._audience else [])]
        self._now = now
        self.users_may_make = "disable_token_creation" not in parameters
        self.longest = _seconds(parameters.get("max_token_lifespan", ""))

    @property
    def makes(self) -> bool:
        """Whether it has a key to make tokens with."""
        return bool(self._keys.secret)

    @property
    def risk(self) -> str:
        """What a configuration of this kind leaves open, in a sentence; "" for none."""
        lacking = [name for name, value in (("issuer", self._issuer), ("audience", self._audience)) if value is None]
        if not self._keys.public or not lacking:
            return ""
        return (f"AuthAltParameters=jwks= without {'= and '.join(lacking)}=: any token that was signed with one of these keys speaks for "
                "its "
                "user here, also one that was made for another program")

    def make(self, user: str, lifespan: int) -> str:
        """A token for a user, good for so many seconds."""
        now = int(self._now())
        claims = {"exp": now + lifespan, "iat": now, self._fields[0]: user}
        claims |= {name: value for name, value in (("iss", self._issuer), ("aud", self._audience)) if value is not None}
        return jwt.encode(claims, self._keys.secret, algorithm=HS256)

    def verify(self, token: str) -> Identity:
        """Who a token speaks for; NotPermitted says what is wrong with it."""
        if len(token) > LONGEST_TOKEN:
            raise _refused(f"a token has at most {LONGEST_TOKEN} characters")
        if not token.isascii():
            raise _refused("the token is none of ours: it has letters that no token has")
        try:
            claims = self._claims(token)
        except (jwt.PyJWTError, *_UNREADABLE) as error:
            raise _refused(next((why for kind, why in _WHY if isinstance(error, kind)),
                f"the token is none of ours: {str(error)[:_SHOWN_WHY]}")) from error
        made, ends = _moment(claims["iat"]), _moment(claims["exp"])
        name = next((claims[field] for field in self._fields if field in claims), None)
        if not isinstance(name, str) or not name:
            raise _refused(f"the token names no user: it needs the claim {self._fields[0]}")
        try:
            account = pwd.getpwnam(name)
        except (KeyError, ValueError) as error:
            raise _refused(f"the token is that of {name[:64]!r}: the controller's machine knows no such user") from error
        return Identity(uid=account.pw_uid, gid=account.pw_gid, host="", issued=made, ttl=ends - made)

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") == HS256 and self._keys.secret:
            return self._decoded(token, self._keys.secret, HS256)
        if header.get("alg") == RS256 and self._keys.public:
            key = self._keys.public.get(str(header.get("kid", "")))
            if key is None:
                raise _refused("the token names no key (kid) of the JWKS file")
            return self._decoded(token, key, RS256)
        known = [name for name, has in ((HS256, self._keys.secret), (RS256, self._keys.public)) if has]
        raise _refused(f"the token is signed by {str(header.get('alg'))[:16]!r}; {' and '.join(known)} "
                       f"{'is' if len(known) == 1 else 'are'} taken here")

    def _decoded(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[algorithm], leeway=LEEWAY_SECONDS, audience=self._audience, issuer=self._issuer,
            options={"require": self._required, "verify_aud": self._audience is not None})
        return claims


def _moment(claim: object) -> float:
    """A time of a token in seconds since the epoch; NotPermitted when it is none."""
    if not isinstance(claim, int | float) or not 0 <= claim <= bounds.LAST_MOMENT:
        raise _refused("the token has a time (iat, exp) that is none")
    return float(claim)


def _keys(parameters: Mapping[str, str], state_folder: str, owners: Collection[int]) -> Keys:
    jwks = parameters.get("jwks", "")
    path = parameters.get("jwt_key", "") or ("" if jwks else os.path.join(state_folder, "jwt_hs256.key"))
    secret = b""
    if path:
        secret = read_key(path, owners)
        if len(secret) < SHORTEST_KEY:
            raise ConfigError(message=f"the key {path} has {len(secret)} bytes; HS256 needs {SHORTEST_KEY}", hints=[
                f"dd if=/dev/random of={path} bs=32 count=1; chmod 0600 {path}"])
    return Keys(secret, _public(jwks, owners) if jwks else {})


def _public(path: str, owners: Collection[int]) -> dict[str, RSAPublicKey]:
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            listed = json.loads(file.read())["keys"]
        if facts.st_mode & 0o022 or facts.st_uid not in owners:
            raise ConfigError(message=f"{path} has mode {stat.S_IMODE(facts.st_mode):04o} and belongs to uid {facts.st_uid}: others could "
                                      "add keys",
                              hints=["it must belong to root or SlurmUser and be writable by its owner alone"])
        found = {one["kid"]: RSAAlgorithm.from_jwk(one) for one in listed if one.get("kty") == "RSA" and one.get("kid")
            and one.get("use", "sig") == "sig"}
    except OSError as error:
        raise ConfigError(message=f"cannot read {path}: {error.strerror}", hints=["AuthAltParameters=jwks= names it"]) from error
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ConfigError(message=f"{path} is no JWKS file: {error}", hints=[
            'it is {"keys": [{"kty": "RSA", "kid": …, "n": …, "e": …}, …]}']) from error
    # A private key may be listed too; what is needed of it is its public half.
    public = {kid: key if isinstance(key, RSAPublicKey) else key.public_key() for kid, key in found.items()}
    good = {kid: key for kid, key in public.items() if key.key_size >= SHORTEST_MODULUS}
    if not good:
        raise ConfigError(message=f"{path} has no RSA key of {SHORTEST_MODULUS} bits or more with a kid",
            hints=["only RS256 keys are supported"])
    return good


def _seconds(text: str) -> int:
    if not text:
        return USERS_LIFESPAN
    try:
        return bounds.whole(text, 1, LONGEST_LIFESPAN)
    except ValueError as error:
        raise ConfigError(message=f"AuthAltParameters=max_token_lifespan={text[:_SHOWN]}: no number of seconds", hints=[
            f"write max_token_lifespan=3600: {error}"]) from error


def _refused(why: str) -> NotPermitted:
    return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[why])
