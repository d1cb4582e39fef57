"""slurmrestd speaks for the user of a token, as slurmctld alone verifies it: whoever carries the token gains nothing by himself."""

from __future__ import annotations

import pwd
import time
from pathlib import Path

import jwt
import pytest

from slurm.net.jwt_tokens import Tokens
from slurm.slurmctld.session import user_name
from tests.cluster.slurmctld.conftest import ALICE, BOB, ROOT, Play, Stage

SECRET = b"s" * 32
ORDINARY = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, ALICE, BOB))
"""A user whom every machine knows, and who administrates nothing."""


def _tokens(tmp_path: Path) -> Tokens:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    return Tokens({"jwt_key": str(key)}, str(tmp_path), {key.stat().st_uid}, time.time)


def _made(user: str, key: bytes = SECRET, ends: float = 600, algorithm: str = "HS256") -> str:
    now = int(time.time())
    return jwt.encode({"sun": user, "iat": now - 1000, "exp": now + ends}, key if algorithm != "none" else None, algorithm=algorithm)


def test_a_token_makes_its_bearer_its_user_and_nobody_else(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.tokens = _tokens(tmp_path)
        client = s.client(ALICE)
        assert (await client.ask("ActAs", token=_made(ORDINARY.pw_name)))["user"] == ORDINARY.pw_name
        job = await client.submit()
        assert s.ctl.cluster.jobs[job].owner.uid == ORDINARY.pw_uid
        assert client.peer.by_token
        assert not client.peer.local
        refused = await client.ask("MakeToken")
        assert (refused["type"], refused["kind"]) == ("Failure", "NotPermitted")

    play(scene)


@pytest.mark.parametrize("fields", [
    {}, {"token": "x"}, {"token": _made("root", b"f" * 32)}, {"token": _made("root", ends=-500)}, {"token": _made("root", algorithm="none")},
    {"token": _made(ORDINARY.pw_name), "user": "root"}, {"token": _made("root"), "user": "nobody-knows-him"}, {"user": "root"}],
    ids=["nothing", "garbage", "forged", "expired", "unsigned", "another's", "unknown user", "no token"])
def test_what_is_no_good_token_changes_nothing(play: Play, tmp_path: Path, fields: dict[str, str]) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.tokens = _tokens(tmp_path)
        client = s.client(ALICE)
        reply = await client.ask("ActAs", **fields)
        assert (reply["type"], reply["name"]) == ("Failure", "SLURM_AUTHENTICATION_ERROR"), reply
        assert client.session.caller.uid == ALICE
        assert s.ctl.cluster.jobs[await client.submit()].owner.uid == ALICE

    play(scene)


def test_a_token_of_no_operator_has_no_name_looked_up(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.tokens = _tokens(tmp_path)
        said = [await s.client(ALICE).ask("ActAs", token=_made(ORDINARY.pw_name), user=name) for name in ("root", "nobody-knows-him")]
        assert all("only a token of root or SlurmUser speaks for others" in reply["hints"][0] for reply in said), said
        assert (await s.client(ALICE).ask("ActAs", token=_made(ORDINARY.pw_name), user=ORDINARY.pw_name))["user"] == ORDINARY.pw_name

    play(scene)


def test_a_token_of_root_speaks_for_others_and_stays_with_whom_it_spoke_for(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.tokens = _tokens(tmp_path)
        client = s.client(BOB)
        assert (await client.ask("ActAs", token=_made("root"), user=ORDINARY.pw_name))["user"] == ORDINARY.pw_name
        assert (await client.ask("ActAs", user="root"))["name"] == "SLURM_AUTHENTICATION_ERROR"
        assert client.session.caller.uid == ORDINARY.pw_uid

    play(scene)


def test_without_jwt_in_the_configuration_no_token_is_taken(play: Play) -> None:
    async def scene(s: Stage) -> None:
        reply = await s.client(ROOT).ask("ActAs", token=_made("root"))
        assert reply["name"] == "SLURM_AUTHENTICATION_ERROR"

    play(scene)


def test_a_daemon_that_relays_a_command_brings_no_token_for_it(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.tokens = _tokens(tmp_path)
        client = s.client(ALICE)
        client.peer.via = "slurmd of cn01"
        reply = await client.ask("ActAs", token=_made("root"))
        assert reply["name"] == "SLURM_AUTHENTICATION_ERROR"
        assert user_name(client.session.caller.uid) != "root"

    play(scene)


def test_jobs_that_have_not_changed_are_not_told_again(play: Play) -> None:
    async def scene(s: Stage) -> None:
        client = s.client(ALICE)
        await client.submit()
        later = time.time() + 60
        assert (await client.ask("Describe", what="job", format="json", since=later)).get("unchanged") is True
        assert not (await client.ask("Describe", what="job", format="json", since=1.0)).get("unchanged")

    play(scene)


def test_a_compute_node_gets_no_token_of_those_for_whom_it_speaks(play: Play, tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.ctl.tokens = _tokens(tmp_path)
        assert (await s.client(ALICE).ask("MakeToken"))["type"] == "UserToken"
        node = await s.node("cn01")
        await s.client(ALICE).submit()
        refused = await node.relayed(ALICE, "MakeToken")
        assert refused["kind"] == "NotPermitted" and "make tokens on a login node" in refused["hints"][0], refused

    play(scene)
