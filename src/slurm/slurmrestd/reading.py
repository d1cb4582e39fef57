"""Reading what clients send: query strings and JSON bodies against their schemas. What is there afterwards has the type of its field.

As Slurm does, it takes a number where its `{set, infinite, number}` is due and the other way round, numbers as text, and lists as text with
commas. What has no field is refused: whoever misspells `time_limit` should not wait for a job without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from slurm.model.errors import InvalidRequest
from slurm.notation.nearest import nearest
from slurm.slurmrestd import versions
from slurm.slurmrestd.schema import ARRAY, OBJECT, UNSET_NUMBER, Schema, named, shapes

Body = dict[str, Any]
_TRUE, _FALSE = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})
_DEEPEST = 32
_DIGITS = 20


class Malformed(InvalidRequest):
    """A body that is no JSON at all."""


def body(name: str, data: bytes, version: int) -> Body:
    """The body of a request as the schema of this name has it; numbers that may be unset are None, infinite ones math.inf.

    InvalidRequest names the field.
    """
    if not data.strip():
        raise Malformed(message="The request has no body", hints=["it takes a JSON object: Content-Type: application/json"])
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(message="The body is no JSON", hints=[str(error)]) from error
    if not isinstance(value, Mapping):
        raise Malformed(message="The body is no JSON object")
    found = _read({"$ref": name}, value, "", version, 0)
    return found if isinstance(found, dict) else {}


def query(allowed: Mapping[str, Sequence[str]], given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a query string; empty ones are not there.

    InvalidRequest for one that is unknown, given twice, or not among its words.
    """
    found: dict[str, str] = {}
    for name, text in given:
        if name not in allowed:
            raise InvalidRequest(message=f"Unknown query parameter: {name[:64]}", hints=_meant(name, allowed))
        if name in found:
            raise InvalidRequest(message=f"The query parameter {name} is given twice",
                hints=["write several values with commas between them"])
        words = allowed[name]
        if words:
            text = ",".join(_word(word, words, name) for word in text.split(",") if word.strip())
        if text:
            found[name] = text
    return found


def _meant(name: str, valid: Sequence[str] | Mapping[str, Any]) -> list[str]:
    near = nearest(name, list(valid))
    return [f"did you mean {near}?" if near else f"valid: {', '.join(valid)}" if valid else "it takes none"]


def _word(text: str, words: Sequence[str], where: str) -> str:
    found = next((word for word in words if word.lower() == text.strip().lower()), None)
    if found is None:
        raise _invalid(where, f"{text[:64]!r} is none of its words", *_meant(text.strip().upper(), list(words)))
    return found


def _invalid(where: str, why: str, *hints: str) -> InvalidRequest:
    return InvalidRequest(message=f"{where or 'the body'}: {why}", hints=hints)


def _read(schema: Schema, value: Any, where: str, version: int, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _invalid(where, "it nests too deep")
    name, schema = named(schema)
    if name.endswith(UNSET_NUMBER):
        return _number(value, where)
    kind = schema.get("type")
    if kind is None:
        raise _invalid(where, "the API says nothing of what may stand here")
    if kind == OBJECT:
        return _object(name, schema, value, where, version, depth)
    if kind == ARRAY:
        return _array(schema["items"], value, where, version, depth)
    if kind == "string":
        return _text(schema, value, where)
    if kind == "boolean":
        return _truth(value, where)
    found = _number(value, where)
    if kind == "integer" and found is not None and (math.isinf(found) or found != int(found)):
        raise _invalid(where, "a whole number is due")
    return found


def _object(name: str, schema: Schema, value: Any, where: str, version: int, depth: int) -> Any:
    if not isinstance(value, Mapping):
        raise _invalid(where, f"an object is due, not {_kind(value)}")
    fields = schema.get("properties", {})
    gone = versions.missing(version, name)
    found: Body = {}
    for field, inner in value.items():
        place = f"{where}.{field}" if where else field
        if field not in fields or field in gone:
            raise _invalid(place[:128], f"there is no such field in {versions.name(version)}", *_meant(field, fields))
        if inner is None:
            continue
        read = _read(fields[field], inner, place, version, depth + 1)
        if read is not None:
            found[field] = read
    return found


def _array(items: Schema, value: Any, where: str, version: int, depth: int) -> list[Any]:
    texts = named(items)[1].get("type") == "string"
    if isinstance(value, str) and texts:
        value = [piece for piece in value.split(",") if piece]
    elif isinstance(value, Mapping) and texts:
        value = [f"{key}={inner}" for key, inner in value.items()]  # an environment, as clients of earlier versions write it
    if not isinstance(value, list):
        raise _invalid(where, f"a list is due, not {_kind(value)}")
    return [_read(items, inner, f"{where}[{place}]", version, depth + 1) for place, inner in enumerate(value)]


def _text(schema: Schema, value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _invalid(where, f"text is due, not {_kind(value)}")
    text = value if isinstance(value, str) else str(value)
    words = schema.get("enum")
    return _word(text, words, where) if words and text else text


def _truth(value: Any, where: str) -> bool:
    text = str(value).lower() if isinstance(value, str | int) else ""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _invalid(where, f"true or false is due, not {_kind(value)}")


def _number(value: Any, where: str) -> float | int | None:
    """A number; None where it is said to be unset, math.inf where it is infinite."""
    if isinstance(value, Mapping):
        unknown = set(value) - {"set", "infinite", "number"}
        if unknown:
            raise _invalid(f"{where}.{min(unknown)}"[:128], "there is no such field", "valid: set, infinite, number")
        if value.get("infinite"):
            return math.inf
        # Clients that write a number and nothing else mean it to be set.
        return _number(value["number"], where) if value.get("set", "number" in value) and value.get("number") is not None else None
    if isinstance(value, str):
        text = value.strip().lower()
        if text in ("infinite", "unlimited", "inf"):
            return math.inf
        if text.lstrip("-").isdecimal() and text.isascii() and len(text) <= _DIGITS:
            return int(text)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise _invalid(where, f"a number is due, not {_kind(value)}")


def _kind(value: Any) -> str:
    names = {bool: "a truth value", str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "nothing of that kind")


def fields(name: str) -> frozenset[str]:
    """The fields of a schema in the newest version."""
    return frozenset(shapes().schemas[name]["properties"])
