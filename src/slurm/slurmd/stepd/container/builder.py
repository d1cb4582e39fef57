"""`python -m slurm.slurmd.stepd.container.builder`: makes the container of one step on one node, as the step's owner, and ends.

Descriptor 3 is a file with what is asked for (JSON), 4 the socket to slurmstepd: packets with sentences for the user, then one with the
namespaces and a file of what the tasks must know. They live on by their descriptors.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from slurm.model.errors import NotationError
from slurm.notation.container import Image, Mount
from slurm.slurmd.stepd import kernel, passing
from slurm.slurmd.stepd.container import asked, images, mounting, root
from slurm.slurmd.stepd.container import bundle as bundles
from slurm.slurmd.stepd.container.asked import Asked
from slurm.slurmd.stepd.container.images import Found
from slurm.slurmd.stepd.container.inside import ENTRY_POINT, FACTS, READY, REPORT
from slurm.slurmd.stepd.container.root import CannotBuild, Plan

_ENTERED = re.compile(r"""^\s*(?:mkdir .*&&\s*)?cd\s+"?([^"\s;&]+)"?""", re.MULTILINE)
_LOOK_SECONDS = 0.05
_VARIABLE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


def main() -> int:
    """Do it; what cannot be is told."""
    report = socket.socket(fileno=REPORT)
    with open(FACTS, encoding="utf-8") as file:
        facts: dict[str, Any] = json.load(file)
    try:
        wanted = asked.read(facts["options"])
        if wanted.image is not None and wanted.image.scheme != "file":
            # Speaks HTTP; loaded now, since the owner may not be able to read where Python is.
            import_module("slurm.slurmd.stepd.container.oci_images")
        become(facts)
        _make(wanted, facts, report)
    except Exception as error:  # noqa: BLE001 - it is told; there is nobody else to raise to
        _refuse(report, error)
        return 1
    return 0


def _refuse(report: socket.socket, error: Exception) -> None:
    plain = isinstance(error, OSError | NotationError)
    _say(report, {"refused": (getattr(error, "strerror", None) or str(error)) if plain else f"the container cannot be made: {error!r}"})


def _say(report: socket.socket, what: dict[str, str]) -> None:
    passing.send(report, json.dumps(what).encode()[:passing.LONGEST])


def become(facts: dict[str, Any]) -> None:
    """The step's owner, for good. OSError."""
    if os.geteuid() == 0 and facts["uid"]:
        os.setgroups(os.getgrouplist(facts["user"], facts["gid"]) if facts["groups"] is None else facts["groups"])
        os.setgid(facts["gid"])
        os.setuid(facts["uid"])
        kernel.be_seen_by_owner()
    os.umask(0o022)


def _make(wanted: Asked, facts: dict[str, Any], report: socket.socket) -> None:
    bundle = bundles.read(wanted.bundle) if wanted.bundle else None
    if bundle is not None:
        wanted = wanted._replace(image=Image("file", bundle.root), writable=bundle.writable, root=bundle.as_root,
            work_dir=wanted.work_dir or bundle.work_dir, mounts=[*bundle.mounts, *wanted.mounts])
        if bundle.left_out:
            _say(report, {"notice": f"warning: --container: not taken from config.json: {', '.join(bundle.left_out)}"})
    found = _image(wanted, str(facts["cache"]), lambda sentence: _say(report, {"notice": sentence}), facts["fetching"])
    mounts = [*wanted.mounts, *(Mount(path, path, read_only) for path, read_only in facts["shown"])]
    uid, gid, user = os.getuid(), os.getgid(), str(facts["user"])
    home, shell = _account(uid, str(facts["home"]))
    if wanted.home:
        mounts.insert(0, Mount(home, home))
    if bundle is not None:
        found = found._replace(facts={**found.facts, "environment": bundle.environment})
    plan = Plan(found.root, bool(wanted.name), wanted.writable, mounts, home, uid, gid, f"{user}:x:{uid}:{gid}::{home or '/'}:{shell}",
        f"{user}:x:{gid}:", wanted.root, apart=uid == 0)
    root.leave(uid, gid, apart=plan.apart)
    if not plan.apart:
        _finish(plan, wanted, found, report)
    elif os.fork() == 0:
        _be_first(plan, wanted, found, report)


def _image(wanted: Asked, cache: str, tell: images.Tell, environ: Mapping[str, str]) -> Found:
    if wanted.name_flag == "exec":
        raise CannotBuild("--container-name=NAME:exec is not supported: each step has namespaces of its own")
    image = wanted.image
    if wanted.name:
        return images.kept(cache, wanted.name, wanted.name_flag, (lambda: find(image, cache, tell, environ)) if image is not None else None)
    if image is not None:
        return find(image, cache, tell, environ)
    raise CannotBuild("neither an image nor the name of a container was given")


def find(image: Image, cache: str, tell: images.Tell, environ: Mapping[str, str]) -> Found:
    """An image, from wherever it is; `environ`: how one gets to registries, and as whom. CannotBuild."""
    if image.scheme == "file":
        return images.of_file(image, cache, tell)
    from slurm.slurmd.stepd.container import oci_images  # loads what speaks HTTP, which files do without

    os.environ.update(environ)
    return oci_images.find(image, cache, tell, environ)


def _be_first(plan: Plan, wanted: Asked, found: Found, report: socket.socket) -> None:
    """The first process of a namespace of them: it stays until it is killed with what is left of the step, or, once the step is asked to
    end, until no other is there."""
    try:
        _finish(plan, wanted, found, report)
    except Exception as error:  # noqa: BLE001 - as above
        _refuse(report, error)
        os._exit(1)
    report.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever is left to it is reaped by the kernel
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    signal.sigwait((signal.SIGTERM,))
    while _has_company():
        time.sleep(_LOOK_SECONDS)
    os._exit(0)


def _has_company() -> bool:
    try:
        os.kill(-1, 0)  # to the first process of a namespace: everybody else in it
    except ProcessLookupError:
        return False
    return True


def _finish(plan: Plan, wanted: Asked, found: Found, report: socket.socket) -> None:
    root.build(plan)
    told = os.memfd_create("told", os.MFD_CLOEXEC)
    os.write(told, json.dumps(_told(wanted, found.facts)).encode())
    files = mounting.taken("/", mounting.NO_SETUID | mounting.NO_DEVICES, below=False)
    root.close_off(plan)
    descriptors = [_namespace("user"), _namespace("mnt"), told, files]
    kinds = b""
    if plan.apart:
        descriptors.append(_namespace("pid"))
        kinds += b"p"
    if found.lock >= 0:
        descriptors.append(found.lock)
        kinds += b"l"
    passing.send(report, READY + kinds, descriptors)


def _namespace(kind: str) -> int:
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def _account(uid: int, home: str) -> tuple[str, str]:
    """(home folder, shell) of the owner; the job's own HOME counts."""
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return home, "/bin/sh"
    return home or account.pw_dir, account.pw_shell


def _told(wanted: Asked, facts: dict[str, object]) -> dict[str, object]:
    """What tasks must know of the image: as its registry said, else as files of it say that enroot writes."""
    program = root.text_of(ENTRY_POINT)
    entered = _ENTERED.search(program)
    if wanted.entry_point and not program:
        raise CannotBuild(f"--container-entrypoint: the image has none ({ENTRY_POINT})")
    return {
        "environment": facts.get("environment") or _variables(root.text_of("/etc/environment")),
        "work_dir": wanted.work_dir or facts.get("work_dir") or (entered[1] if entered else "") or "/",
        "kept": list(wanted.variables), "entry_point": wanted.entry_point}


def _variables(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        matched = _VARIABLE.match(line.strip())
        if matched is not None:
            value = matched[2]
            found[matched[1]] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
    return found


if __name__ == "__main__":
    sys.exit(main())
