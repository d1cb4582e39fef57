"""The few functions of libpmix (4.x) that a PMIx server needs, by ctypes. Source: the PMIx Standard 4.1, chapters 3 and 17, and its
structures' sizes.

Not here: what a step answers (`pmix_server`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LIBRARY = "libpmix.so.2"
SUCCESS, NOT_SUPPORTED, DONE_AT_ONCE = 0, -47, -157
WILDCARD = 2**32 - 2
_KEY_ROOM, _NAMESPACE_ROOM = 512, 256
_BOOL, _STRING, _UINT16, _UINT32, _INFO, _DATA_ARRAY, _RANK, _REGEX = 1, 3, 13, 14, 24, 39, 40, 49


class Proc(ctypes.Structure):
    """pmix_proc_t."""

    _fields_ = (("namespace", ctypes.c_char * _NAMESPACE_ROOM), ("rank", ctypes.c_uint32))


class _Value(ctypes.Structure):
    # the largest of the union is an environment variable: two pointers and a character
    _fields_ = (("type", ctypes.c_uint16), ("data", ctypes.c_uint64 * 3))


class Info(ctypes.Structure):
    """pmix_info_t."""

    _fields_ = (("key", ctypes.c_char * _KEY_ROOM), ("flags", ctypes.c_uint32), ("value", _Value))


class _DataArray(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint16), ("size", ctypes.c_size_t), ("array", ctypes.c_void_p))


class Typed(NamedTuple):
    """A value with PMIx's type."""

    type: int
    value: Any


def text(value: str) -> Typed:
    """A string."""
    return Typed(_STRING, value.encode())


def flag(value: bool) -> Typed:
    """A truth value."""
    return Typed(_BOOL, ctypes.c_bool(value))


def number(value: int) -> Typed:
    """uint32_t."""
    return Typed(_UINT32, ctypes.c_uint32(value))


def short(value: int) -> Typed:
    """uint16_t."""
    return Typed(_UINT16, ctypes.c_uint16(value))


def rank(value: int) -> Typed:
    """pmix_rank_t."""
    return Typed(_RANK, ctypes.c_uint32(value))


def array(values: Mapping[str, Typed]) -> Typed:
    """An array of keys and values."""
    return Typed(_DATA_ARRAY, values)


OpCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)
Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
ModexCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
OnClient = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Proc), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
OnAbort = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(Proc), ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(Proc), ctypes.c_size_t,
    ctypes.c_void_p, ctypes.c_void_p)
OnFence = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(Proc), ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t,
    ctypes.c_void_p, ctypes.c_void_p)
OnDirectModex = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Proc), ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)


class Module(ctypes.Structure):
    """pmix_server_module_t: what the host is asked; what it has nothing for is NULL, and libpmix tells clients so."""

    _fields_ = (
        ("client_connected", OnClient), ("client_finalized", OnClient), ("abort", OnAbort), ("fence", OnFence),
        ("direct_modex", OnDirectModex),
        ("others", ctypes.c_void_p * 23))


class Failed(OSError):
    """A call of libpmix did not succeed."""


class Library:
    """libpmix, loaded. OSError when it is not installed."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(LIBRARY)
        self._kept: list[object] = []  # what libpmix may still look at

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that gives a status. Failed."""
        status = getattr(self._library, f"PMIx_{name}")(*arguments)
        if status != SUCCESS:
            raise Failed(f"PMIx_{name} failed: {self.said(status)}")

    def said(self, status: int) -> str:
        """libpmix's words for a status."""
        say = self._library.PMIx_Error_string
        say.restype = ctypes.c_char_p
        return str((say(status) or b"unknown").decode())

    def infos(self, values: Sequence[tuple[str, Typed]]) -> ctypes.Array[Info]:
        """An array of pmix_info_t, kept for as long as this is."""
        made = (Info * len(values))()
        for info, (key, typed) in zip(made, values, strict=True):
            self._load(info, key, typed)
        self._kept.append(made)
        return made

    def _load(self, info: Info, key: str, typed: Typed) -> None:
        if typed.type == _DATA_ARRAY:
            inside = self.infos(list(typed.value.items()))
            data: Any = ctypes.byref(_DataArray(_INFO, len(inside), ctypes.cast(inside, ctypes.c_void_p)))
        elif typed.type == _STRING:
            data = ctypes.c_char_p(typed.value)
        else:
            data = typed.value if typed.type == _REGEX else ctypes.byref(typed.value)
        self.call("Info_load", ctypes.byref(info), key.encode(), data, ctypes.c_uint16(typed.type))

    def expression(self, function: str, what: str) -> Typed:
        """What PMIx_generate_regex or _ppn makes of a list. Failed."""
        made = ctypes.c_void_p()
        self.call(function, what.encode(), ctypes.byref(made))
        return Typed(_REGEX, made)

    def environment(self, proc: Proc) -> dict[str, str]:
        """The variables by which a client finds this server. Failed."""
        found = ctypes.POINTER(ctypes.c_char_p)()
        self.call("server_setup_fork", ctypes.byref(proc), ctypes.byref(found))
        variables: dict[str, str] = {}
        number_ = 0
        while found and (entry := found[number_]) is not None:
            name, _, value = entry.decode().partition("=")
            variables[name] = value
            number_ += 1
        return variables
