"""This machine: disks, directories, processes."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from orchestrator.errors import Unavailable
from orchestrator.model.health import Disk, Entry

#: Architecture → what QEMU calls it.
_CPUS = {
    "386": "i386",
    "amd64": "x86_64",
    "arm64": "aarch64",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
}


class RealMachine:
    """Answers to :class:`orchestrator.doors.protocols_health.Machine`.

    Args:
        proc: where the kernel shows processes.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self.host = socket.gethostname() or "unknown"
        self.spool_dir = tempfile.gettempdir()
        self._proc = proc

    def disk(self, path: str) -> Disk:
        """Return the disk a path is on, or would be on; see the protocol."""
        there = Path(path).absolute()
        try:
            while not there.exists():
                there = there.parent
            usage = shutil.disk_usage(there)
            device = there.stat().st_dev
        except OSError as error:
            raise Unavailable(f"cannot ask for the disk of {path}: {error.strerror}") from error
        return Disk(path=str(there), device=device, total_bytes=usage.total, free_bytes=usage.free)

    def entries(self, directory: str) -> tuple[Entry, ...]:
        """Return what is in a directory; see the protocol."""
        found = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    state = entry.stat(follow_symlinks=False)
                    found.append(
                        Entry(
                            name=entry.name,
                            is_dir=entry.is_dir(follow_symlinks=False),
                            modified_s=state.st_mtime,
                        )
                    )
        except (FileNotFoundError, NotADirectoryError):
            pass  # A file may vanish while we look: that is no finding.
        except OSError as error:
            raise Unavailable(f"cannot read {directory}: {error.strerror}") from error
        return tuple(sorted(found, key=lambda entry: entry.name))

    def remove(self, path: str) -> None:
        """Remove a file or a directory; see the protocol."""
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Unavailable(f"cannot remove {path}: {error.strerror}") from error

    def move_aside(self, path: str) -> str:
        """Rename a database's files; see the protocol."""
        number = 1
        while os.path.lexists(aside := f"{path}.damaged-{number}"):
            number += 1
        try:
            # Its log first: a new database must never find that of the old one.
            for suffix in ("-wal", "-shm", ""):
                if os.path.lexists(path + suffix):
                    os.rename(path + suffix, aside + suffix)
        except OSError as error:
            raise Unavailable(f"cannot move {path} aside: {error.strerror}") from error
        return aside

    def size_bytes(self, directory: str) -> int:
        """Return how much the files below a directory take; what vanishes meanwhile is nothing."""
        total = 0
        for folder, _, names in os.walk(directory):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except OSError:
                    continue
        return total

    def other_orchestrators(self) -> int | None:
        """Return how many other processes of this program run here; see the protocol."""
        if not (self._proc / "self").exists():
            return None
        own = {os.getpid(), os.getppid()}
        found = 0
        for folder in self._proc.iterdir():
            if folder.name.isdecimal() and int(folder.name) not in own:
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                found += _is_ours([word.decode(errors="replace") for word in words])
        return found

    def emulator_command(self, architecture: str) -> str:
        """Return what registers an installed emulator of an architecture; see the protocol."""
        cpu = _CPUS.get(architecture, architecture)
        if Path(f"/usr/share/binfmts/qemu-{cpu}").exists() and shutil.which("update-binfmts"):
            return f"sudo update-binfmts --enable qemu-{cpu}"
        if Path(f"/usr/lib/binfmt.d/qemu-{cpu}.conf").exists():
            return "sudo systemctl restart systemd-binfmt"
        return ""


def _is_ours(words: list[str]) -> bool:
    """Say whether a command line is this program's: by its script, or by `-m`."""
    if any(os.path.basename(word) == "orchestrate" for word in words[:2]):
        return True
    return "-m" in words and words[words.index("-m") + 1 :][:1] == ["orchestrator"]
