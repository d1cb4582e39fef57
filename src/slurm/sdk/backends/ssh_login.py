"""Login: who logs in where, and whether the host that answers is the right one. Opens connections; keeps none but
that of a port which leads to one that only the cluster's machines reach.

~/.ssh/config is read as ssh reads it. The host's key has to stand in known_hosts; what happens when it does not, `host_key_policy` says.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Any

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from slurm.sdk.errors import BackendError, BackendTimeout, InvalidOption, LoginRefused

POLICIES = ("reject", "warn", "auto")
TRUSTING = ("accept-new", "false", "no", "off")
"""Values of StrictHostKeyChecking, as `ssh -G` prints them or did, with which unknown hosts are added unasked."""
KNOWN_HOSTS = "~/.ssh/known_hosts"
SITE_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
KEY_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk", "id_ed448", "id_dsa")
ALL_KINDS = "+" + ",".join(algorithm.decode() for algorithm in get_default_public_key_algs())
"""Behind the kinds of host keys that known_hosts lists: else a host that has none of those hangs up, and nobody learns why."""
CUT = (asyncssh.ConnectionLost, ConnectionError)


class Login:
    """How to reach a login node. The password and the passphrase are never shown.

    Args:
        hostname: The login node; a name that ~/.ssh/config knows will do.
        port: 22, or what ~/.ssh/config says.
        username: You, or what ~/.ssh/config says.
        password: Where keys are not accepted.
        key_filename: A private key, or several.
        passphrase: Of the keys.
        known_hosts: The file that lists known hosts, beside that of the machine; otherwise those that ~/.ssh/config names, or
        ~/.ssh/known_hosts. host_key_policy: For hosts that known_hosts does not list: `reject` refuses, `warn` accepts with a warning for
        this process, `auto` adds them. Unless
            given, StrictHostKeyChecking of ~/.ssh/config decides, as for ssh: `accept-new` and `no` mean `auto`, all else, and nothing,
            `reject`. A host whose key is another than the one listed is always refused.
        allow_agent: Whether the keys of the agent count.
        look_for_keys: Whether those in ~/.ssh count. Without these and `key_filename` only the password does.
        timeout: Seconds that connecting may take.
        auth_timeout: Seconds that logging in may take.
        connection_attempts: How often a host that cannot be reached is tried.
        retry_delay: Seconds between the attempts.
    """

    def __init__(self, hostname: str, *, port: int | None = None, username: str | None = None, password: str | None = None,
                 key_filename: str | os.PathLike[str] | Sequence[str] | None = None, passphrase: str | None = None,
                 known_hosts: str | os.PathLike[str] | None = None, host_key_policy: str | None = None, allow_agent: bool = True,
                 look_for_keys: bool = True, timeout: float = 10.0, auth_timeout: float = 30.0, connection_attempts: int = 3,
                 retry_delay: float = 1.0) -> None:
        if not hostname:
            raise InvalidOption("Cluster: backend_type=\"ssh\" needs hostname=\"…\", the login node")
        if host_key_policy not in (None, *POLICIES):
            raise InvalidOption(f"Cluster: host_key_policy={host_key_policy!r} is unknown; valid: {', '.join(POLICIES)}")
        if connection_attempts < 1:
            raise InvalidOption(f"Cluster: connection_attempts={connection_attempts}: at least one has to be made")
        self.hostname, self.port, self.username = hostname, port, username
        self.timeout, self.auth_timeout = timeout, auth_timeout
        self.attempts, self.retry_delay = connection_attempts, retry_delay
        self._policy = host_key_policy
        self._given = os.path.expanduser(os.fspath(known_hosts)) if known_hosts else ""
        self.known_hosts = self._given or os.path.expanduser(KNOWN_HOSTS)
        self._password, self._passphrase = password, passphrase
        keys = [key_filename] if isinstance(key_filename, str | os.PathLike) else list(key_filename or ())
        self._keys = [os.path.expanduser(os.fspath(key)) for key in keys]
        self._allow_agent, self._look_for_keys = allow_agent, look_for_keys
        self._accepted: list[asyncssh.SSHKey] = []

    def __str__(self) -> str:
        return (f"{self.username}@" if self.username else "") + self.hostname + (f":{self.port}" if self.port not in (None, 22) else "")

    def __repr__(self) -> str:
        return f"Login({str(self)!r})"

    def policy(self) -> str:
        """What is done about a host that known_hosts does not list; LoginRefused when ssh finds a mistake in ~/.ssh/config."""
        config = os.path.expanduser("~/.ssh/config")
        if self._policy is not None or not os.path.exists(config) or shutil.which("ssh") is None:
            return self._policy or "reject"
        # asyncssh knows nothing of this keyword, and which of the blocks are meant ssh says best
        port, user = (["-p", str(self.port)] if self.port else []), (["-l", self.username] if self.username else [])
        try:
            done = subprocess.run(["ssh", "-G", "-T", "-F", config, *port, *user, "--", self.hostname], stdin=subprocess.DEVNULL,
                capture_output=True, text=True,
                                  timeout=self.timeout, check=False)
        except subprocess.TimeoutExpired:
            raise LoginRefused(f"{self}: `ssh -G -F {config} {self.hostname}` does not say within {self.timeout:.0f} s what "
                               "StrictHostKeyChecking is") from None
        if done.returncode:
            raise LoginRefused(f"{self}: ssh says of {config}: {done.stderr.strip()}")
        found = re.search(r"^stricthostkeychecking (\S+)$", done.stdout, re.MULTILINE)
        return "auto" if found and found[1] in TRUSTING else "reject"

    async def open(self, keepalive: float, keepalives: int) -> asyncssh.SSHClientConnection:
        """A connection. LoginRefused when host or user are not accepted, another BackendError when the host cannot be reached now."""
        doorman = Doorman(self, [], self._accepted)
        kinds = ""
        try:
            doorman.files, kinds = self._files(), self._configured("HostKeyAlgorithms")
            async with self._keys_of_agent() as keys:
                return await asyncssh.connect(
                    self.hostname, client_factory=lambda: doorman, known_hosts=doorman.files or ([], [], []), connect_timeout=self.timeout,
                    login_timeout=self.auth_timeout, keepalive_interval=keepalive, keepalive_count_max=keepalives,
                    **({} if kinds else {"server_host_key_algs": ALL_KINDS}), **self._credentials(keys))
        except asyncssh.HostKeyNotVerifiable as error:
            raise LoginRefused(doorman.refusal or f"{self}: {error}") from error
        except asyncssh.PermissionDenied as error:
            raise LoginRefused(self._denied(error)) from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, asyncssh.ConfigParseError) as error:
            hint = " (pip install bcrypt)" if "bcrypt" in str(error) else " (passphrase=… opens a key)" if "assphrase" in str(error) else ""
            raise LoginRefused(f"{self}: {error}{hint}") from error
        except asyncssh.KeyExchangeFailed as error:
            raise LoginRefused(f"{self}: {error}") from error
        except TimeoutError as error:
            raise BackendTimeout(f"{self} did not answer within {self.timeout:.0f} s") from error
        except (OSError, asyncssh.Error) as error:
            file = str(getattr(error, "filename", None) or "")
            if file in self._keys and isinstance(error, FileNotFoundError):
                raise LoginRefused(f"{self}: there is no key {file}") from error
            if file in (*self._keys, *doorman.files) and isinstance(error, OSError):
                raise LoginRefused(f"{self}: {file} cannot be read: {error.strerror}") from error
            if kinds and isinstance(error, CUT) and (kind := await self._kind_shown()) and not _taken(kind, kinds):
                raise LoginRefused(f"{self} shows a key of the kind {kind}, and HostKeyAlgorithms {kinds} of ~/.ssh/config leaves that out") from error
            raise BackendError(f"{self} cannot be reached: {error}") from error

    def _configured(self, keyword: str) -> Any:
        """What ~/.ssh/config says of this host; "" when it says nothing."""
        return asyncssh.SSHClientConnectionOptions(host=self.hostname, client_keys=None, config=()).config.get(keyword) or ""

    async def _kind_shown(self) -> str:
        """The kind of key that the host shows to who takes any; "" when that cannot be seen now."""
        port: dict[str, Any] = {"port": self.port} if self.port else {}
        try:
            async with asyncio.timeout(self.timeout):
                key = await asyncssh.get_server_host_key(self.hostname, server_host_key_algs="default", **port)
        except (OSError, asyncssh.Error):
            return ""
        return key.get_algorithm() if key is not None else ""

    def _files(self) -> list[str]:
        """Those that list known hosts, as far as they are there; `known_hosts` becomes the first of those that ~/.ssh/config names."""
        named: list[str] = []
        if not self._given:
            configured = asyncssh.SSHClientConnectionOptions(host=self.hostname, client_keys=None, config=()).known_hosts
            named = [os.path.expanduser(str(file)) for file in configured] if isinstance(configured, list) else []
            self.known_hosts = named[0] if named else self.known_hosts
        return [path for path in dict.fromkeys((self.known_hosts, *named, SITE_KNOWN_HOSTS)) if os.path.exists(path)]

    @asynccontextmanager
    async def _keys_of_agent(self) -> AsyncIterator[list[asyncssh.SSHKeyPair]]:
        """The agent's keys where no others count; beside others asyncssh asks the agent itself."""
        named = self._named_keys()
        others = self._keys or named or (self._look_for_keys and named is None)
        if others or not self._agent() or (self._look_for_keys and self._configured("IdentitiesOnly")):
            yield []
            return
        async with await asyncssh.connect_agent(self._agent()) as agent:
            yield list(await agent.get_keys())

    def _agent(self) -> str:
        """Where an agent that counts listens, "" when none does."""
        return os.environ.get("SSH_AUTH_SOCK", "") if self._allow_agent else ""

    def _credentials(self, agents: list[asyncssh.SSHKeyPair]) -> dict[str, Any]:
        """Only what was given: the rest stays as ~/.ssh/config and ssh's defaults have it."""
        found: dict[str, Any] = {"port": self.port, "username": self.username, "password": self._password, "passphrase": self._passphrase}
        found = {name: value for name, value in found.items() if value is not None}
        if self._keys:
            found["client_keys"] = self._keys
            if self._passphrase is None and self._agent():
                found["ignore_encrypted"] = True  # the agent may have opened it
        elif named := self._named_keys():
            found |= {"client_keys": named, "ignore_encrypted": True}
        elif not self._look_for_keys or named is not None:
            found["client_keys"] = agents or None
        if not self._allow_agent:
            found["agent_path"] = None
        return found

    def _named_keys(self) -> list[str] | None:
        """The keys that ~/.ssh/config names, as far as they are there: ssh passes over the others.

        None where it names none, or they do not count.
        """
        named = self._configured("IdentityFile") if self._look_for_keys and not self._keys else []
        return [path for path in map(os.path.expanduser, named) if os.path.exists(path)] if named else None

    def _key_files(self) -> list[str]:
        """The files that keys are looked for in."""
        if self._keys or not self._look_for_keys:
            return self._keys
        named = self._named_keys()
        return [os.path.expanduser(f"~/.ssh/{name}") for name in KEY_NAMES] if named is None else named

    def _denied(self, error: asyncssh.PermissionDenied) -> str:
        tried = [f"the keys {', '.join(self._keys)}" if self._keys else "the keys in ~/.ssh" if self._look_for_keys else "",
                 "the agent's" if self._agent() else "", "the password" if self._password else ""]
        locked = [path for path in self._key_files() if self._passphrase is None and _locked(path)]
        shut = (f"Locked, and so not tried{' unless the agent has them' if self._agent() else ''}: {', '.join(locked)}; "
                f"`ssh-add {locked[0]}` or passphrase=… opens. " if locked else "")
        return (f"{self} does not let you in: {error.reason}. Tried: {', '.join(filter(None, tried)) or 'nothing'}. {shut}"
                "What it takes: username=…, key_filename=…, passphrase=…, password=…, or a key in the agent (ssh-add)")


class Doorman(asyncssh.SSHClient):
    """Decides about a host key that known_hosts does not vouch for; `refusal` says why one was refused and what to do."""

    def __init__(self, login: Login, files: list[str], accepted: list[asyncssh.SSHKey]) -> None:
        self.files = files
        self.refusal = ""
        self._login = login
        self._accepted = accepted

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether to go on."""
        if key in self._accepted:
            return True
        listed = asyncssh.match_known_hosts(self.files, host, addr, port)[0] if self.files else []
        where = host if port == 22 else f"[{host}]:{port}"
        shown = f"{key.get_algorithm()} {key.get_fingerprint()}"
        # asyncssh forgets what is revoked for one port of a host when nothing else is listed for that
        if self.files and key in asyncssh.match_known_hosts(self.files, where, "", None)[2]:
            self.refusal = (f"the key of {where} is REVOKED in known_hosts: it shows {shown}. Whoever has that key may be anybody: ask "
                            "the host's administrators")
            return False
        known = ", ".join(dict.fromkeys(f"{one.get_algorithm()} {one.get_fingerprint()}" for one in (*listed, *self._accepted)))
        scan = f"ssh-keyscan {f'-p {port} ' if port != 22 else ''}{host} >> {self._login.known_hosts}"
        if listed and key.algorithm not in {one.algorithm for one in (*listed, *self._accepted)}:
            self.refusal = (
                f"{where} shows a key of another kind than known_hosts lists for it: it shows {shown}, but known is {known}. "
                f"If its administrators confirm the new key: {scan}, or connect with ssh once")
            return False
        if listed or self._accepted:
            self.refusal = (
                f"the key of {where} HAS CHANGED: it shows {shown}, but known is {known}. "
                f"Either the host was set up anew, or somebody is in between. If its administrators confirm the new key: "
                f"ssh-keygen -R '{where}' -f {self._login.known_hosts}, then connect with ssh once")
            return False
        policy = self._login.policy()
        if policy == "reject":
            self.refusal = (
                f"the host {where} is unknown: {self._login.known_hosts} has no key of it. It shows {shown}. If that is right: "
                f"{scan}, or connect with ssh once, "
                "or Cluster(…, host_key_policy=\"auto\")")
            return False
        self._accepted.append(key)
        if policy == "auto":
            _remember(self._login.known_hosts, f"{where} {key.export_public_key().decode().strip()}\n")
        else:
            print(f"slurm: the host {where} is unknown and is trusted unseen: it shows {shown}", file=sys.stderr)
        return True


def _locked(path: str) -> bool:
    """Whether a private key opens by a passphrase only."""
    try:
        asyncssh.read_private_key(path)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        return "assphrase" in str(error)
    except OSError:
        return False
    return False


def _remember(path: str, line: str) -> None:
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
        file.write(line)


def _taken(kind: str, configured: str) -> bool:
    """Whether HostKeyAlgorithms leaves room for keys of this kind, those of RSA being used under several names."""
    if configured[0] in "+^":
        return True
    names = ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512") if kind == "ssh-rsa" else (kind,)
    patterns = configured.lstrip("-").split(",")
    left = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns) != configured.startswith("-")]
    return bool(left)


KEEPALIVE_SECONDS, KEEPALIVES = 15, 3


def forward(login: Login, here: int, host: str, port: int, opened: Callable[[int], object]) -> None:
    """Lead connections to 127.0.0.1:`here` to host:port beyond the login node, until the connection is cut; `opened` is told the port (0:
    any)."""
    asyncio.run(_forward(login, here, host, port, opened))


async def _forward(login: Login, here: int, host: str, port: int, opened: Callable[[int], object]) -> None:
    async with await login.open(keepalive=KEEPALIVE_SECONDS, keepalives=KEEPALIVES) as connection:
        try:
            listener = await connection.forward_local_port("127.0.0.1", here, host, port)
        except OSError as error:
            raise BackendError(f"port {here} of this machine cannot be had: {error.strerror or error}") from error
        opened(listener.get_port())
        await connection.wait_closed()
    raise BackendError(f"{login}: the connection was cut")
