"""What stands where a context or a Dockerfile is looked for."""

from __future__ import annotations

from orchestrator.doors.memory.files import Directory, Faulty, Special, Symlink
from orchestrator.doors.tree import Kind
from tests.bad_input.row import SCRATCH, tree

ROWS = (
    tree("a context that is not there", {}),
    tree("a context that differs by case", {"App/Dockerfile": SCRATCH}),
    tree("a context that is a file", {"app": b"hello\n"}),
    tree("a context that is a FIFO", {"app": Special(kind=Kind.FIFO)}),
    tree("a context that is a link to itself", {"app": Symlink(target="app")}),
    tree("a context that is two links to one another",
         {"app": Symlink(target="b"), "b": Symlink(target="app")}),
    tree("a context that is a link out of the tree", {"app": Symlink(target="../..")}),
    tree("a context that is a link to an absolute path", {"app": Symlink(target="/etc")}),
    tree("a context without a Dockerfile", {"app": Directory()}),
    tree("a Dockerfile that differs by case", {"app/dockerfile": SCRATCH}),
    tree("a Dockerfile that is a directory", {"app/Dockerfile": Directory()}),
    tree("a Dockerfile that is a FIFO", {"app/Dockerfile": Special(kind=Kind.FIFO)}),
    tree("a Dockerfile that is a socket", {"app/Dockerfile": Special(kind=Kind.SOCKET)}),
    tree("a Dockerfile that is a device", {"app/Dockerfile": Special(kind=Kind.DEVICE)}),
    tree("a Dockerfile that is a link to itself", {"app/Dockerfile": Symlink(target="Dockerfile")}),
    tree("a Dockerfile that is a link out of the tree",
         {"app/Dockerfile": Symlink(target="../../../etc/hostname")}),
    tree("a Dockerfile that nobody may read", {"app/Dockerfile": Faulty()}),
    tree("a context that nobody may enter", {"app": Faulty(kind=Kind.DIRECTORY)}),
    tree("a FIFO in a context", {"app/Dockerfile": SCRATCH, "app/fifo": Special(kind=Kind.FIFO)},
         "plan"),
    tree("a file in a context that nobody may read",
         {"app/Dockerfile": SCRATCH, "app/key": Faulty()}, "plan"),
    tree("an ignore file that is a directory",
         {"app/Dockerfile": SCRATCH, "app/.dockerignore": Directory()}, "plan"),
    tree("an ignore file that is a FIFO",
         {"app/Dockerfile": SCRATCH, "app/.dockerignore": Special(kind=Kind.FIFO)}, "plan"),
)  # fmt: skip
