"""auth/jwt: tokens for commands on machines without a daemon, made by `scontrol token`, and whom slurmrestd speaks for with one."""

from __future__ import annotations

import logging
import pwd

import msgspec

from slurm.model.errors import InvalidRequest, NotPermitted, Unsupported
from slurm.net.jwt_tokens import DEFAULT_LIFESPAN, LONGEST_LIFESPAN
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session, user_name
from slurm.wire import token_messages as t
from slurm.wire.credentials import Identity

log = logging.getLogger("slurmctld")


async def on_make_token(ctl: Controller, session: Session, message: t.MakeToken) -> t.UserToken:
    """A token for the caller; for somebody else, or for longer than max_token_lifespan, only at an operator's wish."""
    tokens, caller = ctl.tokens, session.caller
    if tokens is None or not tokens.makes:
        raise Unsupported(message="Required plugin type not loaded or initialized", hints=[
            "the configuration has no AuthAltTypes=auth/jwt" if tokens is None
            else "AuthAltParameters has jwks= and no jwt_key=: tokens come from elsewhere"])
    operator = ctl.is_operator(caller.uid)
    if session.peer.unelevated:
        raise NotPermitted(hints=["a compute node speaks for you here, and only as long as your job is on it: make tokens on a login node"])
    if session.peer.by_token:
        raise NotPermitted(hints=["a token makes no further token: ask for one where a daemon vouches for you"])
    if not operator and not tokens.users_may_make:
        raise NotPermitted(hints=["disable_token_creation is set: only root and SlurmUser make tokens"])
    user = message.username or caller.user
    if user != caller.user and not operator:
        raise NotPermitted(hints=["only root and SlurmUser make tokens for others"])
    most = LONGEST_LIFESPAN if operator else tokens.longest
    lifespan = message.lifespan or min(DEFAULT_LIFESPAN, most)
    if lifespan > most:
        raise InvalidRequest("ESLURM_INVALID_TIME_VALUE", hints=[
            f"a token lasts at most {most} seconds: AuthAltParameters=max_token_lifespan= sets that, and root and SlurmUser may ask for "
            "more"])
    log.info("uid %d has a token of user %s for %d s", caller.uid, user, lifespan)
    return t.UserToken(token=tokens.make(user, lifespan))


async def on_act_as(ctl: Controller, session: Session, message: t.ActAs) -> t.ActingAs:
    """Verify a token and let the connection speak for its user: whoever carries it is not asked who he is himself."""
    peer = session.peer
    if peer.via or peer.party is not None:
        raise _refused("a daemon says who calls on this connection: it takes no token")
    if message.token:
        if ctl.tokens is None:
            raise _refused("the configuration has no AuthAltTypes=auth/jwt")
        identity = ctl.tokens.verify(message.token)
    elif peer.by_token:
        identity = peer.identity
    else:
        raise _refused("there is no token")
    session.speak_by_token(_spoken_for(ctl, identity, message.user))
    return t.ActingAs(user=session.caller.user, group=session.caller.group)


def _spoken_for(ctl: Controller, identity: Identity, user: str) -> Identity:
    """The user whom the bearer of a token names: himself, or anybody when the token is that of root or SlurmUser (an authenticating
    proxy)."""
    if user in ("", user_name(identity.uid)):
        return identity
    # Whoever speaks for himself alone has no name looked up: that may wait for a directory service, and would tell him who is there.
    if not ctl.is_operator(identity.uid):
        raise _refused(f"the token is not that of {user[:64]!r}: only a token of root or SlurmUser speaks for others")
    try:
        account = pwd.getpwnam(user)
    except (KeyError, ValueError) as error:
        raise _refused(f"the controller's machine knows no user {user[:64]!r}") from error
    if account.pw_uid == identity.uid:
        return identity
    log.info("a token of uid %d speaks for %s", identity.uid, account.pw_name)
    return msgspec.structs.replace(identity, uid=account.pw_uid, gid=account.pw_gid)


def _refused(why: str) -> NotPermitted:
    return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[why])
