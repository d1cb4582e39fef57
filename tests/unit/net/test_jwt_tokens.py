"""auth/jwt: who a token speaks for, and what makes one worthless."""

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from slurm.model.errors import ConfigError, NotPermitted
from slurm.net.jwt_tokens import LEEWAY_SECONDS, Tokens

SECRET = b"k" * 32
OWNERS = {os.getuid(), 0}
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def private(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def hs(tmp_path: Path, **more: str) -> Tokens:
    return Tokens({"jwt_key": private(tmp_path / "jwt.key", SECRET), **more}, str(tmp_path), OWNERS, time.time)


def rs(tmp_path: Path, **more: str) -> Tokens:
    weak = ec.generate_private_key(ec.SECP256R1()).public_key()
    listed = [{**json.loads(RSAAlgorithm.to_jwk(RSA.public_key())), "kid": "one"}, {**json.loads(ECAlgorithm.to_jwk(weak)), "kid": "two"}]
    return Tokens({"jwks": private(tmp_path / "jwks.json", json.dumps({"keys": listed}).encode()), **more}, str(tmp_path), OWNERS, time.time)


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sun": "nobody", "iat": now, "exp": now + 3600, **more}


def test_a_token_speaks_for_the_user_that_it_names(tmp_path: Path) -> None:
    tokens = hs(tmp_path)
    identity = tokens.verify(tokens.make("nobody", 60))
    assert (identity.uid, identity.ttl) == (65534, 60.0)
    assert tokens.verify(tokens.make("root", 60)).uid == 0
    assert jwt.decode(tokens.make("nobody", 60), SECRET, algorithms=["HS256"])["sun"] == "nobody"


def test_tokens_of_an_identity_provider_are_checked_with_its_public_key(tmp_path: Path) -> None:
    tokens = rs(tmp_path)
    assert not tokens.makes
    for field in ("sun", "username"):
        given = {**claims(), field: "nobody"}
        if field == "username":
            del given["sun"]
        assert tokens.verify(jwt.encode(given, RSA, "RS256", headers={"kid": "one"})).uid == 65534
    other = rs(tmp_path, userclaimfield="uid")
    assert other.verify(jwt.encode(claims(uid="nobody", sun="root"), RSA, "RS256", headers={"kid": "one"})).uid == 65534


def test_both_kinds_are_taken_where_both_keys_are(tmp_path: Path) -> None:
    tokens = rs(tmp_path, jwt_key=private(tmp_path / "jwt.key", SECRET))
    assert tokens.verify(tokens.make("nobody", 60)).uid == 65534
    assert tokens.verify(jwt.encode(claims(), RSA, "RS256", headers={"kid": "one"})).uid == 65534


@pytest.mark.parametrize(("token", "why"), [
    (jwt.encode(claims(exp=int(time.time()) - LEEWAY_SECONDS - 5), SECRET, "HS256"), "the token has expired"),
    (jwt.encode(claims(iat=int(time.time()) + 86_400, exp=int(time.time()) + 86_700), SECRET, "HS256"), "made in the future"),
    (jwt.encode(claims(), b"x" * 32, "HS256"), "not signed with this cluster's key"),
    (jwt.encode(claims(), None, "none"), "signed by 'none'"),
    (jwt.encode(claims(), b"k" * 64, "HS512"), "signed by 'HS512'"),
    (jwt.encode(claims(), RSA, "RS256", headers={"kid": "one"}), "signed by 'RS256'"),
    (jwt.encode({"sun": "root", "iat": 1}, SECRET, "HS256"), 'missing the "exp" claim'),
    (jwt.encode({"sun": "root", "exp": 99999999999}, SECRET, "HS256"), 'missing the "iat" claim'),
    (jwt.encode(claims(sun=0), SECRET, "HS256"), "names no user"),
    (jwt.encode(claims(sun="who-is-this"), SECRET, "HS256"), "knows no such user"),
    (jwt.encode(claims(sun="a\0b"), SECRET, "HS256"), "knows no such user"),
    (jwt.encode({**claims(sun="root"), "sun": ["root"]}, SECRET, "HS256"), "names no user"),
    ("", "none of ours"), ("a.b.c", "none of ours"), ("x" * 20_000, "at most"), (f"{base64.b64encode(b'[]').decode()}.e30.", "none of ours")])
def test_what_is_no_good_token_is_refused_with_the_reason(tmp_path: Path, token: str, why: str) -> None:
    with pytest.raises(NotPermitted, match="Protocol authentication error") as caught:
        hs(tmp_path).verify(token)
    assert why in caught.value.hints[0]


def _confused(secret: bytes) -> str:
    """A token whose HMAC key is the public key, as PyJWT does not make it."""
    import hashlib
    import hmac

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    body = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode()) + b"." + part(json.dumps(claims(sun="root")).encode())
    return (body + b"." + part(hmac.digest(secret, body, hashlib.sha256))).decode()


@pytest.mark.parametrize(("token", "why"), [
    (_confused(PUBLIC_PEM), "signed by 'HS256'"),
    (jwt.encode(claims(), RSA, "RS256"), "no key (kid)"),
    (jwt.encode(claims(), RSA, "RS256", headers={"kid": "two"}), "no key (kid)"),
    (jwt.encode(claims(), rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", headers={"kid": "one"}), "not signed"),
    (jwt.encode(claims(), None, "none", headers={"kid": "one"}), "signed by 'none'")])
def test_a_public_key_makes_no_tokens(tmp_path: Path, token: str, why: str) -> None:
    with pytest.raises(NotPermitted) as caught:
        rs(tmp_path).verify(token)
    assert why in caught.value.hints[0]


def test_keys_that_cannot_be_trusted_stop_the_start(tmp_path: Path) -> None:
    short = private(tmp_path / "short.key", b"k" * 20)
    with pytest.raises(ConfigError, match="HS256 needs 32"):
        Tokens({"jwt_key": short}, str(tmp_path), OWNERS, time.time)
    with pytest.raises(ConfigError, match=r"jwt_hs256\.key"):
        Tokens({}, str(tmp_path), OWNERS, time.time)
    public = Path(private(tmp_path / "jwks.json", b'{"keys": []}'))
    with pytest.raises(ConfigError, match="no RSA key of 2048 bits"):
        Tokens({"jwks": str(public)}, str(tmp_path), OWNERS, time.time)
    public.chmod(0o666)
    with pytest.raises(ConfigError, match="others could add keys"):
        Tokens({"jwks": str(public)}, str(tmp_path), OWNERS, time.time)
    public.chmod(0o600)
    public.write_bytes(b"{}")
    with pytest.raises(ConfigError, match="is no JWKS file"):
        Tokens({"jwks": str(public)}, str(tmp_path), OWNERS, time.time)
    with pytest.raises(ConfigError, match="max_token_lifespan=soon"):
        hs(tmp_path, max_token_lifespan="soon")


@pytest.mark.parametrize("text", ["0", "-1", "9" * 30, "9" * 5000, "\u0663", "1e3"])
def test_a_lifespan_that_is_no_number_of_seconds_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="max_token_lifespan="):
        hs(tmp_path, max_token_lifespan=text)


def test_without_a_limit_in_the_configuration_a_users_token_lasts_at_most_thirty_days(tmp_path: Path) -> None:
    assert hs(tmp_path).longest == 30 * 86_400
    assert hs(tmp_path, max_token_lifespan="31536000").longest == 365 * 86_400


@pytest.mark.parametrize(("more", "why"), [
    ({}, "iss"), ({"aud": "wiki", "iss": "https://id.example"}, "for something else"), ({"aud": "slurm", "iss": "https://other"}, "of somebody else"),
    ({"aud": "slurm"}, "iss"), ({"iss": "https://id.example"}, "aud"), ({"aud": ["wiki", "slurm"], "iss": "https://id.example"}, "")])
def test_a_token_that_was_made_for_another_program_is_worth_nothing_where_the_site_says_whose_it_must_be(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    tokens = rs(tmp_path, issuer="https://id.example", audience="slurm")
    token = jwt.encode(claims(**more), RSA, algorithm="RS256", headers={"kid": "one"})
    if not why:
        assert tokens.verify(token).uid == 65534
        return
    with pytest.raises(NotPermitted) as refused:
        tokens.verify(token)
    assert why in refused.value.hints[0]


def test_tokens_of_our_own_name_what_the_site_asks_for(tmp_path: Path) -> None:
    tokens = hs(tmp_path, issuer="cluster", audience="slurm")
    token = tokens.make("nobody", 60)
    assert tokens.verify(token).uid == 65534
    assert {name: value for name, value in jwt.decode(token, SECRET, algorithms=["HS256"], audience="slurm").items() if name in ("iss", "aud")} \
        == {"iss": "cluster", "aud": "slurm"}
    assert tokens.risk == "" and rs(tmp_path, issuer="x", audience="y").risk == ""


def test_keys_of_a_provider_without_issuer_and_audience_are_told_as_a_risk(tmp_path: Path) -> None:
    assert "without issuer= and audience=" in rs(tmp_path).risk and "without audience=" in rs(tmp_path, issuer="x").risk
