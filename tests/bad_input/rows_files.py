"""Hierarchy files that are no files, or are not there."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.doors.memory.files import Directory, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from tests.bad_input.row import HEAD, IMAGES, command, tree

GOOD = f"{HEAD}{IMAGES}".encode()

ROWS = (
    replace(command("no hierarchy file", "check"), bare=True),
    replace(command("a hierarchy file that is named and not there", "check -f gold.yaml"),
            bare=True),
    tree("a hierarchy file that is a directory", {"hierarchy.yaml": Directory()}),
    tree("a hierarchy file that is a FIFO", {"hierarchy.yaml": Special(kind=Kind.FIFO)}),
    tree("a hierarchy file that is a socket", {"hierarchy.yaml": Special(kind=Kind.SOCKET)}),
    tree("a hierarchy file that is a device", {"hierarchy.yaml": Special(kind=Kind.DEVICE)}),
    tree("a hierarchy file that is a link to itself",
         {"hierarchy.yaml": Symlink(target="hierarchy.yaml")}),
    tree("a hierarchy file that is a link to nothing",
         {"hierarchy.yaml": Symlink(target="gone.yaml")}),
    tree("a hierarchy file that nobody may read", {"hierarchy.yaml": Faulty()}),
    tree("a hierarchy file that never ends", {}, "check", "-f", "/dev/zero"),
    tree("a hierarchy file on standard input", {}, "check", "-f", "-"),
    tree("a hierarchy file below a file", {"note": b"hello\n"}, "check", "-f", "note/gold.yaml"),
    tree("a hierarchy file with NUL in its name", {}, "check", "-f", "a\0b"),
    tree("a hierarchy file with an escape sequence in its name",
         {"\x1b[31mred.yaml": b"nothing\n"}, "check", "-f", "\x1b[31mred.yaml"),
    tree("a hierarchy file whose name is no UTF-8",
         {"caf\udce9.yaml": b"nothing\n"}, "check", "-f", "caf\udce9.yaml"),
    tree("a hierarchy file of a very long name", {}, "check", "-f", "a" * 300),
)  # fmt: skip
