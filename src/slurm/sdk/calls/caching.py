"""Caching: whether a task wants calls that were made before not to be made again, as the words of @task say. How they are found: `fingerprint`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from slurm.sdk.calls.folder import folder_name
from slurm.sdk.errors import InvalidOption

WORDS = ("cache", "cache_version", "cache_ignore")


class Cache(NamedTuple):
    """The wish of a task: `where` is a folder, a name below the cluster's own, or "" for the task's name; a new `version` makes older
    results void, parameters in `ignore` do not count."""

    where: str
    version: object
    ignore: tuple[str, ...]


def taken(words: dict[str, object], function: Callable[..., Any], where: str, base: Cache | None = None) -> Cache | None:
    """Take the words that are about caching from the others, and what they mean on top of `base`; InvalidOption when they mean nothing.

    cache=False or None turns it off.
    """
    own = {word: words.pop(word) for word in WORDS if word in words}
    if not own:
        return base
    wish = own.get("cache", base is not None)
    if wish is None or wish is False:
        if own.keys() - {"cache"} and "cache" not in own:
            raise InvalidOption(f"{where}: {min(own)} means something only with cache=True")
        return None
    if wish is True:
        place = base.where if base is not None and "cache" not in own else ""
    elif isinstance(wish, str | os.PathLike) and os.fspath(wish).strip():
        place = os.fspath(wish)
        if isinstance(place, str) and "/" not in place and folder_name(place) != place.lower():
            raise InvalidOption(f"{where}: cache={wish!r}: a name of a cache has letters, digits, _ and - only; a folder has a / in it")
    else:
        raise InvalidOption(f"{where}: cache={wish!r}: give True, a name for the cache, or a folder")
    ignored = own.get("cache_ignore", base.ignore if base is not None else ())
    ignore = (ignored,) if isinstance(ignored, str) else tuple(ignored or ()) if isinstance(ignored,
        Iterable) or ignored is None else (str(ignored),)
    code = getattr(function, "__code__", None)
    if code is not None:
        known = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
        wrong = [name for name in ignore if name not in known]
        if wrong and not code.co_flags & 0x08:  # with **others any name may come
            raise InvalidOption(f"{where}: cache_ignore={wrong[0]!r} is no parameter; valid: {', '.join(known) or 'none'}")
    return Cache(str(place), own.get("cache_version", base.version if base is not None else None), ignore)
