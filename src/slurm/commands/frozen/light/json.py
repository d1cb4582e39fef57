"""`loads` and `dumps` by the C scanner and encoder of `json`; whatever they do not take goes to the real module, which knows how to say
why."""

from __future__ import annotations

from _json import encode_basestring_ascii as _quoted
from _json import make_encoder, make_scanner


class _Decoding:
    """What the C scanner asks of a decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


_scan = make_scanner(_Decoding)  # type: ignore[arg-type]
_BLANK = " \t\n\r"


def loads(text: str | bytes) -> object:
    """The value of a JSON text; json.JSONDecodeError."""
    try:
        plain = (text if isinstance(text, str) else str(text, "utf-8", "surrogatepass")).strip(_BLANK)
        value, end = _scan(plain, 0)
        if end == len(plain):
            return value
    except (StopIteration, UnicodeDecodeError):
        pass  # the real one says what is wrong, and takes other encodings
    import json

    return json.loads(text)


def dumps(value: object, *, separators: tuple[str, str] | None = None, **others: object) -> str:
    """A value as a JSON text; TypeError for what has none."""
    if others:
        import json

        return json.dumps(value, separators=separators, **others)  # type: ignore[arg-type]
    item, key = separators or (", ", ": ")
    return "".join(make_encoder({}, _refuse, _quoted, None, key, item, False, False, True)(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"Object of type {value.__class__.__name__} is not JSON serializable")


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import json

    return getattr(json, name)
