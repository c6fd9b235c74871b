"""A second container engine on this machine, reached as a docker context, that tests may kill.

It runs in a process and a mount namespace of its own: killing the one process that was started ends
everything the engine ever started, and takes its mounts away, as when a machine loses its power.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_START_S = 60.0
_STOP_S = 20.0
_CONFIGURATION = {
    "features": {"containerd-snapshotter": True},
    # Without packet rules nothing of it is left behind; and it must not touch those of the first.
    "iptables": False,
    "ip6tables": False,
    "ip-forward": False,
    "ip-masq": False,
}


class SecondEngine:
    """A dockerd with data, sockets and a bridge of its own.

    Attributes:
        context: name of the docker context that it is.
        address: as in DOCKER_HOST.
        environment: of docker clients that know the context; the first engine is their default.
    """

    def __init__(self, where: Path, docker: str, disk_bytes: int | None = None) -> None:
        name, net = ("second", 18) if disk_bytes is None else ("little", 19)
        self.context = f"{name}-{os.getpid()}"
        self._where = where
        self._docker = docker
        self._disk_bytes = disk_bytes
        self._bridge = f"{name}{os.getpid() % 10**8}"
        # Of the range for tests of network gear, RFC 2544; another one for each process.
        self._address = f"198.{net}.{os.getpid() % 256}.1/24"
        self._socket = where / "docker.sock"
        self.address = f"unix://{self._socket}"
        self._log = where / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: Mapping[str, str] = {
            **{k: v for k, v in os.environ.items() if k not in ("DOCKER_HOST", "DOCKER_CONTEXT")},
            "DOCKER_CONFIG": str(where / "docker-config"),
        }

    def make(self) -> None:
        """Make the bridge, the configuration and the context."""
        _run("ip", "link", "add", "name", self._bridge, "type", "bridge")
        _run("ip", "address", "add", self._address, "dev", self._bridge)
        _run("ip", "link", "set", self._bridge, "up")
        (self._where / "daemon.json").write_text(json.dumps(_CONFIGURATION))
        (self._where / "docker-config").mkdir()
        command = ("context", "create", self.context, "--docker", f"host={self.address}")
        _run(self._docker, *command, environment=self.environment)

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers; what it built is still there."""
        if self._process is not None:
            return
        # Numbers in old files are of processes that are gone, or of others by now.
        shutil.rmtree(self._where / "exec", ignore_errors=True)
        for stale in (self._where / "dockerd.pid", self._socket):
            stale.unlink(missing_ok=True)
        data = self._where / "data"
        data.mkdir(exist_ok=True)
        # Mounted where nobody else sees it: it goes with the engine, and what it has with it.
        size = self._disk_bytes
        mount = f"mount -t tmpfs -o size={size} tmpfs {data} && " if size is not None else ""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                (
                    # It must not outlive the tests, however they end.
                    *("setpriv", "--pdeathsig", "KILL", "--"),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                    *("sh", "-c", f'{mount}exec "$0" "$@"', "dockerd"),
                    f"--config-file={self._where / 'daemon.json'}",
                    f"--data-root={data}",
                    f"--exec-root={self._where / 'exec'}",
                    f"--pidfile={self._where / 'dockerd.pid'}",
                    f"--host={self.address}",
                    f"--bridge={self._bridge}",
                    f"--cgroup-parent=/{self._bridge}",
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.stop()
                tail = self._log.read_text(errors="replace").splitlines()[-15:]
                raise RuntimeError("the second engine does not come up:\n" + "\n".join(tail))
            time.sleep(0.1)

    def make_room(self, disk_bytes: int) -> None:
        """Give its disk another size, while it runs."""
        assert self._process is not None
        child = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        inside = ("nsenter", f"--target={child.split()[0]}", "--mount")
        size = f"remount,size={disk_bytes}"
        _run(*inside, "mount", "-o", size, str(self._where / "data"))

    def stop(self) -> None:
        """Kill it as it stands, with all that it runs; nothing listens on its socket then."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + _STOP_S
        while self._listens():
            assert time.monotonic() < deadline, "the second engine does not die"
            time.sleep(0.02)

    def remove(self) -> None:
        """Stop it and take back all that was made for it."""
        self.stop()
        with suppress(subprocess.CalledProcessError):
            _run("ip", "link", "delete", self._bridge)
        deadline = time.monotonic() + _STOP_S
        # The namespace goes a moment after its first process, and its mounts with it.
        while self._where.exists() and time.monotonic() < deadline:
            shutil.rmtree(self._where, ignore_errors=True)
            time.sleep(0.05)
        for folder in Path("/sys/fs/cgroup").glob(f"**/{self._bridge}"):
            for inner in sorted(folder.glob("**/"), reverse=True):
                with suppress(OSError):
                    inner.rmdir()

    def _answers(self) -> bool:
        command = (self._docker, "--context", self.context, "version", "--format", "{{.Server}}")
        done = subprocess.run(command, env=self.environment, capture_output=True)
        return done.returncode == 0

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._socket))
            except OSError:
                return False
        return True


@contextmanager
def running_second_engine(disk_bytes: int | None = None) -> Iterator[SecondEngine]:
    """Start one and yield it; skip the test, with the reason, where that cannot be done.

    Args:
        disk_bytes: size of a disk of its own, in memory, for all that it has; None: there is room.
    """
    if reason := _why_not():
        pytest.skip(f"no second engine: {reason}")
    docker = shutil.which("docker")
    assert docker is not None
    # The paths of sockets may have no more than 107 characters.
    engine = SecondEngine(Path(tempfile.mkdtemp(prefix="gold2-", dir="/tmp")), docker, disk_bytes)
    try:
        try:
            engine.make()
            engine.start()
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", b"") or b""
            pytest.skip(f"no second engine: {error} {said.decode(errors='replace')}")
        yield engine
    finally:
        engine.remove()


def can_start_one() -> bool:
    """Whether this machine can have one, as far as that is seen without trying."""
    return not _why_not()


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can start one"
    for program in ("dockerd", "docker", "ip", "setpriv", "unshare"):
        if shutil.which(program) is None:
            return f"there is no program {program}"
    return ""


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, env=environment, check=True, capture_output=True)
