"""A daemon's certificate where there is no slurm.key (auth/munge): slurmctld issues it to whom MUNGE says is root or SlurmUser. 

From then on the daemon proves itself as with slurm.key. The certificate lives in memory: a restarted daemon asks for another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection

from slurm.model.errors import NotPermitted, SlurmError
from slurm.net import client
from slurm.net.discovery import Site
from slurm.net.endpoint import peer_uid
from slurm.net.munge import Munge
from slurm.net.tls import Credentials, Pair, Trust

AGAIN_SECONDS = 2.0
_SECONDS = 20.0


def ask(site: Site, role: str, name: str, owners: Collection[int]) -> Credentials:
    """What the daemon proves itself by, and whom it trusts; blocking. `owners`: as whom slurmctld may run.

    Unreachable, NotPermitted, NotFound.
    """
    Munge(site.munge_socket, site.munge_ttl).seal(b"", reader=os.geteuid())  # without munged here there is no way to other machines
    with client.reach(site._replace(relays=()), 0.0) as connection:
        if connection.endpoint.is_unix:
            with socket.socket(fileno=os.dup(connection.fileno())) as stream:
                uid = peer_uid(stream)
            if uid not in owners:
                raise NotPermitted("SLURM_AUTHENTICATION_ERROR",
                    hints=[f"who listens at {connection.endpoint} is uid {uid}: neither root nor SlurmUser"])
        given = connection.call({"type": "CertifyDaemon", "role": role, "name": name}, _SECONDS)
    own = Pair(str(given["certificate"]).encode(), str(given["key"]).encode())
    return Credentials(str(given["cluster"]), own, str(given["authorities"]).encode())


async def keep(
    who: Callable[[], Credentials], accepted: Callable[[], bool], begin: Callable[[Trust], Awaitable[None]], log: logging.Logger,
) -> None:
    """Have the daemon enrolled for as long as this task lives: `begin` is called with its trust once, later certificates go into that.

    It asks (`who`, which blocks) again while slurmctld has not `accepted` the daemon, for slurmctld's authority may be a new one.
    """
    trust: Trust | None = None
    told = ""
    while True:
        if trust is None or not accepted():
            try:
                held = await asyncio.to_thread(who)
                if trust is None:
                    trust = Trust(held)
                    await begin(trust)
                else:
                    trust.replace(held)
                told = ""
            except SlurmError as error:
                why = "; ".join(error.lines())
                if why != told:
                    log.warning("slurmctld has issued no certificate yet: %s", why)
                    told = why
        await asyncio.sleep(AGAIN_SECONDS)
