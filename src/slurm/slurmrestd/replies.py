"""What every reply holds beside its records, and what an error is as an HTTP status and in `errors`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from slurm.model.errors import (
    MESSAGES,
    ConfigError,
    InvalidRequest,
    NotFound,
    NotNow,
    NotPermitted,
    SlurmError,
    StoreError,
    Unreachable,
    Unsupported,
)
from slurm.render import json_text
from slurm.slurmrestd import versions
from slurm.slurmrestd.rates import TooMany
from slurm.slurmrestd.reading import Malformed

OK, NOT_MODIFIED, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TIMEOUT, CONFLICT = 200, 304, 400, 401, 403, 404, 408, 409
TOO_LARGE, UNPROCESSABLE, TOO_MANY, FAILED, NOT_IMPLEMENTED, UNAVAILABLE = 413, 422, 429, 500, 501, 503
_STATUS: tuple[tuple[type[SlurmError], int], ...] = (
    (Malformed, BAD_REQUEST), (NotPermitted, FORBIDDEN), (NotFound, NOT_FOUND), (TooMany, TOO_MANY), (NotNow, CONFLICT), (Unsupported, NOT_IMPLEMENTED),
    (InvalidRequest, UNPROCESSABLE), (Unreachable, UNAVAILABLE), (StoreError, UNAVAILABLE), (ConfigError, FAILED),
)
"""Kind of error → status; the first that fits, and 500 for what has no kind."""
_ENCODER = msgspec.json.Encoder()


class Asker(msgspec.Struct, frozen=True):
    """Whom a request comes from, as slurmctld says, for `meta`."""

    user: str = ""
    group: str = ""
    source: str = ""


def status_of(error: SlurmError, subjects: Collection[str] = ()) -> int:
    """The status of a reply that this error makes; `subjects` are the names of errors which say that what the path names is not there."""
    if error.name == "SLURM_AUTHENTICATION_ERROR":
        return UNAUTHORIZED
    if error.name in subjects:
        return NOT_FOUND
    return next((status for kind, status in _STATUS if isinstance(error, kind)), FAILED)


def error_entry(error: SlurmError, source: str) -> dict[str, Any]:
    """One of `errors`."""
    number, sentence = MESSAGES[error.name]
    return {"description": "; ".join([*error.preface, *error.lines()]), "error_number": number, "error": sentence, "source": source}


def warning_entries(lines: Sequence[str], source: str) -> list[dict[str, Any]]:
    """`warnings`."""
    return [{"description": line, "source": source} for line in lines]


def closing(version: int, section: str, cluster: str, asker: Asker) -> dict[str, Any]:
    """`meta`, and `errors` and `warnings` without anything in them."""
    found: dict[str, Any] = dict(json_text.closing(cluster, asker.user, asker.group, []))
    name = versions.name(version)
    kind = "slurmdbd" if section == "slurmdb" else "slurmctld"
    found["meta"] = {
        **found["meta"], "plugin": {
            "type": f"openapi/{kind}", "name": f"Slurm OpenAPI {kind}", "data_parser": f"data_parser/{name}", "accounting_storage": ""},
        "client": {"source": asker.source, "user": asker.user, "group": asker.group}}
    return found


def encode(body: Mapping[str, Any]) -> bytes:
    """As JSON."""
    return _ENCODER.encode(body)
