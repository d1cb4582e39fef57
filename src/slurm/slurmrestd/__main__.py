"""The program slurmrestd: its command line and variables, as whom it may run, its sockets."""

from __future__ import annotations

import argparse
import asyncio
import grp
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import setproctitle

from slurm.config.keys import read_keys
from slurm.daemon import logs, memory, user
from slurm.daemon.process import PidFile, Readiness, to_background
from slurm.model.errors import ConfigError, SlurmError
from slurm.model.version import version_line
from slurm.net.discovery import Site, find_site
from slurm.net.listening import raise_open_files
from slurm.slurmrestd import authentication, schema, serving, tls, versions
from slurm.slurmrestd.application import PAGES, SECTIONS, Application, Settings
from slurm.slurmrestd.table import OPERATIONS

log = logging.getLogger("slurmrestd")
THREADS = 20
MAX_CONNECTIONS = 124
BECOME_USER, NO_USER_CHECK = "become_user", "disable_user_check"
SECURITY = (BECOME_USER, NO_USER_CHECK, "disable_unshare_files", "disable_unshare_sysv")
"""Words of SLURMRESTD_SECURITY.

Namespaces are never unshared here: nothing of this process lies in shared memory or in files of its own.
"""


class Wanted(NamedTuple):
    """What command line and variables ask for."""

    conf: str
    plugins: tuple[str, ...]
    sections: tuple[str, ...]
    pages: bool
    versions: tuple[int, ...]
    places: tuple[str, ...]
    threads: int
    connections: int
    rate: int
    user: str
    group: str
    security: frozenset[str]
    level: int


def parser() -> argparse.ArgumentParser:
    """Options as in slurmrestd(8)."""
    top = argparse.ArgumentParser(
        prog="slurmrestd", description="Slurm's REST API. Without a place to listen at it answers what comes by standard input.",
        epilog="variables: SLURM_CONF SLURMRESTD_AUTH_TYPES SLURMRESTD_DATA_PARSER_PLUGINS SLURMRESTD_DEBUG SLURMRESTD_LISTEN "
               "SLURMRESTD_MAX_CONNECTIONS SLURMRESTD_OPENAPI_PLUGINS SLURMRESTD_SECURITY SLURMRESTD_USER_RATE")
    top.add_argument("places", nargs="*", metavar="[HOST]:PORT|https://[HOST]:PORT|unix:/PATH",
        help="where to listen (SLURMRESTD_LISTEN, with commas)")
    top.add_argument("-a", metavar="PLUGIN[,…]", dest="auth",
        help="how clients prove who they are, by default all: rest_auth/local, rest_auth/jwt; list")
    top.add_argument("-d", metavar="VERSION[,…]", dest="parsers", help="versions of the API, by default all: v0.0.42 … v0.0.45; list")
    top.add_argument("-f", metavar="FILE", dest="conf", help="the slurm.conf to use")
    top.add_argument("--background", action="store_true", help="return once it listens, and go on in the background; with -L")
    top.add_argument("-g", metavar="GROUP", dest="group", default="", help="become this group, without others, once it listens")
    top.add_argument("--generate-openapi-spec", action="store_true", dest="specification", help="print the OpenAPI document and end")
    top.add_argument("-L", metavar="FILE", dest="log_file", default="", help="the log file to use instead of standard error")
    top.add_argument("--pid-file", metavar="FILE", dest="pid_file", default="", help="where its process number stands while it runs")
    top.add_argument("--max-connections", metavar="N", dest="connections",
        help=f"connections at once, others are answered 503; by default {MAX_CONNECTIONS}")
    top.add_argument("-s", metavar="PLUGIN[,…]", dest="openapi",
        help="parts of the API, by default all: slurmctld, slurmdbd, util; web: the page at /; list")
    top.add_argument("-t", metavar="N", dest="threads", help=f"requests that are carried out at once, by default {THREADS}")
    top.add_argument("-u", metavar="USER", dest="user", default="",
        help="become this user once it listens: one with no rights of his own, never root or SlurmUser")
    top.add_argument("--user-rate", metavar="N", dest="rate",
        help="requests a second of one user, twice as many at once, others are answered 429; by default any number")
    top.add_argument("-v", action="count", dest="verbose", default=0, help="log more; twice: still more")
    top.add_argument("-V", "--version", action="version", version=version_line())
    return top


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run slurmrestd; exit status 0 after an orderly end, 1 when it could not start."""
    memory.give_back()
    options = parser().parse_args(argv)
    listed = {"auth": authentication.PLUGINS, "parsers": [f"data_parser/{versions.name(one)}" for one in versions.VERSIONS],
              "openapi": [*(f"openapi/{one}" for one in SECTIONS), PAGES]}
    for name, known in listed.items():
        if getattr(options, name) == "list":
            print("\n".join(known))
            return 0
    try:
        wanted = _wanted(options, environ)
        if options.specification:
            served = [one.name for one in OPERATIONS if one.section in wanted.sections]
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(schema.document(served, wanted.versions)), indent=2).decode() + "\n")
            return 0
        log_file, pid_file = (os.path.abspath(path) if path else "" for path in (options.log_file, options.pid_file))
        if options.background and not (wanted.places and log_file):
            raise ConfigError(message="--background takes a place to listen at, and -L FILE")
        readiness = Readiness("slurmrestd", to_background() if options.background else -1)
    except (SlurmError, OSError) as error:
        return _told(error)
    held = PidFile(pid_file) if pid_file else None
    try:
        logs.start("slurmrestd", logs.Verbosity(wanted.level), log_file)
        if held is not None:
            held.acquire("slurmrestd")
        return _run(wanted, environ, readiness.ready)
    except (SlurmError, OSError) as error:
        readiness.failed(error.lines() if isinstance(error, SlurmError) else [str(error)])
        return _told(error)
    except KeyboardInterrupt:
        return 0
    finally:
        if held is not None:
            held.release()


def _told(error: Exception) -> int:
    for line in error.lines() if isinstance(error, SlurmError) else [str(error)]:
        print(f"slurmrestd: fatal: {line}", file=sys.stderr)
    return 1


def _wanted(options: argparse.Namespace, environ: Mapping[str, str]) -> Wanted:
    def said(option: str | None, variable: str) -> str:
        return option if option is not None else environ.get(variable, "")

    security = frozenset(word.strip() for word in environ.get("SLURMRESTD_SECURITY", "").split(",") if word.strip())
    if unknown := security - set(SECURITY):
        raise ConfigError(message=f"SLURMRESTD_SECURITY: there is no {min(unknown)}", hints=[f"valid: {', '.join(SECURITY)}"])
    try:
        plugins = authentication.usable(said(options.auth, "SLURMRESTD_AUTH_TYPES"))
    except ValueError as error:
        raise ConfigError(message=f"Unable to load authentication: {error}") from error
    parts = said(options.openapi, "SLURMRESTD_OPENAPI_PLUGINS")
    places = options.places or [place.strip() for place in environ.get("SLURMRESTD_LISTEN", "").split(",") if place.strip()]
    return Wanted(
        conf=os.path.abspath(options.conf) if options.conf else "", plugins=plugins,
        sections=_sections(parts), pages=not parts.strip() or PAGES in [name.strip() for name in parts.split(",")],
        versions=_versions(said(options.parsers, "SLURMRESTD_DATA_PARSER_PLUGINS")), places=tuple(map(_place, places)),
        threads=_count(options.threads, "-t", THREADS), connections=_count(said(options.connections, "SLURMRESTD_MAX_CONNECTIONS"),
        "--max-connections", MAX_CONNECTIONS),
        rate=_count(said(options.rate, "SLURMRESTD_USER_RATE"), "--user-rate", 0), user=options.user, group=options.group, security=security, level=logs.level_of(environ.get("SLURMRESTD_DEBUG") or "info",
        options.verbose))


def _place(text: str) -> str:
    """Where to listen; the path of a unix socket from the root on, since the background is elsewhere."""
    return f"unix:{os.path.abspath(text.removeprefix('unix:').replace('//', '/', 1))}" if text.startswith("unix:") else text


def _count(text: str | None, name: str, otherwise: int) -> int:
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):
        raise ConfigError(message=f"{name} {text}: a whole number from 1 on is due")
    return int(text)


def _sections(text: str) -> tuple[str, ...]:
    names = [name.strip().removeprefix("openapi/") for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SECTIONS and name != PAGES:
            raise ConfigError(message=f"Unable to load openapi/{name}", hints=[f"valid: {', '.join([*SECTIONS, PAGES])}"])
    return tuple(SECTIONS[name] for name in names if name != PAGES) if names else tuple(SECTIONS.values())


def _versions(text: str) -> tuple[int, ...]:
    found = []
    for name in (piece.strip().removeprefix("data_parser/") for piece in text.split(",") if piece.strip()):
        bare, plus, flags = name.partition("+")
        version = versions.read(bare)
        if version is None or plus:
            why = (f"the flag {flags} is not supported by slurm-py yet" if plus
                else f"valid: {', '.join(map(versions.name, versions.VERSIONS))}")
            raise ConfigError(message=f"Unable to load data_parser/{name}", hints=[why])
        found.append(version)
    return tuple(found) or versions.VERSIONS


def _run(wanted: Wanted, environ: Mapping[str, str], ready: Callable[[], None]) -> int:
    site = find_site({**environ, "SLURM_CONF": wanted.conf} if wanted.conf else environ)._replace(token="")
    plugins = wanted.plugins
    slurm_user = user.find(read_keys(site.conf).text("SlurmUser") or "root", "SlurmUser")
    secured: serving.Secured | None = None
    if wanted.places:
        if BECOME_USER in wanted.security:
            raise ConfigError(message=f"SLURMRESTD_SECURITY={BECOME_USER} is for inetd mode only",
                hints=["whom it becomes it stays: start one for each connection"])
        sockets = [stream for place in wanted.places if not place.startswith(tls.PREFIX) for stream in serving.listening(place)]
        secured = _secured(wanted, site)
    else:
        sockets = []
    if BECOME_USER in wanted.security:
        plugins = _become_client(wanted)
    elif wanted.user or wanted.group:
        _become(wanted, sockets)
    # With auth/local a user may have a cluster of his own: there SlurmUser is himself.
    if NO_USER_CHECK not in wanted.security and (os.geteuid() == 0 or site.auth.lower() != "auth/local"):
        _require_ordinary(slurm_user)
    setproctitle.setproctitle("slurmrestd")
    application = Application(Settings(site, plugins, wanted.sections, wanted.versions, socket.gethostname(), wanted.pages))
    if wanted.places:
        raise_open_files()  # each listener has a connection
        asyncio.run(serving.serve(application.asgi, sockets, wanted.threads, wanted.connections, lambda: _tell(wanted, site, ready),
            application.sources.close, secured, wanted.rate))
        for place in wanted.places:
            if place.startswith("unix:"):
                _remove(place.removeprefix("unix:"))
    else:
        asyncio.run(serving.serve_standard_streams(application.asgi, serving.standard_input_client()))
    return 0


def _secured(wanted: Wanted, site: Site) -> serving.Secured | None:
    """The sockets that take TLS, with the certificate read while we may; None where there are none."""
    places = [place for place in wanted.places if place.startswith(tls.PREFIX)]
    if not places:
        return None
    identity = tls.identity(site, read_keys(site.conf).options("TLSParameters"))
    context = tls.context(identity)

    def again() -> None:
        try:
            tls.load(context, identity)
            log.info("the certificate was read again")
        except ConfigError as error:
            log.error("the certificate was not read again: %s", "; ".join(error.lines()))

    return serving.Secured([stream for place in places for stream in serving.listening(place)], context, again)


def _tell(wanted: Wanted, site: Site, ready: Callable[[], None]) -> None:
    log.info("%s serves cluster %s at %s", version_line(), site.cluster, ", ".join(wanted.places))
    ready()


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log.info("the socket %s stays: %s", path, error.strerror)


def _become(wanted: Wanted, sockets: Sequence[socket.socket]) -> None:
    """-u and -g: be somebody with fewer rights, to whom the unix sockets belong."""
    account = user.find(wanted.user or str(os.geteuid()), "-u")
    gid = _gid(wanted.group) if wanted.group else account.gid
    if os.geteuid() != 0 and (account.uid != os.geteuid() or gid != os.getegid()):
        raise ConfigError(message="-u and -g take root", hints=["start it as that user instead"])
    if account.uid == os.geteuid() and gid == os.getegid():
        return
    for stream in sockets:
        if stream.family == socket.AF_UNIX and not str(stream.getsockname()).startswith("/proc/"):
            os.chown(stream.getsockname(), account.uid, gid, follow_symlinks=False)  # somebody may have put a link there meanwhile
    user.become(account._replace(gid=gid, groups=()))


def _gid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ConfigError(message=f"-g {name}: there is no such group") from error


def _become_client(wanted: Wanted) -> tuple[str, ...]:
    """SLURMRESTD_SECURITY=become_user: be whoever is at the other end of the unix socket on standard input, for good.

    Tokens are not taken then.
    """
    if os.geteuid() != 0:
        raise ConfigError(message=f"SLURMRESTD_SECURITY={BECOME_USER} takes root")
    if authentication.LOCAL not in wanted.plugins:
        raise ConfigError(message=f"SLURMRESTD_SECURITY={BECOME_USER} goes with rest_auth/local only",
            hints=["start it with -a rest_auth/local"])
    if serving.standard_input_client() is not None:
        raise ConfigError(message=f"SLURMRESTD_SECURITY={BECOME_USER}: standard input is no unix socket, so nobody says who asks")
    with socket.socket(fileno=os.dup(0)) as stream:
        client = serving.client_of(stream)
    if client.uid < 0:
        raise ConfigError(message=f"SLURMRESTD_SECURITY={BECOME_USER}: standard input is no unix socket, so nobody says who asks")
    user.become(user.find(str(client.uid), BECOME_USER))
    return (authentication.LOCAL,)


def _require_ordinary(slurm_user: user.Account) -> None:
    """Root and SlurmUser may do anything, and so might whoever finds a hole in this program: it does not run as them."""
    advice = ["-u USER and -g GROUP make it somebody with no rights of his own",
        f"SLURMRESTD_SECURITY={NO_USER_CHECK} lets it run so, at your own risk"]
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        raise ConfigError(message="slurmrestd should not be run as the root user.", hints=advice)
    if gid == 0:
        raise ConfigError(message="slurmrestd should not be run with the root group.", hints=advice)
    if uid == slurm_user.uid:
        raise ConfigError(message="slurmrestd should not be run as SlurmUser.", hints=advice)
    if gid == slurm_user.gid:
        raise ConfigError(message="slurmrestd should not be run with SlurmUser's group.", hints=advice)


if __name__ == "__main__":
    sys.exit(main())
