"""The server over http: who is let in, and on which address it listens."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from slurm.mcp.problems import Problem
from slurm.sdk.errors import SdkError

PATH = "/mcp"
TOKEN_VARIABLE = "SLURM_MCP_TOKEN"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TokenMissing(SdkError):
    """Others could come in, and no token keeps them out."""


class CannotListen(SdkError):
    """The address is taken, or not one of this machine."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(made: MCPServer[Any], host: str, port: int, token: str, tell: Callable[[str], None]) -> None:
    """Serve until the process is told to end; where and to whom is told. Who does not show the token gets 401 and nothing else."""
    import uvicorn

    if not token and not is_loopback(host):
        raise TokenMissing(f"{host} lets other machines in, and whoever is let in runs jobs as you: give a token\n"
                           f"export {TOKEN_VARIABLE}=\"$(openssl rand -hex 32)\", or --token-file PATH\n"
                           "the token travels unencrypted: better stay on 127.0.0.1 and let clients come through ssh -L or a proxy with "
                           "TLS")
    listener = _listening(host, port)
    tell(f"tools for agents at {_url(listener)}")
    if not token:
        token = secrets.token_urlsafe(32)
        tell(f"clients must send the header  Authorization: Bearer {token}")
    else:
        tell("clients must send the header  Authorization: Bearer  with the token that was given")
    port = listener.getsockname()[1]
    # A browser does not send the token by itself, so names that lead here are no danger; on loopback there are few, so others are refused
    # all the same.
    names = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]
    guard = TransportSecuritySettings(enable_dns_rebinding_protection=is_loopback(host), allowed_hosts=names,
        allowed_origins=[f"http://{name}" for name in names])
    app: Any = made.streamable_http_app(streamable_http_path=PATH, transport_security=guard, host=host)
    uvicorn.Server(uvicorn.Config(with_token(app, token), log_level="warning", timeout_graceful_shutdown=2)).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one."""
    if not 0 <= port <= 65535:
        # getaddrinfo would take the lower bits of it
        raise CannotListen(f"there is no port {port}: ports are 0 to 65535, and 0 takes a free one")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(128)
        except OSError:
            found.close()
            raise
    except OSError as error:
        raise CannotListen(f"cannot listen on {host} port {port}: {getattr(error, 'strerror', '') or error}\n--port 0 takes a free port") from error
    return found


def _url(listener: socket.socket) -> str:
    """Where clients find it."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


def with_token(app: App, token: str) -> App:
    """The same application for those who show the token."""
    expected = f"Bearer {token}".encode()
    refusal = Problem("not_permitted", "this server lets in who shows its token",
        "send the header `Authorization: Bearer TOKEN`; `slurm mcp run` says which")
    body = json.dumps(refusal.as_json()).encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if hmac.compare_digest(shown, expected):
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 401, "headers": [
            (b"content-type", b"application/json"), (b"www-authenticate", b"Bearer"), (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})

    return guarded
