"""One git that speaks with a server: bounded in time, without a terminal, and what it says."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from contextlib import suppress

from orchestrator.errors import Unavailable

_TICK_S = 0.2
_GRACE_S = 5.0
_LONGEST_BYTES = 1 << 16
_LONGEST = 300
_SPEAKERS = ("fatal: ", "error: ", "ERROR: ")
_SSH = ("ssh: ", "Connection closed by ", "Connection reset by ", "kex_exchange_")
#: A password may hold `@` and `/`, and what the configuration puts before an address a token.
_SECRET = re.compile(r"(?<=://)[^\s'\"]+(?=@)|(?<=\?)[^\s'\"]+(?=['\"\s:]|$)")
_REFUSED = (
    r"could not read (?:Username|Password)|[Aa]uthentication failed|Permission denied \(|"
    r"Access denied|terminal prompts disabled|returned error: 40[13]"
)
#: What git, curl and ssh say → what to do about it.
_WAYS_OUT = (
    (
        _REFUSED,
        "`git ls-remote` must work here without asking: by a credential helper, or an ssh key",
    ),
    (
        r"Host key verification failed",
        "the server's key has to be in known_hosts",
    ),
    (
        r"not found|does not exist|does not appear to be a git repository|returned error: 404",
        "the address may be wrong, or nobody here may read it",
    ),
    (r"transport '.*' not allowed", "url.….insteadOf in git's configuration leads there"),
)


def transfer(
    command: tuple[str, ...], environment: dict[str, str], *, silence_s: float, timeout_s: float
) -> tuple[int, str]:
    """Run git until it ends, and return its exit code and the last that it said.

    It has no terminal to ask for a password on, and its progress tells that it is alive.

    Args:
        command: with ``--progress``.
        environment: all its variables.
        silence_s: how long it may say nothing.
        timeout_s: how long it may take.

    Raises:
        Unavailable: it took too long, or there is no git.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise Unavailable("git is not installed", hint="install git") from error
    assert process.stderr is not None
    said, listening, descriptor = b"", True, process.stderr.fileno()
    began_s = heard_s = time.monotonic()
    try:
        while True:
            # Not until the pipe ends: an ssh or a helper that stays holds it open.
            ended = process.poll() is not None
            more = b""
            if listening and select.select([descriptor], [], [], 0 if ended else _TICK_S)[0]:
                more = os.read(descriptor, _LONGEST_BYTES)
                listening = bool(more)
            elif not listening and not ended:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_TICK_S)
            now_s = time.monotonic()
            if more:
                said, heard_s = (said + more)[-_LONGEST_BYTES:], now_s
            elif ended:
                return process.returncode, said.decode("utf-8", "replace")
            if now_s - heard_s > silence_s:
                raise Unavailable(f"git heard nothing of it for {silence_s:g} s")
            if now_s - began_s > timeout_s:
                raise Unavailable(f"git was not done with it after {timeout_s:g} s")
    finally:
        _stop(process)
        process.stderr.close()


def reason(said: str) -> str:
    """Return why git failed, in one line that holds no password, with a way out if one is known."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    told = (
        [line for line in lines if line.startswith(_SPEAKERS + _SSH)]
        or lines[-1:]
        or ["no message"]
    )
    # The first is the cause; git then says that it could not read from the remote repository.
    first = next((line for line in lines if re.search(_REFUSED, line)), told[0])
    for speaker in _SPEAKERS:
        first = first.removeprefix(speaker)
    clean = _SECRET.sub("***", "".join(c if c.isprintable() else " " for c in first))[:_LONGEST]
    for pattern, way_out in _WAYS_OUT:
        if re.search(pattern, first):
            return f"{clean} ({way_out})"
    return clean


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started, if it has not ended: gently first, it has locks to remove."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
