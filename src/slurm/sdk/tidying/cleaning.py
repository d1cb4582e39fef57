"""Cleaning: what may be removed below the folder of all jobs, and removing it. Runs where the folder is, so it imports nothing of ours.

    python3 - BASE < this file, with the wish as JSON in its first argument

Only what is ours is looked at, by its name and its owner: folders <base>/<task>/<stamp>_<id>/ with a job's script in them, what we put into
`.code` and, when asked for, results in `.cache`. The base may be anybody's home, where ~/.cache and ~/.code hold other things. Never
followed: links.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

KEY = re.compile(r"\d{8}_\d{6}_[0-9a-f]{8}")
_REFERRED = re.compile(rb"\d{8}_\d{6}_[0-9a-f]{8}")
_CODE = re.compile(rb"\.code/([\w.+-]+)")
_DEPOSITED = (re.compile(r"(slurm-\w[\w.+-]*-[0-9a-f]{16}|(modules|wheel|venv|image)-[0-9a-f]{16}(\.tar)?)(\.lock|\.[0-9a-f]{8}(\.tgz.*)?|\.\d+\.new)?"))
_KEPT = re.compile(r"slurm_job_[0-9a-f]{40}_result(\.\d+)?\.pkl(\..+\.new)?")
SECONDS = 40.0
"""How long one run may take; the rest is left to the next."""


def clean(base: str, wish: Mapping[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
    """Remove, or with `dry_run` only name, what is older than `older_than` seconds and not needed by a job whose script is among `live`.

    `keep_failed` keeps folders without all their results, `cache` is about cached results too, `done` names what is known already. Gives
    `found`, a list of [kind, path, bytes], `kept`, how many folders live jobs need, `problems` and `more`, whether the time was too short.
    """
    deadline, oldest = time.monotonic() + seconds, time.time() - wish["older_than"]
    live = [os.path.realpath(script) for script in wish["live"]]
    keys, code = _needed(live)
    known = set(wish["done"])
    told: dict[str, Any] = {"found": [], "kept": 0, "problems": [], "more": False}
    for kind, path in _candidates(base, wish["cache"]):
        if path in known:
            continue
        if time.monotonic() > deadline:
            told["more"] = True
            break
        if kind == "code" and path.endswith(".lock") and os.path.exists(path.removesuffix(".lock")):
            continue  # somebody may hold it
        name = os.path.basename(path)
        inside = os.path.realpath(path) + "/"
        if any(script.startswith(inside) for script in live) or (name in keys if kind == "job" else name in code):
            told["kept"] += 1
            continue
        size, latest = _measured(path)
        if latest > oldest or (kind == "job" and wish["keep_failed"] and not ended_well(path, name)):
            continue
        try:
            if not wish["dry_run"]:
                _remove(path)
        except OSError as error:
            told["problems"].append(f"{error.filename or path}: {error.strerror}")
            continue
        told["found"].append([kind, path, size])
    return told


def ended_well(folder: str, key: str) -> bool:
    """Whether all results of a job lie in its folder."""
    stem = f"{folder}/slurm_job_{key}"
    if not os.path.exists(f"{stem}_items.pkl"):
        return os.path.exists(f"{stem}_result.pkl")
    with open(f"{stem}_items.pkl", "rb") as file:
        file.seek(-8, os.SEEK_END)
        count = int.from_bytes(file.read(8), "little")
    return all(os.path.exists(f"{stem}_{number}_result.pkl") for number in range(count))


def _candidates(base: str, cache: bool) -> Iterator[tuple[str, str]]:
    for name in _listed(base):
        folder = f"{base}/{name}"
        if not _is_folder(folder):
            continue
        if name == ".code":
            yield from (("code", f"{folder}/{one}") for one in _listed(folder) if _DEPOSITED.fullmatch(one))
        elif name == ".cache":
            for one in _listed(folder) if cache else ():
                if _is_folder(f"{folder}/{one}"):
                    yield from (("cache", f"{folder}/{one}/{file}") for file in _listed(f"{folder}/{one}") if _KEPT.fullmatch(file))
        elif not name.startswith("."):
            for key in _listed(folder):
                job = f"{folder}/{key}"
                if KEY.fullmatch(key) and _is_folder(job) and os.path.exists(f"{job}/slurm_job_{key}_script.sh"):
                    yield "job", job


def _needed(live: list[str]) -> tuple[set[str], set[str]]:
    """The keys of jobs to whose files the calls of live jobs refer, and the code that they run."""
    keys: set[str] = set()
    code: set[str] = set()
    for folder in {os.path.dirname(script) for script in live}:
        for name in _listed(folder):
            if name.endswith(("_call.pkl", "_items.pkl", "_args.pkl", "_kwargs.pkl", ".sh")) or "_script.sh." in name:
                with contextlib.suppress(OSError, ValueError), open(f"{folder}/{name}", "rb") as file, _mapped(file) as data:
                    keys.update(found.decode() for found in _REFERRED.findall(data))
                    code.update(found.decode() for found in _CODE.findall(data))
    return keys, code


def _mapped(file: BinaryIO) -> mmap.mmap:
    """The bytes of a file, which may be those of a large array's items; ValueError when it is empty."""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []  # it is not there, or not ours to look into


def _is_folder(path: str) -> bool:
    """Whether it is a folder of this user's, and no link to one."""
    try:
        found = os.lstat(path)
    except OSError:
        return False  # it went meanwhile
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _measured(path: str) -> tuple[int, float]:
    """Bytes on disk, and when anything in it was last written."""
    found = os.lstat(path)
    size, latest = found.st_blocks * 512, found.st_mtime
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                found = os.lstat(f"{folder}/{name}")
                size, latest = size + found.st_blocks * 512, max(latest, found.st_mtime)
    return size, latest


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    with contextlib.suppress(OSError):  # others are in it
        os.rmdir(os.path.dirname(path))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as wished:
        given = json.load(wished)
    print("slurm-cleaned=" + json.dumps(clean(given["base"], given)))
