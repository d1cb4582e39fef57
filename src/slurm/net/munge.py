"""MUNGE: a text sealed by the munged of one machine, opened by that of another, and the uid that the kernel saw seal it. By libmunge and
cffi.

Every call asks a daemon and may block: daemons of ours use `beside`, never the event loop. Loaded only where AuthType=auth/munge and a
machine is left. Not here: what is sealed (`munge_proof`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from slurm.model.errors import NotNow, NotPermitted, SlurmError, Unreachable

SOCKET = "/run/munge/munge.socket.2"
"""Where munged listens unless AuthInfo=socket= says otherwise."""
LIBRARY = "libmunge.so.2"
_DECLARED = """
    typedef struct munge_ctx *munge_ctx_t;
    munge_ctx_t munge_ctx_create(void);
    void munge_ctx_destroy(munge_ctx_t ctx);
    const char *munge_ctx_strerror(munge_ctx_t ctx);
    int munge_ctx_set(munge_ctx_t ctx, int option, ...);
    int munge_encode(char **credential, munge_ctx_t ctx, const void *text, int length);
    int munge_decode(const char *credential, munge_ctx_t ctx, void **text, int *length, unsigned int *uid, unsigned int *gid);
    const char *munge_strerror(int error);
    void free(void *memory);
"""
# munge_ctx(3) and munge_enum(3): the numbers of libmunge.so.2.
_TTL, _SOCKET, _UID_RESTRICTION = 4, 8, 9
_NO_SOCKET, _TIMEOUT, _EXPIRED, _REWOUND, _REPLAYED, _UNAUTHORIZED = 6, 7, 15, 16, 17, 18
Made = TypeVar("Made")
_AT_ONCE = 4
_MOST_WAITING = 512


class Sealed(NamedTuple):
    """What was in a credential, and who sealed it."""

    text: bytes
    uid: int
    gid: int


class Munge:
    """The munged at `socket`; `ttl` seconds for which what it seals is good, 0: as munged has it."""

    def __init__(self, socket: str = SOCKET, ttl: int = 0) -> None:
        self._socket = socket or SOCKET
        self._ttl = ttl
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0

    def seal(self, text: bytes, *, reader: int) -> str:
        """A credential that only the user `reader` (a uid of the machine where it is opened) can open. Unreachable, NotPermitted."""
        ffi, library = _library()
        context = self._context(ffi, library)
        made = ffi.new("char **")
        try:
            if self._ttl:
                library.munge_ctx_set(context, _TTL, ffi.cast("int", self._ttl))
            library.munge_ctx_set(context, _UID_RESTRICTION, ffi.cast("unsigned int", reader))
            error = library.munge_encode(made, context, text, len(text))
            if error:
                raise self._refusal(ffi, library, context, error)
            sealed: bytes = ffi.string(made[0])
            return sealed.decode("ascii")
        finally:
            if made[0] != ffi.NULL:
                library.free(made[0])
            library.munge_ctx_destroy(context)

    def open(self, credential: str) -> Sealed:
        """What is in a credential; good once on a machine. NotPermitted, Unreachable."""
        ffi, library = _library()
        context = self._context(ffi, library)
        text, length, uid, gid = ffi.new("void **"), ffi.new("int *"), ffi.new("unsigned int *"), ffi.new("unsigned int *")
        try:
            error = library.munge_decode(credential.encode("ascii", "replace"), context, text, length, uid, gid)
            if error:
                raise self._refusal(ffi, library, context, error)
            return Sealed(bytes(ffi.buffer(text[0], length[0])) if length[0] else b"", int(uid[0]), int(gid[0]))
        finally:
            if text[0] != ffi.NULL:
                library.free(text[0])
            library.munge_ctx_destroy(context)

    async def why_not(self, seconds: float) -> str:
        """Why munged cannot be asked now, "" when it can."""
        try:
            async with asyncio.timeout(seconds):
                await self.seal_beside(b"", reader=os.geteuid())
        except SlurmError as error:
            return "; ".join(error.hints or error.lines())
        except TimeoutError:
            return f"munged does not answer at {self._socket}"
        return ""

    async def seal_beside(self, text: bytes, *, reader: int) -> str:
        """`seal`, in a thread. NotNow when many wait already."""
        return await self._beside(lambda: self.seal(text, reader=reader))

    async def open_beside(self, credential: str) -> Sealed:
        """`open`, in a thread. NotNow when many wait already."""
        return await self._beside(lambda: self.open(credential))

    async def _beside(self, work: Callable[[], Made]) -> Made:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, "munge")
        if self._waiting >= _MOST_WAITING:
            raise NotNow(message="munged is asked too much at once", hints=["try again in a moment"])
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def _context(self, ffi: Any, library: Any) -> Any:
        context = library.munge_ctx_create()
        if context == ffi.NULL:
            raise MemoryError("munge_ctx_create")
        path = ffi.new("char[]", os.fsencode(self._socket))
        library.munge_ctx_set(context, _SOCKET, path)
        return context

    def _refusal(self, ffi: Any, library: Any, context: Any, error: int) -> SlurmError:
        said = library.munge_ctx_strerror(context)
        text = ffi.string(said if said != ffi.NULL else library.munge_strerror(error)).decode("utf-8", "replace")
        if error in (_NO_SOCKET, _TIMEOUT):
            return Unreachable("SLURM_AUTHENTICATION_ERROR", "Protocol authentication error", hints=[
                f"munged does not answer at {self._socket}: {text}",
                "start it (systemctl start munge), or name its socket with AuthInfo=socket="])
        hint = {
            _EXPIRED: "it is too old: are the clocks of both machines right?",
            _REWOUND: "it is from the future: are the clocks of both machines right?",
            _REPLAYED: "it was used before", _UNAUTHORIZED: "it was made for another user to open",
        }.get(error, "have both machines the same /etc/munge/munge.key?")
        return NotPermitted("SLURM_AUTHENTICATION_ERROR", hints=[f"munged refuses the credential: {text}", hint])


@lru_cache(maxsize=1)
def _library() -> tuple[Any, Any]:
    """cffi's view of libmunge. Unreachable when there is none."""
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(_DECLARED)
    try:
        return ffi, ffi.dlopen(LIBRARY)
    except OSError as error:
        raise Unreachable("SLURM_AUTHENTICATION_ERROR", "Protocol authentication error", hints=[
            f"{LIBRARY} cannot be loaded: {error}", "AuthType=auth/munge needs the packages munge and libmunge2"]) from error
