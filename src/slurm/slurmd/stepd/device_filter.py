"""Keeping devices from a cgroup of version 2, whose controller is a small program in the kernel (BPF): it answers 0 to each use of a denied
device.

The program is written down here, instruction by instruction: `struct bpf_insn` and `struct bpf_cgroup_dev_ctx` of the kernel's linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Sequence

_SYSCALLS = {"x86_64": 321, "aarch64": 280, "ppc64le": 361, "s390x": 351, "riscv64": 280}
_LOAD, _ATTACH = 5, 8
_CGROUP_DEVICE_PROGRAM, _CGROUP_DEVICE = 15, 6
_ALLOW_MULTI = 2
"""A group below may have a filter of its own: both must agree."""
_KINDS = {"b": 1, "c": 2}
_LOAD_WORD, _AND, _JUMP_UNLESS, _SET, _EXIT = 0x61, 0x54, 0x55, 0xb7, 0x95
_ACCESS, _MAJOR, _MINOR = 0, 4, 8
"""Where the kernel's description of a use has them."""
_LICENSE = b"Dual BSD/GPL\0"


def deny(path: str, devices: Sequence[str]) -> None:
    """Keep devices ("c 195:0") from all that is in a cgroup of version 2. OSError when the kernel refuses."""
    if not devices:
        return
    program = _load(_program(devices))
    try:
        group = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _bpf(_ATTACH, struct.pack("=IIII", group, program, _CGROUP_DEVICE, _ALLOW_MULTI))
        finally:
            os.close(group)
    finally:
        os.close(program)  # the group holds it


def _program(devices: Sequence[str]) -> bytes:
    code = [
        _instruction(_LOAD_WORD, 2, 1, _ACCESS), _instruction(_AND, 2, 0, 0, 0xffff),
        _instruction(_LOAD_WORD, 3, 1, _MAJOR), _instruction(_LOAD_WORD, 4, 1, _MINOR)]
    for device in devices:
        kind, _, numbers = device.partition(" ")
        major, minor = map(int, numbers.split(":"))
        code += [
            _instruction(_JUMP_UNLESS, 2, 0, 4, _KINDS[kind]), _instruction(_JUMP_UNLESS, 3, 0, 3, major),
            _instruction(_JUMP_UNLESS, 4, 0, 2, minor), _instruction(_SET, 0, 0, 0, 0), _instruction(_EXIT)]
    return b"".join([*code, _instruction(_SET, 0, 0, 0, 1), _instruction(_EXIT)])


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> bytes:
    return struct.pack("=BBhi", code, source << 4 | target, offset, number)


def _load(program: bytes) -> int:
    code, license = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(_LICENSE)
    return _bpf(_LOAD, struct.pack(
        "=IIQQIIQII", _CGROUP_DEVICE_PROGRAM, len(program) // 8, ctypes.addressof(code), ctypes.addressof(license), 0, 0, 0, 0, 0))


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(38, f"devices cannot be filtered on {platform.machine()}")
    given = ctypes.create_string_buffer(attributes, len(attributes))
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(number, command, given, len(attributes))
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return found
