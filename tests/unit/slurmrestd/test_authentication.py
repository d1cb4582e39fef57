"""Whom a request may claim to come from, before slurmctld looks at a token."""

from __future__ import annotations

import pytest

from slurm.model.errors import NotPermitted
from slurm.slurmrestd.authentication import JWT, LOCAL, NOBODY, PLUGINS, Claim, Client, claim, usable

OWN = 1001
UNIX, TCP, OTHER = Client("unix", OWN), Client("tcp", NOBODY), Client("unix", 1002)


@pytest.mark.parametrize(("headers", "client", "plugins", "expected"), [
    ([], UNIX, PLUGINS, Claim()), ([], Client("root", 0), PLUGINS, Claim()), ([("x-slurm-user-token", "t")], TCP, PLUGINS, Claim("t")),
    ([("authorization", "Bearer t")], TCP, PLUGINS, Claim("t")), ([("x-slurm-user-token", "t"), ("x-slurm-user-name", "alice")], OTHER, PLUGINS, Claim("t", "alice")),
    ([("authorization", "bearer t"), ("x-slurm-user-token", "t")], TCP, PLUGINS, Claim("t")), ([("x-slurm-user-token", "t")], UNIX, (JWT,), Claim("t"))])
def test_what_proves_something_is_taken(headers: list[tuple[str, str]], client: Client, plugins: tuple[str, ...], expected: Claim) -> None:
    assert claim(headers, client, plugins, OWN) == expected


@pytest.mark.parametrize(("headers", "client", "plugins"), [
    ([], TCP, PLUGINS), ([], OTHER, PLUGINS), ([], UNIX, (JWT,)), ([("x-slurm-user-name", "root")], UNIX, PLUGINS), ([("x-slurm-user-token", "")], UNIX, PLUGINS),
    ([("authorization", "Basic eA==")], UNIX, PLUGINS), ([("authorization", "Bearer ")], UNIX, PLUGINS), ([("x-slurm-user-token", "t")], UNIX, (LOCAL,)),
    ([("x-slurm-user-token", "t"), ("x-slurm-user-token", "t")], TCP, PLUGINS), ([("x-slurm-user-token", "t"), ("authorization", "Bearer u")], TCP, PLUGINS),
    ([("x-slurm-user-token", "t"), ("x-slurm-user-name", "a"), ("x-slurm-user-name", "b")], TCP, PLUGINS)])
def test_what_proves_nothing_is_refused(headers: list[tuple[str, str]], client: Client, plugins: tuple[str, ...]) -> None:
    with pytest.raises(NotPermitted) as refused:
        claim(headers, client, plugins, OWN)
    assert refused.value.name == "SLURM_AUTHENTICATION_ERROR"


def test_plugins_are_named_with_and_without_their_kind() -> None:
    assert usable("") == PLUGINS
    assert usable("jwt,rest_auth/local") == (JWT, LOCAL)
    with pytest.raises(ValueError, match="munge"):
        usable("rest_auth/munge")
