"""The smallest program of an architecture: it ends at once, with exit code 0.

Whether a builder can run programs of a platform is only seen by running one, and no image with one
in it can be taken for granted.

Source: the ELF specification; the system call ``exit`` of Linux on each architecture.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ADDRESS = 0x10000
_EXECUTABLE, _LOAD, _READ_EXECUTE = 2, 1, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """How programs of an architecture look.

    Attributes:
        number: ELF's e_machine.
        code: the instructions of ``exit(0)``.
        wide: 64 bits.
        big: the highest byte first.
        flags: ELF's e_flags.
    """

    number: int
    code: str
    wide: bool = True
    big: bool = False
    flags: int = 0


_MACHINES = {
    "386": _Machine(number=3, wide=False, code="b80100000031dbcd80"),
    "amd64": _Machine(number=62, code="b83c00000031ff0f05"),
    "arm": _Machine(number=40, wide=False, flags=0x05000000, code="0000a0e30170a0e3000000ef"),
    "arm64": _Machine(number=183, code="000080d2a80b80d2010000d4"),
    "ppc64le": _Machine(number=21, flags=2, code="010000380000603802000044"),
    "riscv64": _Machine(number=243, code="130500009308d00573000000"),
    "s390x": _Machine(number=22, big=True, code="a72900000a01"),
}


def exit_program(architecture: str) -> bytes:
    """Return a static Linux program; empty for an architecture that is not known here.

    Args:
        architecture: as platforms spell it: ``amd64``, ``arm64``.
    """
    machine = _MACHINES.get(architecture)
    if machine is None:
        return b""
    code = bytes.fromhex(machine.code)
    order = ">" if machine.big else "<"
    header_bytes, segment_bytes = (64, 56) if machine.wide else (52, 32)
    start = _ADDRESS + header_bytes + segment_bytes
    end = header_bytes + segment_bytes + len(code)
    word = "Q" if machine.wide else "I"
    header = struct.pack(
        f"{order}4s3B9xHHI{word}{word}{word}IHHHHHH",
        *(b"\x7fELF", 2 if machine.wide else 1, 2 if machine.big else 1, 1),
        *(_EXECUTABLE, machine.number, 1, start, header_bytes, 0, machine.flags),
        *(header_bytes, segment_bytes, 1, 0, 0, 0),
    )
    place = (0, _ADDRESS, _ADDRESS, end, end)
    if machine.wide:
        segment = struct.pack(f"{order}II6Q", _LOAD, _READ_EXECUTE, *place, _ADDRESS)
    else:
        segment = struct.pack(f"{order}8I", _LOAD, *place, _READ_EXECUTE, _ADDRESS)
    return header + segment + code
