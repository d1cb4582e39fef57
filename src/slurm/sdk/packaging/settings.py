"""What may be said about packaging: its kinds, the keys of each, and how the words of a task and of its cluster go together.

Every job imports this with the module of its task: nothing heavy here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from slurm.sdk.errors import InvalidOption

Config = dict[str, Any]

PREFIX = "packaging_"
INSTALL = ("job", "submit")
RUNTIMES = ("pyxis", "apptainer", "singularity", "podman", "docker")
BUILD_TOOLS = ("uv", "build", "pip")


def _text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value if isinstance(value, str) and value else None


def _flag(value: object) -> object:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _texts(value: object) -> object:
    if isinstance(value, list | tuple):
        return [os.fspath(one) for one in value] if all(isinstance(one, str | os.PathLike) for one in value) else None
    return [text] if isinstance(text := _text(value), str) else None


def _words(value: object) -> object:
    return [str(one) for one in value] if isinstance(value, list | tuple) else _text(value)


def _table(value: object) -> object:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, Mapping) else None


def _entries(value: object) -> object:
    entries = list(value) if isinstance(value, list | tuple) else [value]
    return [dict(one) if isinstance(one, Mapping) else str(one) for one in entries] if all(isinstance(one, str | Mapping)
        for one in entries) else None


Reader = tuple[str, Callable[[object], object]]
TEXT: Reader = ("text", _text)
FLAG: Reader = ("True or False", _flag)
TEXTS: Reader = ("a text or a list of texts", _texts)
WORDS: Reader = ("text, or a list of words", _words)
TABLE: Reader = ("a table of names and values", _table)
ENTRIES: Reader = ("a list of texts or tables", _entries)

_PYTHON: dict[str, Reader] = {"python_executable": WORDS, "python_version": TEXT}
_WHEEL: dict[str, Reader] = {
    "build_tool": TEXT, "extra_index_url": TEXTS, "extras": TEXTS, "dependencies": TEXTS, "upgrade_pip": FLAG, "install": TEXT}
_CONTAINER: dict[str, Reader] = {
    "image": TEXT, "runtime": TEXT, "run_args": TEXTS, "srun_args": TEXTS, "mounts": ENTRIES, "mount_job_dir": FLAG, "workdir": TEXT,
    "env": TABLE,
    "modules": TEXTS, "dockerfile": TEXT, "context": TEXT, "name": TEXT, "tag": TEXT, "registry": TEXT, "platform": TEXT,
    "build_args": TABLE,
    "build_secrets": ENTRIES, "no_cache": FLAG, "push": FLAG, "tls_verify": FLAG, "use_digest": FLAG}

KEYS: dict[str, dict[str, Reader]] = {
    "auto": {**_PYTHON, **_WHEEL, **_CONTAINER}, "none": _PYTHON, "inherit": {}, "wheel": {**_PYTHON, **_WHEEL},
    "container": {**_PYTHON, **_CONTAINER}}
"""Kind of packaging → its keys. With `auto` the keys decide: see `effective`."""
_ONE_OF = {"install": INSTALL, "runtime": RUNTIMES, "build_tool": BUILD_TOOLS}


def checked(packaging: object, keywords: Mapping[str, object] | None = None, where: str = "packaging") -> Config:
    """What `packaging=` and `packaging_…=` mean, as a table with a `type`; InvalidOption names what is wrong and what would be valid.

    `packaging` is a kind, `container:IMAGE`, an image (it has a `/` or a `:`), or such a table. None stands for "auto".
    """
    given: Config = dict(packaging) if isinstance(packaging, Mapping) else {"type": packaging}
    word = given.pop("type", None) or "auto"
    if not isinstance(word, str):
        raise InvalidOption(f"{where}: packaging={word!r} is no text and no table; valid: {', '.join(KEYS)}")
    kind, _, image = word.partition(":")
    if kind not in KEYS or (image and kind != "container"):
        if "/" not in word and ":" not in word:
            raise InvalidOption(f"{where}: packaging={word!r} is unknown; valid: {', '.join(KEYS)}, container:IMAGE")
        kind, image = "container", word
    if image:
        given["image"] = image
    found: Config = {"type": kind}
    for key, value in {**given, **(keywords or {})}.items():
        if value is not None:
            found[key] = _read(kind, key, value, where)
    return found


def taken(keywords: dict[str, Any], prefix: str = PREFIX) -> Config:
    """Take the keywords that begin with `prefix`, without it."""
    return {name[len(prefix):]: keywords.pop(name) for name in list(keywords) if name.startswith(prefix)}


def over(before: Config, packaging: object, keywords: Mapping[str, object], where: str) -> Config:
    """`before` with another kind, or with other keys of the same kind; None takes a key away."""
    if packaging is not None:
        return checked(packaging, keywords, where)
    kept = {key: value for key, value in before.items() if key not in keywords}
    return checked(kept, keywords, where)


def default_of(packaging: object, keywords: Config) -> Config:
    """What a cluster says about packaging, checked; {} for nothing."""
    if isinstance(packaging, dict) and packaging.keys() & set(_INSIDE):
        return dict(packaging)
    if packaging is None and not keywords:
        return {}
    return checked(packaging, keywords, "Cluster: default")


def effective(task: Config, default: Config, where: str = "packaging") -> Config:
    """What holds for a call: what its task says, unless it leaves the choice to the cluster (`auto`, `inherit`), whose words `default` are.

    Keys of the task win over the cluster's. A cluster that names no kind gives its keys to all tasks whose kind knows them. `auto` becomes
    `container` or `wheel` where keys were given that only those have.
    """
    if task["type"] in ("auto", "inherit") and default.get("type", "auto") != "auto":
        merged = {**default, **{key: value for key, value in task.items() if key != "type"}}
    else:
        general = default.get("before", default)
        fits = general.get("type", "auto") in ("auto", task["type"])
        merged = {**{key: value for key, value in general.items() if fits and key in KEYS[task["type"]]}, **task}
    if merged["type"] == "auto":
        merged["type"] = next((kind for kind, keys in (("container", _CONTAINER), ("wheel", _WHEEL)) if keys.keys() & merged.keys()),
            "auto")
    return checked({key: value for key, value in merged.items() if key not in _INSIDE},
        where=where) | {key: merged[key] for key in _INSIDE if key in merged}


_INSIDE = ("parent", "before", "prebuilt")
"""Keys that a workflow sets for its children: what it runs in, what its cluster said, what else was made with it."""


def _read(kind: str, key: str, value: object, where: str) -> object:
    known = KEYS[kind]
    if key not in known:
        from slurm.notation.nearest import nearest  # only for what is wrong

        kinds = [other for other, keys in KEYS.items() if key in keys and other != "auto"]
        meant = nearest(key, list(known))
        raise InvalidOption(f"{where}: packaging_{key} " + (
            f"is for packaging={' or '.join(repr(one) for one in kinds)}, not for {kind!r}" if kinds else
            f"is unknown{f'; did you mean packaging_{meant}?' if meant else ''} valid for {kind!r}: "
            f"{', '.join(sorted(known)) or 'no keys'}"))
    what, reader = known[key]
    found = reader(value)
    if found is None:
        raise InvalidOption(f"{where}: packaging_{key}={value!r} is not {what}")
    if key in _ONE_OF and found not in _ONE_OF[key]:
        raise InvalidOption(f"{where}: packaging_{key}={value!r} is unknown; valid: {', '.join(_ONE_OF[key])}")
    return found
