"""Where nodes of this machine keep what they unpacked for the caller: images, and containers that have a name."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from slurm.config.config import load
from slurm.net.discovery import find_site


class Kept(NamedTuple):
    """One of them: `name` "" for an image, `of` what it was made of, `used` when it was last asked for (seconds since the epoch)."""

    node: str
    path: str
    key: str
    name: str
    of: str
    used: float


def kept(environ: Mapping[str, str]) -> list[Kept]:
    """All of the caller's, on every node whose spool lies on this machine. ConfigError where there is no cluster."""
    config = load(find_site(environ).conf)
    found: list[Kept] = []
    seen: set[str] = set()
    for node in config.nodes:
        folder = os.path.join(config.for_node("SlurmdSpoolDir", node), "containers", str(os.geteuid()))
        if folder not in seen:
            seen.add(folder)
            found += _in(folder, node.name)
    return found


def _in(folder: str, node: str) -> Iterator[Kept]:
    for kind in ("images", "named"):
        above = os.path.join(folder, kind)
        try:
            names = sorted(os.listdir(above))
        except OSError:
            continue
        for name in names:
            with contextlib.suppress(OSError, ValueError), open(os.path.join(above, name, "facts"), encoding="utf-8") as file:
                facts = json.load(file)
                yield Kept(node, os.path.join(above, name), name, name if kind == "named" else "", str(facts.get("of", "")),
                    os.fstat(file.fileno()).st_mtime)
