"""Session: one connection of a command, with the caller that the kernel or a credential vouches for."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from functools import lru_cache

import msgspec

from slurm.core.events import Caller
from slurm.model.errors import NotFound
from slurm.model.ids import Gid, Uid
from slurm.net.server import Peer
from slurm.wire import frames
from slurm.wire.credentials import Identity
from slurm.wire.messages import Message

_json = msgspec.json.Encoder()
_DIGITS = 10


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """The login name of a uid, the number itself where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@lru_cache(maxsize=4096)
def group_name(gid: int) -> str:
    """The name of a gid, the number itself where there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@lru_cache(maxsize=1024)
def group_ids(user: str, gid: int) -> tuple[int, ...]:
    """All groups of a user, `gid` first; only that for a user whom the system does not know."""
    # Asks for this user's groups, not for all groups of a directory service.
    return tuple(os.getgrouplist(user, gid))


@lru_cache(maxsize=1024)
def group_names(user: str, gid: int) -> tuple[str, ...]:
    """The names of a user's groups, in order."""
    return tuple(sorted({group_name(each) for each in group_ids(user, gid)}))


@lru_cache(maxsize=4096)
def groups_of(uid: int) -> frozenset[int]:
    """The gids of a user's groups as this machine knows them; none for a uid that it does not know."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return frozenset()
    return frozenset(group_ids(user.pw_name, user.pw_gid))


def forget_names() -> None:
    """Users and groups may have changed: look them up again."""
    for cache in (user_name, group_name, group_ids, group_names, groups_of):
        cache.cache_clear()


def caller_of(peer: Peer) -> Caller:
    """Who is at the other end."""
    user = user_name(peer.identity.uid)
    return Caller(
        uid=Uid(peer.identity.uid), gid=Gid(peer.identity.gid), user=user, group=group_name(peer.identity.gid),
        groups=group_names(user, peer.identity.gid), host=peer.identity.host, unelevated=peer.unelevated)


def is_own(caller: Caller, user: str) -> bool:
    """Whether this name or uid ("": none) is the caller's own, which takes no look-up: rights are asked before any, it may take long."""
    return user in ("", caller.user, str(caller.uid))


def caller_as(caller: Caller, user: str, group: str = "") -> Caller:
    """The user of this name or uid ("": the caller himself), in his own group or another one, where `caller` is. NotFound."""
    try:
        gid = None if not group else int(group) if _is_number(group) else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise NotFound("ESLURM_GROUP_ID_MISSING", hints=[f"there is no group {group} on the controller's machine"]) from error
    if is_own(caller, user):
        return caller if gid is None else msgspec.structs.replace(caller, gid=Gid(gid), group=group_name(gid))
    try:
        entry = pwd.getpwuid(int(user)) if _is_number(user) else pwd.getpwnam(user)
    except (KeyError, OverflowError) as error:
        raise NotFound("ESLURM_USER_ID_MISSING", hints=[f"there is no user {user} on the controller's machine"]) from error
    gid = entry.pw_gid if gid is None else gid
    return Caller(uid=Uid(entry.pw_uid), gid=Gid(gid), user=entry.pw_name, group=group_name(gid), groups=group_names(entry.pw_name, gid),
        host=caller.host)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


class Session:
    """A peer, its caller, and a way to send it more than one message."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.caller = caller_of(peer)
        self.closed = False
        self.waiting: set[asyncio.Event] = set()  # set when the connection ends
        peer.on_close(self._ended)

    def speak_by_token(self, identity: Identity) -> None:
        """A token says for whom this connection speaks from here on."""
        self.peer.speak_by_token(identity)
        self.caller = caller_of(self.peer)

    def send(self, message: Message | bytes) -> None:
        """Queue a message (bytes: JSON already) to the caller; nothing happens when it has gone."""
        if not self.closed:
            self.peer.send(frames.pack(frames.JSON, message if isinstance(message, bytes) else _json.encode(message)))

    def _ended(self) -> None:
        self.closed = True
        for event in self.waiting:
            event.set()
