"""Build logs on disk, as the builder writes them: ``DIRECTORY/RUN/IMAGE.log``.

Of an image with several platforms ``DIRECTORY/RUN/IMAGE@OS-ARCH.log``; no image's id has an @.
"""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.errors import StateUnavailable


class DiskLogs:
    """The logs of builds that ran on this machine.

    Args:
        directory: has one directory for each run.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def names(self, run: str, image: str) -> tuple[str, ...]:
        """Return what an image's logs of a run are called, sorted; none where there is none."""
        path = self._path(run, image)
        if path is None:
            return ()
        found: list[str] = []
        try:
            # Not by a pattern: a name from the command line may have its characters in it.
            with os.scandir(path.parent) as entries:
                for entry in entries:
                    name = entry.name.removesuffix(".log")
                    is_ours = name != entry.name and name.partition("@")[0] == image
                    if is_ours and entry.is_file():
                        found.append(name)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _unreadable(path.parent, error) from error
        return tuple(sorted(found))

    def size_bytes(self, run: str, name: str) -> int | None:
        """Return how long a log is now; None where there is none."""
        path = self._path(run, name)
        if path is None:
            return None
        try:
            return path.stat().st_size if path.is_file() else None
        except OSError as error:
            raise _unreadable(path, error) from error

    def read(self, run: str, name: str, offset: int, most: int) -> bytes:
        """Return what stands in a log from a byte on; empty at its end."""
        path = self._path(run, name)
        if path is None:
            return b""
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(most)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unreadable(path, error) from error

    def _path(self, run: str, name: str) -> Path | None:
        """Return the file; None for names that would lead elsewhere."""
        names = (run, name)
        if any(n in ("", ".", "..") or os.sep in n or "\0" in n or len(n) > 200 for n in names):
            return None
        return self._directory / run / f"{name}.log"


def _unreadable(path: Path, error: OSError) -> StateUnavailable:
    return StateUnavailable(
        f"cannot read the log {path}: {error.strerror}",
        hint="may this user read it? --state names another place",
    )
