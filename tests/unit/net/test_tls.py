"""Authority and TLS without sockets: who proves what to whom, and what is refused."""

import ssl

import pytest

from slurm.model.errors import NotPermitted, ProtocolError, SlurmError
from slurm.net.authority import Authority
from slurm.net.tls import Credentials, Party, Tls, Trust

KEY = b"k" * 1024
AUTHORITY = Authority(KEY, "lab")


def trust(role: str, name: str, authority: Authority = AUTHORITY, **more: object) -> Trust:
    return Trust(authority.credentials(role, name, **more))  # type: ignore[arg-type]


def shake(server: Tls, client: Tls) -> None:
    """Carry bytes between both until both know each other; what one of them raises is raised here."""
    for _ in range(10):
        client.handshake()
        server.feed(client.outgoing())
        server.handshake()
        client.feed(server.outgoing())
        if server.finished and client.finished:
            return
    raise AssertionError("the handshake does not end")


def met(server: Trust, client: Trust, *, anonymous: bool = False, session: ssl.SSLSession | None = None) -> tuple[Tls, Tls]:
    ends = Tls(server, server=True, anonymous=anonymous), Tls(client, server=False, session=session)
    shake(*ends)
    return ends


def test_both_ends_know_cluster_role_and_name_of_the_other() -> None:
    server, client = met(trust("slurmctld", "head"), trust("slurmd", "nd1"))
    assert server.party is not None and client.party is not None
    assert server.party[:3] == ("lab", "slurmd", "nd1")
    assert client.party[:3] == ("lab", "slurmctld", "head")
    assert server.party.key_id == AUTHORITY.key_id
    client.write(b"frame")
    server.feed(client.outgoing())
    assert server.read() == b"frame"


def test_a_party_is_held_to_role_and_name() -> None:
    party = Party("lab", "slurmd", "nd1")
    party.require("slurmd")
    party.require("slurmd", "nd1")
    with pytest.raises(NotPermitted) as caught:
        party.require("slurmctld")
    assert "that of slurmd nd1, not of slurmctld" in "; ".join(caught.value.lines())
    with pytest.raises(NotPermitted):
        party.require("slurmd", "nd2")


def test_names_with_any_characters_survive_the_certificate() -> None:
    odd = Authority(KEY, "a/b c%")
    server, client = met(trust("slurmctld", "host/ü", odd), trust("slurmd", "x y/../slurmctld", odd))
    assert server.party is not None and client.party is not None
    assert server.party[:3] == ("a/b c%", "slurmd", "x y/../slurmctld")
    assert client.party.name == "host/ü"


def test_every_holder_of_the_key_has_the_same_authority_and_no_other_cluster_has() -> None:
    assert Authority(KEY, "lab").key_id == AUTHORITY.key_id
    assert len({Authority(KEY, "lab2").key_id, Authority(b"x" * 32, "lab").key_id, AUTHORITY.key_id}) == 3
    met(trust("slurmctld", "head", Authority(KEY, "lab")), trust("slurmd", "nd1"))


@pytest.mark.parametrize("other", [Authority(b"x" * 32, "lab"), Authority(KEY, "lab2")])
def test_a_certificate_of_another_key_or_cluster_is_refused_by_both_sides(other: Authority) -> None:
    for server, client in ((trust("slurmctld", "h"), trust("slurmd", "n", other)), (trust("slurmctld", "h", other), trust("slurmd", "n"))):
        with pytest.raises(NotPermitted):
            met(server, client)


def test_a_nodes_certificate_cannot_issue_others() -> None:
    # A rooted node has its key; it signs itself a certificate of the controller and shows both.
    pair = AUTHORITY.issue("slurmd", "nd1")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    own = x509.load_pem_x509_certificate(pair.certificate)
    signer = serialization.load_pem_private_key(pair.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    forged = (
        x509.CertificateBuilder().subject_name(own.subject).issuer_name(own.subject).public_key(key.public_key()).serial_number(7)
        .not_valid_before(own.not_valid_before_utc).not_valid_after(own.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("slurm://lab/slurmctld/head")]), critical=False)
        .sign(signer, hashes.SHA256())).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    false = Trust(Credentials("lab", pair._replace(certificate=forged + pair.certificate, key=secret), AUTHORITY.certificate))
    with pytest.raises(NotPermitted):
        met(false, trust("slurmd", "nd2"))


def test_a_client_without_a_certificate_comes_in_only_where_it_may_prove_itself_by_a_message() -> None:
    bare = Trust(Credentials("lab", None, AUTHORITY.certificate))
    server, client = met(trust("slurmctld", "head"), bare, anonymous=True)
    assert server.party is None
    assert client.party is not None and client.party.role == "slurmctld"
    with pytest.raises(NotPermitted) as caught:
        met(trust("slurmctld", "head"), bare)
    assert "showed no certificate" in "; ".join(caught.value.lines())
    with pytest.raises(RuntimeError):
        Tls(bare, server=True)


def test_an_old_authority_is_trusted_for_as_long_as_it_is_listed() -> None:
    new = Authority(b"n" * 32, "lab")
    old_node, server = trust("slurmd", "nd1", trusted=[new.certificate]), trust("slurmctld", "head", new, trusted=[AUTHORITY.certificate])
    ends = met(server, old_node)
    assert ends[0].party is not None
    assert server.refusal(ends[0].party) == ""
    server.replace(new.credentials("slurmctld", "head"))
    assert "not trusted (any longer)" in server.refusal(ends[0].party)
    with pytest.raises(NotPermitted):
        met(server, old_node)


def test_a_revoked_certificate_is_refused_also_when_it_resumes() -> None:
    server, client = trust("slurmctld", "head"), trust("slurmd", "nd1")
    ends = met(server, client)
    ends[1].feed(ends[0].outgoing())
    assert ends[1].read() == b""
    session = ends[1].session
    assert session is not None and ends[0].party is not None
    assert met(server, client, session=session)[0].resumed
    server.replace(server.credentials._replace(revoked=frozenset({ends[0].party.serial})))
    assert "was revoked" in server.refusal(ends[0].party)
    for again in (None, session):
        with pytest.raises(NotPermitted) as caught:
            met(server, client, session=again)
        assert "was revoked" in "; ".join(caught.value.lines())


def test_a_resumed_session_still_knows_its_party() -> None:
    server, client = trust("slurmctld", "head"), trust("slurmd", "nd1")
    first = met(server, client)
    first[1].read()
    again = met(server, client, session=first[1].session)
    assert again[0].resumed and again[1].resumed
    assert (again[0].party, again[1].party) == (first[0].party, first[1].party)


def test_a_certificate_holds_at_any_time_unless_it_was_made_for_some_seconds() -> None:
    short = Credentials("lab", AUTHORITY.issue("user", "1000", now=1_000_000_000.0, seconds=60.0), AUTHORITY.certificate)
    with pytest.raises(NotPermitted) as caught:
        met(trust("slurmctld", "head"), Trust(short))
    assert "expired" in "; ".join(caught.value.lines())


def test_a_certificate_is_given_to_a_key_that_stays_where_it_is() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pair = AUTHORITY.issue("user", "1000")._replace(certificate=AUTHORITY.certify("user", "1000", public), key=secret)
    server, _ = met(trust("slurmd", "nd1"), Trust(Credentials("lab", pair, AUTHORITY.certificate)))
    assert server.party is not None and server.party[:3] == ("lab", "user", "1000")
    with pytest.raises(ValueError, match="could not|Unable|PEM|Valid"):
        AUTHORITY.certify("user", "1000", b"no key")


def test_bytes_that_are_no_tls_and_altered_records_are_refused_in_a_sentence() -> None:
    server = Tls(trust("slurmctld", "head"), server=True)
    server.feed(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(SlurmError):
        server.handshake()
    server, client = met(trust("slurmctld", "head"), trust("slurmd", "nd1"))
    client.write(b"order")
    record = bytearray(client.outgoing())
    record[-1] ^= 1
    server.feed(bytes(record))
    with pytest.raises(ProtocolError):
        server.read()


def test_nothing_older_than_tls_1_3_is_spoken() -> None:
    old = trust("slurmd", "nd1")
    old.client_context.minimum_version = ssl.TLSVersion.TLSv1_2
    old.client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(SlurmError):
        met(trust("slurmctld", "head"), old)
