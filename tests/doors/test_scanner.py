"""What looks vulnerabilities up promises: a program that somebody configured, and the twin."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.doors.memory.scanner import MemoryScanner
from orchestrator.doors.protocols_scanner import ScanAnswer, Scanner
from orchestrator.doors.scanner import ScannerProgram
from orchestrator.model.change import Vulnerability
from tests.doors.scanner_samples import GRYPE

#: A scanner of somebody's own: a table of what is vulnerable, and a look into the SBOM.
OWN = """\
import json, pathlib, sys
table = [line.split() for line in pathlib.Path("known.txt").read_text().splitlines()]
document = json.loads(pathlib.Path(sys.argv[1]).read_text())
pathlib.Path("calls.txt").open("a").write("x\\n")
has = {(one["name"], one.get("versionInfo", "")) for one in document["packages"]}
found = [
    {"id": name, "severity": severity, "package": package}
    for package, version, name, severity in table
    if (package, version) in has
]
print(json.dumps(found))
"""
KNOWN = "openssl 3.0.15 CVE-2 high\nopenssl 3.0.15 CVE-1 low\nbash 5.2 CVE-3 medium\n"


def spdx(**packages: str) -> bytes:
    """Return a document with packages of these versions."""
    listed = [{"name": name, "versionInfo": version} for name, version in packages.items()]
    return json.dumps({"spdxVersion": "SPDX-2.3", "packages": listed}).encode()


def ask(scanner: Scanner, document: bytes, cancelled: threading.Event | None = None) -> ScanAnswer:
    return scanner.vulnerabilities(document, cancelled=cancelled or threading.Event())


def program(
    where: Path,
    text: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    **more: float,
) -> ScannerProgram:
    """Return the door with a program of this text."""
    (where / "scan.py").write_text(text)
    usual = {"PATH": os.environ["PATH"]} | (environment or {})
    return ScannerProgram(
        (sys.executable, "scan.py", *(arguments or ("{sbom}",))), str(where), usual, **more
    )


class Bench:
    """A scanner, and how often it really looked."""

    def __init__(self, scanner: Scanner, looks: Callable[[], int]) -> None:
        self.scanner = scanner
        self.looks = looks


@pytest.fixture(params=["twin", "program"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "twin":
        twin = MemoryScanner()
        twin.known = {
            ("openssl", "3.0.15"): (("CVE-2", "high"), ("CVE-1", "low")),
            ("bash", "5.2"): (("CVE-3", "medium"),),
        }
        return Bench(twin, lambda: twin.scanned)
    (tmp_path / "known.txt").write_text(KNOWN)
    calls = tmp_path / "calls.txt"
    scanner = program(tmp_path, OWN)
    return Bench(scanner, lambda: len(calls.read_text().split()) if calls.exists() else 0)


def test_what_is_known_is_found(bench: Bench) -> None:
    """By package and version; sorted."""
    answer = ask(bench.scanner, spdx(openssl="3.0.15", bash="5.3"))
    assert answer == ScanAnswer(
        found=(
            Vulnerability(id="CVE-1", severity="low", package="openssl"),
            Vulnerability(id="CVE-2", severity="high", package="openssl"),
        )
    )
    assert ask(bench.scanner, spdx(openssl="3.0.16")) == ScanAnswer()


def test_the_same_document_is_looked_up_once(bench: Bench) -> None:
    """Also by several who ask at the same time."""
    document = spdx(bash="5.2")
    # The first look is alone; after it there may be two.
    ask(bench.scanner, spdx(bash="5.3"))
    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(lambda _: ask(bench.scanner, document), range(4)))
    assert len(answers) == 1
    assert bench.looks() == 2


def test_it_is_given_up_when_it_is_told_to(bench: Bench) -> None:
    """And that is no answer for the next one who asks."""
    cancelled = threading.Event()
    cancelled.set()
    answer = ask(bench.scanner, spdx(bash="5.2"), cancelled)
    assert answer == ScanAnswer(problem="it was stopped before it answered")
    assert len(ask(bench.scanner, spdx(bash="5.2")).found) == 1


def test_what_cannot_be_run_is_a_problem(tmp_path: Path) -> None:
    """With a way out; a name without a slash is looked for on PATH alone."""
    absent = ScannerProgram(("no-such-scanner", "{sbom}"), str(tmp_path), {"PATH": "/usr/bin"})
    answer = ask(absent, spdx())
    assert answer.problem == "no-such-scanner is not installed"
    assert answer.hint == "install it, or mend `scanner:` in the hierarchy file"
    (tmp_path / "data").write_text("no program")
    answer = ask(ScannerProgram(("./data",), str(tmp_path), {}), spdx())
    assert answer.problem == "data cannot be started: Permission denied"


def test_a_relative_program_is_that_of_its_directory(tmp_path: Path) -> None:
    """As its arguments are, wherever we were started."""
    script = tmp_path / "tools" / "scan"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\ncat answer.json\n")
    script.chmod(0o755)
    (tmp_path / "answer.json").write_text('[{"id": "CVE-1", "package": "bash"}]')
    scanner = ScannerProgram(("tools/scan",), str(tmp_path), {"PATH": os.environ["PATH"]})
    assert [one.id for one in ask(scanner, spdx()).found] == ["CVE-1"]


@pytest.mark.parametrize("code", [1, 2, 100])
def test_an_exit_code_is_no_failure_where_there_is_an_answer(tmp_path: Path, code: int) -> None:
    """Scanners say so that they found something (``--fail-on``, ``--exit-code``)."""
    text = f"import sys\nprint({GRYPE!r})\nprint('discovered', file=sys.stderr)\nsys.exit({code})"
    assert len(ask(program(tmp_path, text), spdx()).found) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "import sys; print('log'); sys.exit('failed to load vulnerability db')",
            "ended with exit code 1: failed to load vulnerability db",
        ),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
        ("print('NAME  INSTALLED  VULNERABILITY')", "wrote cannot be read: it is no JSON"),
        ("print('{}')", "wrote cannot be read: it is not what grype or trivy writes"),
        ("pass", "wrote cannot be read: it is no JSON"),
        ("import os; print('[]', flush=True); os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("print('x' * (129 << 20))", "was stopped: it says more than can be read"),
    ],
)
def test_what_is_no_answer_is_a_problem(tmp_path: Path, text: str, problem: str) -> None:
    """One sentence; and whoever asks again gets another try."""
    scanner = program(tmp_path, text)
    answer = ask(scanner, spdx())
    assert problem in answer.problem
    assert "\n" not in answer.problem
    assert answer.found == ()


def test_who_takes_too_long_is_not_tried_again(tmp_path: Path) -> None:
    """Fifty images would wait fifty times for a scanner that hangs."""
    text = "import pathlib, time\npathlib.Path('calls').open('a').write('x')\ntime.sleep(600)"
    scanner = program(tmp_path, text, limit_s=1.0)
    first, second = ask(scanner, spdx(a="1")), ask(scanner, spdx(a="2"))
    assert "was stopped: it did not answer within 1 s" in first.problem
    assert second == first
    assert (tmp_path / "calls").read_text() == "x"


def test_who_was_stopped_by_us_is_tried_again(tmp_path: Path) -> None:
    """It did not take too long: somebody pressed Ctrl-C."""
    text = """\
import pathlib, time
begun = pathlib.Path("begun")
if not begun.exists():
    begun.touch()
    time.sleep(600)
print("[]")
"""
    scanner = program(tmp_path, text)
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(ask, scanner, spdx(), cancelled)
        while not (tmp_path / "begun").exists():
            cancelled.wait(0.01)
        cancelled.set()
        assert "was stopped: it was stopped before it answered" in looking.result().problem
    assert ask(scanner, spdx()) == ScanAnswer()


def test_a_failure_is_forgotten(tmp_path: Path) -> None:
    """A database that could not be fetched may be there the next time."""
    text = (
        "import pathlib\np = pathlib.Path('tried')\nprint('[]' if p.exists() else 'no')\np.touch()"
    )
    scanner = program(tmp_path, text)
    assert ask(scanner, spdx()).problem
    assert ask(scanner, spdx()) == ScanAnswer()


SHOWS = """\
import json, os, sys
where = sys.argv[1]
seen = {"argument": where, "file": open(where.partition(":")[2]).read(), "input": sys.stdin.read(),
        "environment": dict(os.environ)}
open("seen.json", "w").write(json.dumps(seen))
open(os.path.join(os.environ["TMPDIR"], "large"), "w").write("x")
print("[]")
"""


def test_what_it_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document as a file and on standard input; none of our secrets; nothing stays behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    environment = {
        "HOME": "/home/ci",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "SMTP_PASSWORD": "hunter2",
    }
    scanner = program(tmp_path, SHOWS, "sbom:{sbom}", environment=environment)
    assert ask(scanner, spdx(bash="5.2")) == ScanAnswer()
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["argument"].startswith("sbom:")
    assert json.loads(seen["file"]) == json.loads(seen["input"]) == json.loads(spdx(bash="5.2"))
    assert {"HOME", "HTTPS_PROXY", "PATH", "NO_COLOR"} <= seen["environment"].keys()
    assert "SMTP_PASSWORD" not in seen["environment"]
    assert list((tmp_path / "spool").iterdir()) == []


def test_its_own_settings_reach_it(tmp_path: Path) -> None:
    """By their name; another one's do not."""
    script = tmp_path / "my-scan.sh"
    script.write_text('#!/bin/sh\nenv > seen.txt\necho "[]"\n')
    script.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"],
        "MY_SCAN_TOKEN": "1",
        "MY_SCANNER": "2",
        "OTHER_TOKEN": "3",
    }
    assert ask(ScannerProgram(("./my-scan.sh",), str(tmp_path), environment), spdx()).problem == ""
    seen = (tmp_path / "seen.txt").read_text()
    assert "MY_SCAN_TOKEN=1" in seen
    assert "MY_SCANNER" not in seen
    assert "OTHER_TOKEN" not in seen


def test_the_first_look_is_alone(tmp_path: Path) -> None:
    """A scanner fetches its database then; two at once would both fetch it. Later two are."""
    text = """\
import json, os, pathlib, sys, time
here = pathlib.Path("running")
here.mkdir(exist_ok=True)
mine = here / str(os.getpid())
mine.touch()
most = 0
for _ in range(8):
    most = max(most, len(list(here.iterdir())))
    time.sleep(0.05)
with open("most", "a") as file:
    file.write(f"{most}\\n")
mine.unlink()
print("[]")
"""
    scanner = program(tmp_path, text)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ask(scanner, spdx(a=str(number))), range(4)))
    most = [int(line) for line in (tmp_path / "most").read_text().split()]
    assert most[0] == 1
    assert max(most) <= 2
