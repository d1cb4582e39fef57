"""scontrol token: tokens for commands on machines without a daemon (auth/jwt)."""

from __future__ import annotations

import logging

from slurm.model.errors import InvalidRequest, NotPermitted, Unsupported
from slurm.net.jwt_tokens import DEFAULT_LIFESPAN, LONGEST_LIFESPAN
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.session import Session
from slurm.wire import messages as m

log = logging.getLogger("slurmctld")


async def on_make_token(ctl: Controller, session: Session, message: m.MakeToken) -> m.UserToken:
    """A token for the caller; for somebody else, or for longer than max_token_lifespan, only at an operator's wish."""
    tokens, caller = ctl.tokens, session.caller
    if tokens is None or not tokens.makes:
        raise Unsupported(message="Required plugin type not loaded or initialized", hints=[
            "the configuration has no AuthAltTypes=auth/jwt" if tokens is None else "AuthAltParameters has jwks= and no jwt_key=: tokens come from elsewhere"])
    operator = ctl.is_operator(caller.uid)
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
            f"a token lasts at most {most} seconds: AuthAltParameters=max_token_lifespan= sets that, and root and SlurmUser may ask for more"])
    log.info("uid %d has a token of user %s for %d s", caller.uid, user, lifespan)
    return m.UserToken(token=tokens.make(user, lifespan))
