"""The shapes of requests and replies, kept in openapi.json without their version, and the OpenAPI document made of them.

Each operation there has its id, its reply's schema, its query (name → the words that are valid, none: any text) and its body's schema.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from slurm.model.version import SLURM_VERSION
from slurm.slurmrestd import versions

Schema = Mapping[str, Any]
ARRAY, OBJECT = "array", "object"
UNSET_NUMBER = "_no_val_struct"
"""How the names of numbers end that may be unset or infinite."""
_SECURITY = {
    "user": {"type": "apiKey", "name": "X-SLURM-USER-NAME", "in": "header"},
    "token": {"type": "apiKey", "name": "X-SLURM-USER-TOKEN", "in": "header"},
    "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}


class Shape(msgspec.Struct, frozen=True):
    """One operation of the API."""

    id: str
    reply: str
    query: dict[str, list[str]] = {}
    body: str = ""


class Shapes(msgspec.Struct, frozen=True):
    """All operations ("GET /slurm/{version}/jobs/") and all schemas; a `$ref` in these is a schema's name."""

    operations: dict[str, Shape]
    schemas: dict[str, dict[str, Any]]


@lru_cache(maxsize=1)
def shapes() -> Shapes:
    """What openapi.json holds."""
    return msgspec.json.decode(resources.files(__package__).joinpath("openapi.json").read_bytes(), type=Shapes)


def named(schema: Schema) -> tuple[str, Schema]:
    """The schema itself, with its name where it has one."""
    name = schema.get("$ref", "")
    return (name, shapes().schemas[name]) if name else ("", schema)


def nothing(reply: str) -> dict[str, Any]:
    """The least that is valid as a reply: what a refusal holds beside its errors."""
    schema = shapes().schemas[reply]
    return {field: _empty(schema["properties"][field]) for field in schema.get("required", ())}


def _empty(schema: Schema) -> Any:
    name, schema = named(schema)
    if name.endswith(UNSET_NUMBER):
        return {"set": False, "infinite": False, "number": 0}
    if schema["type"] == OBJECT:
        return {field: _empty(schema["properties"][field]) for field in schema.get("required", ())}
    return {ARRAY: [], "string": "", "boolean": False}.get(schema["type"], 0)


def document(served: Collection[str], wanted: Sequence[int] = versions.VERSIONS) -> dict[str, Any]:
    """The OpenAPI document of these operations in these versions."""
    paths: dict[str, dict[str, Any]] = {}
    used: set[tuple[int, str]] = set()
    for version in wanted:
        for operation in served:
            if versions.serves(version, operation):
                method, _, path = operation.partition(" ")
                shape = shapes().operations[operation]
                used.update((version, name) for name in (shape.reply, shape.body) if name)
                paths.setdefault(path.replace("{version}", versions.name(version)), {})[method.lower()] = _operation(version, path, shape)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Slurm REST API", "version": f"Slurm-{SLURM_VERSION}", "description": "Slurm's REST API, served by slurm-py."},
        "servers": [{"url": "/"}],
        "security": [{"user": [], "token": []}, {"token": []}, {"bearerAuth": []}, {}],
        "tags": [{"name": "slurm"}, {"name": "slurmdb"}, {"name": "util"}],
        "paths": paths,
        "components": {"securitySchemes": _SECURITY, "schemas": dict(sorted(_schemas(used)))},
    }


def _operation(version: int, path: str, shape: Shape) -> dict[str, Any]:
    reply = {"content": {"application/json": {"schema": _reference(version, shape.reply)}}}
    parameters = [
        {"in": "path", "name": part[1:-1], "required": True, "schema": {"type": "string"}} for part in path.split("/")
        if part.startswith("{") and part != "{version}"]
    parameters += [
        {"in": "query", "name": name, "required": False, "schema": {"type": "string", **({"enum": words} if words else {})}}
        for name, words in shape.query.items()]
    found: dict[str, Any] = {
        "tags": [path.split("/")[1]], "operationId": shape.id.replace("{version}", versions.name(version).replace(".", "")),
        "responses": {"200": {"description": "It was done.", **reply}, "default": {"description": "It was refused; errors say why.",
        **reply}}}
    if parameters:
        found["parameters"] = parameters
    if shape.body:
        found["requestBody"] = {"content": {"application/json": {"schema": _reference(version, shape.body)}}}
    return found


def _reference(version: int, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{versions.name(version)}_{name}"}


def _schemas(used: set[tuple[int, str]]) -> Iterator[tuple[str, Any]]:
    """The schemas that are named, and those that these name."""
    waiting, done = sorted(used), set(used)
    while waiting:
        version, name = waiting.pop()
        yield f"{versions.name(version)}_{name}", _versioned(version, name, shapes().schemas[name])
        for other in _references(shapes().schemas[name]):
            if (version, other) not in done:
                done.add((version, other))
                waiting.append((version, other))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"]
        for inner in schema.values():
            yield from _references(inner)


def _versioned(version: int, name: str, schema: Schema) -> dict[str, Any]:
    if "$ref" in schema:
        return dict(_reference(version, schema["$ref"]))
    found = dict(schema)
    if "items" in schema:
        found["items"] = _versioned(version, "", schema["items"])
    if "properties" in schema:
        gone = versions.missing(version, name)
        found["properties"] = {field: _versioned(version, "", of) for field, of in schema["properties"].items() if field not in gone}
    return found
