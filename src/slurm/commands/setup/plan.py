"""The plan: which files, folders and units each machine of the cluster gets. Secrets are made by `secrets_of`, once, where slurm.key is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from slurm.commands.setup import texts
from slurm.commands.setup.part import File, Folder, Part
from slurm.commands.setup.texts import Machine
from slurm.commands.setup.units import unit
from slurm.commands.setup.wishes import Wishes
from slurm.net.authority import Authority
from slurm.net.certificates import PREFIXES

KEY_BYTES, TOKEN_KEY_BYTES = 1024, 32
SYSTEMD = "/etc/systemd/system"


class Roles:
    """Which daemons belong on a machine."""

    def __init__(self, wishes: Wishes, name: str) -> None:
        self.head = name == wishes.head
        self.node = name in wishes.nodes
        self.login = name in wishes.login and not self.head and not self.node
        self.database = self.head and wishes.database.kind != "none"

    @property
    def daemons(self) -> list[str]:
        """In the order in which they are started."""
        return [name for name, here in (("slurmdbd", self.database), ("slurmctld", self.head), ("slurmd", self.node), ("sackd", self.login))
            if here]


def names(wishes: Wishes) -> list[str]:
    """Every machine, the controller's first."""
    return list(dict.fromkeys((wishes.head, *wishes.nodes, *wishes.login)))


def part_of(wishes: Wishes, name: str, machines: Mapping[str, Machine], folder: str, root: str = "") -> Part:
    """What belongs on a machine; `folder` is where the daemons' programs are there. Secrets are empty still."""
    roles, places, user = Roles(wishes, name), wishes.places, wishes.user
    root_user = user if places.prefix else "root"
    folders = [Folder(places.etc, 0o755, root_user), Folder(places.log, 0o755, user)]
    if places.prefix:
        folders.append(Folder(places.run, 0o755, user))
    files = [File(f"{places.etc}/slurm.conf", texts.slurm_conf(wishes, machines).encode(), owner=root_user)]
    for kind, text in (("gres.conf", texts.gres_conf(wishes, machines)), ("cgroup.conf", texts.cgroup_conf(wishes, machines))):
        if text:
            files.append(File(f"{places.etc}/{kind}", text.encode(), owner=root_user))
    if roles.head:
        folders.append(Folder(places.state, 0o700, user))
        files += [File(f"{places.etc}/slurm.key", mode=0o600, owner=user, once=True, secret=True),
                  File(f"{places.etc}/jwt_hs256.key", mode=0o600, owner=user, once=True, secret=True)]
    else:
        role = "slurmd" if roles.node else "sackd"
        files += [File(f"{places.etc}/{PREFIXES[role]}_cert.pem", mode=0o644, owner=root_user, once=True),
                  File(f"{places.etc}/{PREFIXES[role]}_cert_key.pem", mode=0o600, owner=root_user, once=True, secret=True),
                  File(f"{places.etc}/ca_cert.pem", mode=0o644, owner=root_user, once=True)]
    if roles.database:
        folders.append(Folder(places.data, 0o750, user))
        files.append(File(f"{places.etc}/slurmdbd.conf", texts.slurmdbd_conf(wishes).encode(), 0o600, user,
            secret=bool(wishes.database.password)))
    if roles.node:
        folders.append(Folder(places.spool, 0o755, root_user))
    systemd = SYSTEMD if not places.prefix else f"{places.prefix}{SYSTEMD}"
    if places.prefix:
        folders.append(Folder(systemd, 0o755, root_user))
    files += [File(f"{systemd}/{daemon}.service", unit(daemon, f"{folder}/{daemon}", places).encode(), owner=root_user)
        for daemon in roles.daemons]
    return Part(root, user, machines[wishes.head].uid, folders, files, roles.daemons)


class Secrets:
    """The cluster's secrets: the key that is there already, or a new one; certificates under it. `made` tells which files are new."""

    def __init__(self, wishes: Wishes, root: str) -> None:
        path = f"{root}{wishes.places.etc}/slurm.key"
        if os.path.exists(path):
            with open(path, "rb") as file:
                self.key = file.read()
        else:
            self.key = secrets.token_bytes(KEY_BYTES)
        self._authority = Authority(self.key, wishes.cluster)

    def fill(self, part: Part, wishes: Wishes, name: str, absent: set[str]) -> None:
        """Put into the part what is secret and not there yet."""
        role = "slurmd" if name in wishes.nodes else "sackd"
        pair = self._authority.issue(role, name)
        prefix = PREFIXES[role]
        contents = {"slurm.key": self.key, "jwt_hs256.key": secrets.token_bytes(TOKEN_KEY_BYTES), f"{prefix}_cert.pem": pair.certificate,
                    f"{prefix}_cert_key.pem": pair.key, "ca_cert.pem": self._authority.certificate}
        mine = {f"{prefix}_cert.pem", f"{prefix}_cert_key.pem"}
        for file in part.files:
            base = os.path.basename(file.path)
            if base in contents and not file.content and file.once:
                file.content = contents[base]
                if base in mine and absent & {f"{os.path.dirname(file.path)}/{one}" for one in mine}:
                    file.once = False  # a certificate is of use with its own key only: both are new or none
