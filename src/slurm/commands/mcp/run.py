"""`slurm mcp run`: serve the tools on standard input and output, or over http."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure

TOKEN_VARIABLE = "SLURM_MCP_TOKEN"
SHORTEST_TOKEN = 16


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm mcp run`."""
    parser.add_argument("-t", "--transport", choices=("stdio", "http"), default="stdio", help="how a client talks to it (stdio)")
    parser.add_argument("-H", "--host", default="127.0.0.1", help="address to listen on, for http (127.0.0.1: this machine only)")
    parser.add_argument("-p", "--port", type=int, default=8000, help="port to listen on, for http (8000; 0: a free one)")
    parser.add_argument("--token-file", metavar="PATH",
        help=f"file with the token that clients must show, for http (default: ${TOKEN_VARIABLE}, else a new one)")
    parser.add_argument("--read-only", action="store_true", help="offer only tools that look: none that submits or cancels")
    which_cluster.arguments(parser, slurmfile_flags=("-f",))


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Serve until the client goes or the process is told to end; exit status."""
    needed()
    from slurm.mcp.server import run_server

    with which_cluster.told():
        which_cluster.settings(options)  # an environment that there is not is better told now than by each tool
    if options.transport == "stdio" and sys.stdin.isatty():
        console.note("the tools wait for a client on standard input; `slurm mcp status` says how to add them to one, ctrl-C ends this")
    token = _token(options.token_file, environ) if options.transport == "http" else ""
    with which_cluster.told():
        run_server(options.transport, options.host, options.port, options.slurmfile, options.env, token=token, read_only=options.read_only,
            tell=console.note)
    return 0


def needed() -> None:
    """Failure unless the package that speaks the protocol is there."""
    try:
        import slurm.mcp.server  # noqa: F401
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "pydantic"):
            raise
        raise Failure("PackageMissing", f"slurm mcp needs the package mcp, version 2 or newer ({error})",
            ["pip install 'slurm-py[mcp]'"]) from error


def _token(path: str | None, environ: Mapping[str, str]) -> str:
    """The token that was given, "" when none was; Failure for one that is too short or a file that others may read."""
    if path is None:
        found, where = environ.get(TOKEN_VARIABLE, ""), f"${TOKEN_VARIABLE}"
    else:
        try:
            with open(path, encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise Failure("TokenReadable", f"others may read or write {path}", [f"chmod 600 {path}"])
                found, where = file.read().strip(), path
        except OSError as error:
            raise Failure("TokenMissing", f"{path}: {error.strerror}") from error
        if not found:
            raise Failure("TokenMissing", f"{path} is empty", [f"openssl rand -hex 32 >{path}"])
    if found and (len(found) < SHORTEST_TOKEN or not found.isascii() or not found.isprintable() or " " in found):
        raise Failure("TokenWeak", f"the token of {where} is no token: it takes {SHORTEST_TOKEN} or more letters, digits and signs "
                                   "without blanks",
                      ["openssl rand -hex 32 makes one"])
    return found
