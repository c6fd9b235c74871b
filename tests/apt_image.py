"""A tiny system with the real dpkg and apt, made of this machine's own files, and an archive.

No registry and no Debian mirror is needed for it: the programs, the libraries that they load and
a busybox for the rest are taken from here, and packages are made on the spot.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_PROGRAMS = ("apt-get", "apt-config", "dpkg", "dpkg-deb", "dpkg-query", "dpkg-split", "tar")
_METHODS = Path("/usr/lib/apt/methods")
_EMPTY = (
    *("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/dpkg", "tmp"),
    *("etc/apt/trusted.gpg.d", "usr/share/dpkg", "var/lib/apt/lists/partial", "var/log/apt"),
    *("var/cache/apt/archives/partial", "var/lib/dpkg/info", "var/lib/dpkg/updates"),
    *("var/lib/dpkg/triggers", "var/lib/apt/periodic", "root", "dev", "proc"),
)
#: The last three are only looked for: dpkg does not work without them.
_APPLETS = ("cat", "rm", "mkdir", "uname", "diff", "ldconfig", "start-stop-daemon")


def system_tar(busybox: bytes, sources: str) -> bytes:
    """Return the root file system as a tar; skip the test where this machine has no apt.

    Args:
        busybox: a static one, for this machine.
        sources: content of ``sources.list``.
    """
    found = {name: shutil.which(name) for name in _PROGRAMS}
    dash = Path("/bin/dash")
    if None in found.values() or not dash.exists() or not (_METHODS / "http").exists():
        pytest.skip("this machine has no apt whose programs could be taken")
    files = [dash, *(Path(path) for path in found.values() if path)]
    files += [_METHODS / name for name in ("http", "file", "store", "copy")]
    libraries = {library for file in files for library in _libraries(file)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in _EMPTY:
            _add(tar, folder, None)
        for file in (*files, *sorted(libraries)):
            _add(tar, str(file).lstrip("/"), file.read_bytes())
        _add(tar, "bin/busybox", busybox)
        # Not busybox: its shell takes a dpkg of its own for the real one.
        _add(tar, "bin/sh", dash.read_bytes())
        for applet in _APPLETS:
            member = tarfile.TarInfo(f"usr/bin/{applet}")
            member.type, member.linkname = tarfile.SYMTYPE, "/bin/busybox"
            tar.addfile(member)
        _add(
            tar, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/bin/sh\n"
        )
        _add(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        _add(tar, "etc/apt/sources.list", sources.encode())
        _add(
            tar,
            "etc/apt/apt.conf.d/plain",
            b'Acquire::Languages "none";\nAPT::Sandbox::User "root";\n',
        )
        _add(tar, "var/lib/dpkg/status", b"")
        for table in ("cputable", "ostable", "tupletable", "abitable"):
            path = Path("/usr/share/dpkg", table)
            if path.exists():
                _add(tar, str(path).lstrip("/"), path.read_bytes())
    return buffer.getvalue()


def _libraries(program: Path) -> list[Path]:
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


def _add(tar: tarfile.TarFile, name: str, content: bytes | None) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = 0o755, 1_600_000_000
    if content is None:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
        return
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


class Archive:
    """A directory that apt reads packages from, below the root of an HTTP server."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.packages: dict[str, str] = {}
        where.mkdir(parents=True)

    def offer(self, label: str = "Debian", **packages: str) -> None:
        """Offer packages in these versions, in the place of what was offered of them before."""
        self.packages |= packages
        # apt wants an empty line behind each, the last one too.
        entries = "".join(f"{self._entry(*package)}\n" for package in self.packages.items())
        (self.where / "Packages").write_text(entries)
        packed = gzip.compress(entries.encode(), mtime=0)
        (self.where / "Packages.gz").write_bytes(packed)
        lists = {"Packages": entries.encode(), "Packages.gz": packed}
        sums = "".join(
            f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n"
            for name, content in lists.items()
        )
        (self.where / "Release").write_text(
            f"Origin: Debian\nLabel: {label}\nSuite: stable\nVersion: 12\nCodename: bookworm\n"
            f"Date: {formatdate(usegmt=True)}\nSHA256:\n{sums}"
        )

    def _entry(self, name: str, version: str) -> str:
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: t <t@example.com>\nDescription: test\n"
        )
        file = self.where / f"{name}_{version}_all.deb"
        if not file.exists():
            tree = self.where.parent / f"{name}-{version}"
            (tree / "DEBIAN").mkdir(parents=True)
            (tree / "DEBIAN/control").write_text(control)
            (tree / "usr/share" / name).mkdir(parents=True)
            (tree / "usr/share" / name / "version").write_text(version)
            line = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(file)]
            subprocess.run(line, check=True, capture_output=True)
        content = file.read_bytes()
        return (
            f"{control}Filename: ./{file.name}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        )


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Serve a directory to containers, and yield its URL; skip where they could not reach us."""
    form = "{{(index .IPAM.Config 0).Gateway}}"
    said = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", form], capture_output=True, text=True
    )
    try:
        server = ThreadingHTTPServer(
            (said.stdout.strip(), 0), partial(_Quiet, directory=str(directory))
        )
    except OSError:
        pytest.skip("the engine's bridge is not on this machine")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        host, port = server.server_address[:2]
        yield f"http://{host!s}:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
