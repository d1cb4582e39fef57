"""`slurm cert rotate begin|switch|finish`: another slurm.key, while jobs run and daemons talk.

Three steps, after each of which the files are brought to the other machines: first all trust the new key, then all use it, then none trusts
the old one. Daemons take up changed files by themselves.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from slurm.commands.cert.keys import Keys, write
from slurm.commands.embedded.console import Console
from slurm.model.errors import ConfigError, NotNow
from slurm.net.certificates import NEXT, OLD
from slurm.net.identity import make_key


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cert rotate`."""
    parser.add_argument("step", choices=["begin", "switch", "finish"], metavar="begin|switch|finish", help=(
        "begin: make slurm.key.next, which is trusted; switch: it becomes slurm.key, and that slurm.key.old; finish: slurm.key.old is "
        "trusted no longer"))
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Do one step."""
    keys = Keys(environ)
    told = {"begin": _begin, "switch": _switch, "finish": _finish}[options.step](keys)
    if options.json:
        console.answer({"step": options.step, "key": keys.authority().key_id,
            "trusted": [authority.key_id for authority in keys.trusted()]})
    for line in told:
        console.line(line)
    return 0


def _begin(keys: Keys) -> list[str]:
    if os.path.exists(keys.path + NEXT):
        raise NotNow(message=f"{keys.path}{NEXT} is there already", hints=["`slurm cert rotate switch` is the next step"])
    make_key(keys.path + NEXT)
    _give_to_owner(keys, NEXT)
    return [f"{keys.path}{NEXT} is trusted from now on (key id {keys.authority(NEXT).key_id}).",
            "Now copy it (mode 0600) beside slurm.key on every machine that has the key, and `slurm cert show --authorities` as "
            "ca_cert.pem to every",
            "machine that has a certificate. When it is everywhere: slurm cert rotate switch"]


def _switch(keys: Keys) -> list[str]:
    if not os.path.exists(keys.path + NEXT):
        raise NotNow(message=f"there is no {keys.path}{NEXT}", hints=["`slurm cert rotate begin` is the first step"])
    if os.path.exists(keys.path + OLD):
        raise NotNow(message=f"{keys.path}{OLD} is still there", hints=["`slurm cert rotate finish` ends the rotation before this one"])
    with open(keys.path, "rb") as file:
        write(keys.path + OLD, file.read(), 0o600, keys.path)
    try:
        os.replace(keys.path + NEXT, keys.path)
    except OSError as error:
        raise ConfigError(message=f"cannot replace {keys.path}: {error.strerror}") from error
    return [f"Certificates are issued under the new key from now on (key id {keys.authority().key_id}); the old one is trusted still.",
            f"Now copy {keys.path} and {keys.path}{OLD} to every machine that has the key (and remove slurm.key.next there), and give "
            "machines with certificates",
            "new ones (slurm cert make). When that is done: slurm cert rotate finish"]


def _finish(keys: Keys) -> list[str]:
    if not os.path.exists(keys.path + OLD):
        raise NotNow(message=f"there is no {keys.path}{OLD}", hints=["`slurm cert rotate switch` makes it"])
    try:
        os.unlink(keys.path + OLD)
    except OSError as error:
        raise ConfigError(message=f"cannot remove {keys.path}{OLD}: {error.strerror}") from error
    return ["The old key is trusted here no longer: connections under it end within seconds.",
            f"Remove {keys.path}{OLD} on the other machines too, and bring `slurm cert show --authorities` as ca_cert.pem to those with "
            "certificates."]


def _give_to_owner(keys: Keys, suffix: str) -> None:
    facts = os.stat(keys.path)
    if os.geteuid() == 0:
        os.chown(keys.path + suffix, facts.st_uid, facts.st_gid)
