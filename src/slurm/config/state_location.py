"""Where state in PostgreSQL is: StateSaveLocation=postgresql://USER@HOST,HOST/DATABASE?parameters, read without asking a database.

Parameters of ours: `folder`, the folder of files beside the state (default /var/spool/slurmctld), and `may_lose_work=yes`, by which a site
says that it accepts what asynchronous replicas and servers without fsync lose. All others are libpq's.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from slurm.model.errors import ConfigError

SCHEMES = ("postgresql://", "postgres://")
FOLDER = "/var/spool/slurmctld"
WAITS = {
    "connect_timeout": "5", "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3", "tcp_user_timeout": "10000",
    "target_session_attrs": "read-write"}
"""What libpq is told where the address says nothing: no wait without an end, and only a server that can be written."""


class Location(NamedTuple):
    """An address taken apart: `parameters` are libpq's."""

    parameters: dict[str, str]
    folder: str = FOLDER
    may_lose_work: bool = False

    @property
    def hosts(self) -> list[str]:
        """The servers that are named."""
        return [host for host in self.parameters.get("host", "").split(",") if host]

    def __str__(self) -> str:
        database = self.parameters.get("dbname", "")
        return f"PostgreSQL database {database or '(of its user)'} at {self.parameters.get('host') or 'this machine'}"


def is_one(text: str) -> bool:
    """Whether a StateSaveLocation is an address of PostgreSQL."""
    return text.startswith(SCHEMES)


def parse(text: str) -> Location:
    """ConfigError for an address that cannot be, or that holds a password."""
    before, at, _ = text.partition("://")[2].partition("@")
    if at and ":" in before:  # before anything of it is said: with a / or # in it, a password would be taken for a port
        raise _secret()
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _wrong(str(error)) from error
    given = dict(pairs)
    if any(word in key.lower() for key in given for word in ("password", "secret")):  # sslpassword, oauth_client_secret
        raise _secret()
    if len(given) < len(pairs):
        raise _wrong("a parameter is there twice")
    if parts.fragment:
        raise _wrong("what stands behind # belongs to no address")
    user, at, where = parts.netloc.rpartition("@")
    hosts, ports = _hosts(where)
    found = {"user": unquote(user) if at else "", "host": hosts, "port": ports, "dbname": unquote(parts.path.removeprefix("/"))}
    folder, may_lose = given.pop("folder", FOLDER), given.pop("may_lose_work", "no")
    if may_lose not in ("yes", "no"):
        raise _wrong(f"may_lose_work={may_lose} is neither yes nor no")
    if not folder.startswith("/"):
        raise _wrong(f"folder={folder} is no absolute path")
    return Location(WAITS | {key: value for key, value in found.items() if value} | given, folder, may_lose == "yes")


def _hosts(where: str) -> tuple[str, str]:
    hosts, ports = [], []
    for one in where.split(",") if where else ():
        if one.startswith("["):
            host, _, rest = one[1:].partition("]")
            port = rest.removeprefix(":")
        else:
            host, _, port = one.partition(":")
        if port and not port.isdecimal():
            raise _wrong(f"port {port} is no number")
        hosts.append(unquote(host))
        ports.append(port)
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _secret() -> ConfigError:
    return ConfigError(message="StateSaveLocation holds a password, and everybody may read slurm.conf", hints=[
        "put it into the file ~/.pgpass of SlurmUser (mode 0600), or name another one by passfile=/path"])


def _wrong(why: str) -> ConfigError:
    return ConfigError(message=f"StateSaveLocation cannot be read: {why}", hints=[
        "for example StateSaveLocation=postgresql://slurm@db1,db2,db3/slurm?folder=/var/spool/slurmctld"])
