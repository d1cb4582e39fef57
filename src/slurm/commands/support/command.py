"""`slurm support`: writes the bundle. It is a file of yours alone, and nothing is sent anywhere."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tarfile
import time
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.support.collecting import parts
from slurm.commands.support.scrubbing import Scrubber, known
from slurm.config.keys import read_keys
from slurm.model.errors import ConfigError
from slurm.net.discovery import find_site, instance
from slurm.slurmctld import credential_key

SECRET_FILES = ("slurm.key", "slurm.key.next", "slurm.key.old", "jwt_hs256.key", "slurmd_cert_key.pem", "ctld_cert_key.pem",
    "dbd_cert_key.pem",
                "sackd_cert_key.pem", "restd_cert_key.pem")
STATE_SECRETS = (credential_key.NAME, credential_key.AUTHORITY, "jwt_hs256.key")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm support`."""
    parser.add_argument("-o", "--output", default="", metavar="FILE",
        help="where it goes (default: slurm-support-CLUSTER-TIME.tar.gz here)")
    parser.add_argument("-f", "--conf", default="", metavar="FILE", help="the slurm.conf of the cluster")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Write it."""
    conf = options.conf or (instance(environ, options.name).conf if options.name else find_site(environ).conf)
    environ = {**environ, "SLURM_CONF": conf}
    site = find_site(environ)
    scrubber = Scrubber(known(_secret_files(conf, site.key), environ))
    path = options.output or f"slurm-support-{site.cluster}-{time.strftime('%Y%m%dT%H%M%S')}.tar.gz"
    names: list[str] = []
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(message=f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, text in parts(conf, environ):
            content = scrubber.text(text).encode()
            entry = tarfile.TarInfo(f"slurm-support/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
            bundle.addfile(entry, io.BytesIO(content))
            names.append(name)
    if options.json:
        console.answer({"file": os.path.abspath(path), "parts": names})
        return 0
    console.line(f"{path}: {', '.join(names)}")
    console.line("Passwords, keys and tokens were taken out; of jobs only their numbers are there. Look into it before you send it: it "
                 "has the names of "
                 "your machines, and what your logs say of users and jobs.")
    return 0


def _secret_files(conf: str, key: str) -> list[str]:
    folder = os.path.dirname(os.path.abspath(conf))
    states = [os.path.join(folder, "state")]
    with contextlib.suppress(ConfigError):  # what is wrong there is told by the bundle
        states.append(read_keys(conf).state_save_location)
    return [key, *(os.path.join(folder, name) for name in SECRET_FILES),
            *(os.path.join(state, name) for state in states for name in STATE_SECRETS)]
