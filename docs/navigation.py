"""What the site's builder is told beyond mkdocs.yml: the version at the foot of each page; and that a line `decisions/*.md` in the navigation stands for every page of that folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def on_config(config: Any) -> Any:
    """Called by mkdocs once it has read mkdocs.yml."""
    config["nav"] = _expanded(config["nav"])
    config["copyright"] = f"slurm-py {_version()}"
    return config


def _version() -> str:
    """The version of the sources beside."""
    text = (HERE.parent / "src" / "slurm" / "model" / "version.py").read_text(encoding="utf-8")
    return text.partition('VERSION = "')[2].partition('"')[0]


def _expanded(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {title: _expanded(inside) for title, inside in entry.items()}
    if not isinstance(entry, list):
        return entry
    made: list[Any] = []
    for one in entry:
        if isinstance(one, str) and "*" in one:
            made += [str(path.relative_to(HERE)) for path in sorted(HERE.glob(one)) if path.name != "index.md"]
        else:
            made.append(_expanded(one))
    return made
