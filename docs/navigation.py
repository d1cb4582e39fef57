"""What the site's builder is told beyond mkdocs.yml: a line `decisions/*.md` in the navigation stands for every page of that folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def on_config(config: Any) -> Any:
    """Called by mkdocs once it has read mkdocs.yml."""
    config["nav"] = _expanded(config["nav"])
    return config


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
