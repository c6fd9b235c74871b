"""Mutated hierarchies and Dockerfiles through `check`: `python -m tests.bad_input.fuzz SECONDS`.

The default run of the tests takes a few hundred of them, always the same. What is found becomes a
row of the table.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from orchestrator.cli import main
from tests.bad_input import (
    rows_dockerfiles,
    rows_fields,
    rows_sharing,
    rows_telling,
    rows_upstreams,
    rows_yaml,
)
from tests.world import DOCKERFILES, HEAD

#: Seconds that no file of a few MB may take.
LONGEST_S = 5
_BYTES_AT_MOST = 4 << 20
_WORDS = [
    word.encode()
    for word in (
        "[", "]", "{", "}", ": ", "- ", "? ", "&a ", "*a", "!!x ", "<<: ", "|\n", ">\n", "---\n",
        "'", '"', "\\", "#", "%", "@", "`", "\t", "\r", "\0", "\x1b[2J", "\u202e", "\ufeff", "..",
        "../", "~/", "/", "//", "C:\\", "${A", "${A:-b}", "$A", "${A#*}", "${A//*/b}", "FROM ",
        "AS x", "ARG A=$A", "COPY --from=", "RUN --mount=from=", "<<EOF\n", "EOF\n", "\\\n",
        "ONBUILD ", "# syntax=x\n", "# escape=`\n", "--push", "sha256:", ":99999", "{key}",
        "{version}", "{label.a}", "{a}", "matrix: {a: [1, 2]}", "exclude: [{a: 1}]", "include: [a]",
        "tiers: {a: {}}", "formerly: a", "retired: true", "replaced_by: a", "requires: '>=0'",
        "on_change: notify", "on_parent_change: {'*': final-only}", "track: semver ^1", "hold",
        "{hold: {until: 2027-01-01, because: a}}", "soak: 1d", "mirror: true", "pin: sha256:",
        "subscriptions: [{team: a}]", "images: ['+a*']", "env:A", "feed: true", "webhook: {url: ",
        "null", "true", "1e9", "0x1", "9" * 40, "\uff41", "e\u0301", "\ud7ff",
    )
]  # fmt: skip
_TOKEN = re.compile(rb"[\w.:/{}$-]{1,60}")


class TooSlow(BaseException):
    """A check took longer than :data:`LONGEST_S`."""


def seeds() -> list[tuple[bytes, bytes]]:
    """Return hierarchies and Dockerfiles to start from: good ones and those of the table."""
    lines = [
        f'  {image}: {{context: app, version: "1", tier: base, args: {{A: b}}}}\n'
        for image in DOCKERFILES
    ]
    good = f"{HEAD}{''.join(lines)}".encode()
    found = [(good, text.encode()) for text in DOCKERFILES.values()]
    tables = (rows_yaml, rows_fields, rows_sharing, rows_upstreams, rows_telling, rows_dockerfiles)
    for row in (row for table in tables for row in table.ROWS):
        pair = row.files.get("hierarchy.yaml"), row.files.get("app/Dockerfile", b"FROM scratch\n")
        match pair:
            case (bytes() as hierarchy, bytes() as dockerfile) if len(hierarchy) < 100_000:
                found.append((hierarchy, dockerfile))
    return found


def mutated(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return bytes with a few things changed."""
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at, to = sorted((chance.randint(0, len(content)), chance.randint(0, len(content))))
        to = min(to, at + chance.choice((1, 4, 40, 4000)))
        word = chance.choice(_WORDS)
        match chance.randrange(10):
            case 0:
                new = word
            case 1:
                new = word * chance.choice((2, 50, 3000))
            case 2:
                new = b""
            case 3:
                new = content[at:to] * chance.choice((2, 3, 300))
            case 4:
                other = chance.choice(others)
                start = chance.randint(0, len(other))
                new = other[start : start + chance.choice((5, 60, 2000))]
            case 5:
                new = bytes(chance.randrange(256) for _ in range(chance.choice((1, 3))))
            case 6:
                new = content[at:to] + word
            case 7 | 8:
                # A word in the place of another one mostly leaves the syntax whole.
                found = list(_TOKEN.finditer(content, at, at + 4000))
                if not found:
                    continue
                at, to = chance.choice(found).span()
                new = chance.choice(_TOKEN.findall(chance.choice(others)) or [word])
            case _:
                new = content[at:to][::-1]
        content = (content[:at] + new + content[to:])[:_BYTES_AT_MOST]
    return content


def cases(seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield hierarchies and Dockerfiles without end; the same for the same seed."""
    chance = random.Random(seed)
    known = seeds()
    hierarchies, dockerfiles = ([pair[n] for pair in known] for n in (0, 1))
    while True:
        hierarchy, dockerfile = chance.choice(known)
        if chance.random() < 0.6:
            hierarchy = mutated(hierarchy, hierarchies, chance)
        else:
            dockerfile = mutated(dockerfile, dockerfiles, chance)
        yield hierarchy, dockerfile


def checked(hierarchy: bytes, dockerfile: bytes) -> tuple[int, str]:
    """Check what stands in the working directory; return the exit code and all that was said.

    Raises:
        TooSlow: it took too long.
    """
    Path("hierarchy.yaml").write_bytes(hierarchy)
    Path("app").mkdir(exist_ok=True)
    Path("app/Dockerfile").write_bytes(dockerfile)
    said = io.StringIO()
    before = signal.signal(signal.SIGALRM, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(["check"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return code, said.getvalue()


def complaint(code: int, said: str) -> str:
    """Return what is wrong with what a check said; empty where nothing is."""
    if code not in (0, 3):
        return f"exit {code}"
    if any(not (ch.isprintable() or ch == "\n") for ch in said):
        return "it shows what a terminal might act on"
    if len(said) > 4 << 20:
        return "it says more than anybody reads"
    return ""


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow


def fuzz(seconds: float, seed: int) -> int:
    """Check for a while, keep what goes wrong beside, and return how much did."""
    found = 0
    kept = Path(tempfile.mkdtemp(prefix="fuzz-found-"))
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        until_s = time.monotonic() + seconds
        slowest_s = 0.0
        for number, (hierarchy, dockerfile) in enumerate(cases(seed), 1):
            start_s = time.monotonic()
            try:
                what = complaint(*checked(hierarchy, dockerfile))
            except TooSlow:
                what = "too slow"
            slowest_s = max(slowest_s, time.monotonic() - start_s)
            if what:
                found += 1
                print(f"{kept}/{number}: {what}", flush=True)
                (kept / f"{number}.yaml").write_bytes(hierarchy)
                (kept / f"{number}.Dockerfile").write_bytes(dockerfile)
            if time.monotonic() > until_s:
                break
        print(f"{number} checked, {found} found, the slowest took {slowest_s:.1f} s")
    return found


if __name__ == "__main__":
    wanted_s = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    sys.exit(bool(fuzz(wanted_s, int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()))))
