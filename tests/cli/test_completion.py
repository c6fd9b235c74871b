"""Completion: what is offered, by the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.cli.overview import COMMANDS
from orchestrator.model.delivery import DeliveryState
from orchestrator.model.message import refused
from tests.cli.stage import Stage
from tests.cli.test_startup import cpu_s
from tests.telling import receiver, subscribe, subscription

BIN = Path(sys.executable).parent
PATH = os.pathsep.join((str(BIN), os.environ["PATH"]))


Offer = Callable[[str], list[str]]


@pytest.fixture
def offer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Return a function: line typed so far → the words offered."""
    monkeypatch.chdir(stage.directory)

    def offered(line: str) -> list[str]:
        with monkeypatch.context() as typing:
            typing.setenv("_ORCHESTRATE_COMPLETING", "1")
            typing.setenv("COMP_LINE", line)
            assert main([], outside=stage.outside) == 0
        out, err = stage.captured()
        assert err == ""
        return [answer.split("\t")[1] for answer in out.splitlines()]

    return offered


def test_commands_and_options(offer: Offer) -> None:
    """Every command, options behind a dash, choices behind their option."""
    assert offer("orchestrate ") == list(COMMANDS)
    assert offer("orchestrate ver") == ["version"]
    assert "--exclude" in offer("orchestrate plan --ex")
    assert offer("orchestrate --color ") == ["auto", "always", "never"]
    assert offer("orchestrate --color=n") == ["--color=never"]
    assert offer("orchestrate plan -o m") == ["markdown"]
    assert offer("orchestrate completion z") == ["zsh"]


def test_images_and_selectors_are_live(offer: Offer, stage: Stage) -> None:
    """Those of the file at hand, as it is now."""
    known = sorted(stage.world.dockerfiles)
    assert sorted(offer("orchestrate plan ")) == known
    assert sorted(offer("orchestrate why ")) == known
    assert offer(f"orchestrate build --force {known[0]}"[:-1])[:1] == [known[0]]
    assert sorted(offer("orchestrate plan --exclude +")) == [f"+{name}" for name in known]
    first = known[0]
    assert offer(f"orchestrate plan --what-if {first},{known[1]}") == [f"{first},{known[1]}"]
    assert f"{first},{first}" not in offer(f"orchestrate plan --what-if {first},")
    file = stage.directory / "hierarchy.yaml"
    text = file.read_text()
    file.write_text(re.sub(rf"(?m)^  {first}:", "  fresh-name:", text))
    assert offer("orchestrate why fr") == ["fresh-name"]


def test_upstreams_are_offered_where_they_are_taken(offer: Offer) -> None:
    """`--what-if` takes them, also after a comma and never twice; other options do not."""
    assert offer("orchestrate plan --what-if deb") == ["debian:12"]
    assert offer("orchestrate plan --what-if debian:") == ["debian:12"]
    assert offer("orchestrate plan --what-if base,deb") == ["base,debian:12"]
    assert offer("orchestrate plan --what-if debian:12,deb") == []
    assert offer("orchestrate plan --force deb") == []


def test_selectors_of_tiers_and_labels(offer: Offer, stage: Stage) -> None:
    """What there is to select by is read from the file."""
    (stage.directory / "hierarchy.yaml").write_text(
        "version: 1\nname: x\nregistry: localhost:5000/x\nplatforms: [linux/amd64]\nimages:\n"
        "  a: {context: a, version: 1, tier: low, labels: {team: red}}\n"
        "  b: {context: b, version: 1, tier: high, labels: {team: blue}}\n"
    )
    assert offer("orchestrate plan t") == ["tier:"]
    assert offer("orchestrate plan tier:") == ["tier:high", "tier:low"]
    assert offer("orchestrate plan label:team=r") == ["label:team=red"]
    assert offer("orchestrate plan state:") == ["state:failed"]


def test_teams_are_those_of_the_files(offer: Offer, stage: Stage) -> None:
    """Who subscribes, and who owns images; events and images beside them."""
    file = stage.directory / "hierarchy.yaml"
    file.write_text(file.read_text().replace("  base: {", "  base: {labels: {team: owners}, "))
    assert offer("orchestrate subscribe ") == ["owners"]
    for team in ("web", "web", "ops"):
        image = f"--image {'base' if team == 'ops' else 'web'}"
        stage.run("subscribe", team, *image.split(), "--apprise", f"env:{team.upper()}_A")
    for command in ("subscribe", "subscriptions", "notify test"):
        assert sorted(offer(f"orchestrate {command} ")) == ["ops", "owners", "web"], command
    assert offer("orchestrate subscriptions w") == ["web"]
    assert offer("orchestrate subscribe web --event tag.") == ["tag.moved", "tag.rolled-back"]
    assert offer("orchestrate subscribe web --image +ng") == ["+nginx"]


def test_notices_that_were_given_up_are_live(offer: Offer, stage: Stage) -> None:
    """Behind `notify replay`, in the team's place too; each once, and nowhere else."""
    subscribe(stage, subscription("web", "web"), subscription("ops", "base"))
    for team in ("web", "ops"):
        receiver(stage, team).answer = refused("413")
    stage.run("build", inside=False)
    outbox = stage.world.history.outbox
    dead = {each.team: each.id for each in outbox.deliveries("gold", [DeliveryState.DEAD])}
    assert offer("orchestrate notify replay ") == ["ops", "web"]
    assert sorted(offer("orchestrate notify replay msg_")) == sorted(dead.values())
    assert offer("orchestrate notify replay web ") == [dead["web"]]
    assert offer(f"orchestrate notify replay {dead['web']} ") == [dead["ops"]]
    assert offer(f"orchestrate notify replay web {dead['web']} ") == []
    assert offer("orchestrate notify list web ") == offer("orchestrate notify test msg_") == []


def test_runs_are_live(offer: Offer, stage: Stage) -> None:
    """Past runs, the newest first."""
    assert offer("orchestrate show ") == []
    stage.run("build", inside=False)
    runs = [run.id for run in stage.world.history.runs()]
    assert offer("orchestrate show ") == runs
    assert offer(f"orchestrate rollback {runs[0][:5]}") == runs
    assert offer("orchestrate show x") == []


def test_the_file_that_was_named_counts(
    offer: Offer, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-C and -f, before and after the command."""
    monkeypatch.chdir(tmp_path)
    first = min(stage.world.dockerfiles)
    assert offer("orchestrate why ") == []
    assert first in offer(f"orchestrate -C {stage.directory} why ")
    assert first in offer(f"orchestrate why -f {stage.directory}/hierarchy.yaml ")


@pytest.mark.parametrize(
    "content", [b"images: [", b"\xff\xfe", b"", b"images: {a: 1}", b"a: &a [*a]\n", None]
)
def test_a_broken_file_offers_nothing(offer: Offer, stage: Stage, content: bytes | None) -> None:
    """And says nothing: somebody is typing there."""
    file = stage.directory / "hierarchy.yaml"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert offer("orchestrate why ") in ([], ["a"])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "orchestrate 'x",
        "orchestrate nope ",
        "orchestrate -C /no why ",
        "orchestrate version x ",
    ],
)
def test_a_strange_line_offers_nothing(offer: Offer, line: str) -> None:
    """Nor does it say anything."""
    assert offer(line) in ([], list(COMMANDS))


def test_completing_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 15 times what Python alone takes: 0.15 s of CPU where that takes 10 ms."""
    with monkeypatch.context() as typing:
        typing.setenv("_ORCHESTRATE_COMPLETING", "1")
        typing.setenv("COMP_LINE", "orchestrate plan ")
        ours = min(cpu_s(sys.executable, "-m", "orchestrator") for _ in range(5))
    bare = min(cpu_s(sys.executable, "-c", "pass") for _ in range(5))
    assert ours <= 15 * bare


def needs(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, argv: list[str], directory: Path) -> None:
        environment = {
            "PATH": PATH, "HOME": str(directory), "TERM": "xterm", "LC_ALL": "C.UTF-8", "PS1": "$ ",
            "HISTFILE": "",
        }  # fmt: skip
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execve(argv[0], argv, environment)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, pattern: str, patience_s: float = 20) -> bool:
        """Read until something is on the screen, from here on."""
        ends = time.monotonic() + patience_s
        while not re.search(pattern, self.seen):
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return False
            try:
                said = os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                return False
            self.seen += re.sub(
                r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07|\x1b\][^\x07]*\x07", "", said
            )
        self.seen = ""
        return True

    def close(self) -> None:
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def gold(stage: Stage) -> Path:
    (stage.directory / "hierarchy.yaml").write_text(
        "version: 1\nname: x\nregistry: localhost:5000/x\nplatforms: [linux/amd64]\nimages:\n"
        "  zebra-one: {context: a, version: 1, tier: lowest}\n"
        "  other: {context: b, version: 1, tier: highest}\n"
    )
    (stage.directory / "some-file.yaml").write_text("")
    return stage.directory


#: What is typed before Tab → what is then on the line.
TYPED = {
    "orchestrate vers": "version ",
    "orchestrate why ze": "zebra-one ",
    "orchestrate plan tier:lo": "tier:lowest ",
    "orchestrate --color=alw": "--color=always ",
    "orchestrate plan +ot": "+other ",
    "orchestrate check -f some": "some-file.yaml ",
}


@pytest.mark.parametrize(
    ("shell", "argv", "setup"),
    [
        ("bash", ["--norc", "--noprofile", "-i"], 'eval "$(orchestrate completion bash)"'),
        (
            "zsh",
            ["-f", "-i"],
            'autoload -U compinit; compinit -u -D; eval "$(orchestrate completion zsh)"',
        ),
    ],
)
def test_shells_complete_what_is_typed(shell: str, argv: list[str], setup: str, gold: Path) -> None:
    """Tab finishes the word, also behind `:` and `=`."""
    terminal = Terminal([needs(shell), *argv], gold)
    try:
        terminal.type(f"{setup}; echo rea''dy\n")
        assert terminal.until("ready")
        for typed, completed in TYPED.items():
            terminal.type(typed + "\t")
            line = typed[: typed.rindex(" ") + 1] + completed
            assert terminal.until(re.escape(line)), (line, terminal.seen)
            terminal.type("\x15")
    finally:
        terminal.close()


def test_zsh_takes_it_from_fpath_as_well(gold: Path) -> None:
    """The printed script may also lie in a directory of $fpath as _orchestrate."""
    (gold / "_orchestrate").write_text(printed("zsh"))
    terminal = Terminal([needs("zsh"), "-f", "-i"], gold)
    try:
        terminal.type("fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; echo rea''dy\n")
        assert terminal.until("ready")
        terminal.type("orchestrate why ze\t")
        assert terminal.until(r"why [^\r\n]*zebra-one ")
    finally:
        terminal.close()


def printed(shell: str) -> str:
    done = subprocess.run(
        [BIN / "orchestrate", "completion", shell], check=True, capture_output=True, text=True
    )
    return done.stdout


def test_fish_completes(gold: Path) -> None:
    """Words and what they are; files where a file is wanted."""
    fish = needs("fish")
    (gold / "config").mkdir()
    script = gold / "orchestrate.fish"
    script.write_text(printed("fish"))

    def completed(line: str) -> list[str]:
        done = subprocess.run(
            [fish, "--no-config", "-c", f"source {script}; complete -C '{line}'"],
            check=True, capture_output=True, text=True, cwd=gold,
            env={"PATH": PATH, "HOME": str(gold), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert completed("orchestrate vers") == [f"version\t{COMMANDS['version']}"]
    assert completed("orchestrate why ") == ["other\t1 highest", "zebra-one\t1 lowest"]
    assert completed("orchestrate plan tier:lo") == ["tier:lowest\t1 image"]
    assert completed("orchestrate --color=alw") == ["--color=always"]
    assert completed("orchestrate check -f some") == ["some-file.yaml"]


def test_bash_offers_every_image(gold: Path) -> None:
    """Without a terminal: the function that readline calls."""
    program = f"""
        {printed("bash")}
        COMP_LINE='orchestrate plan ' COMP_POINT=17
        _orchestrate_completion orchestrate '' plan
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", program], check=True, capture_output=True, text=True, cwd=gold,
        env={"PATH": PATH, "HOME": str(gold)},
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["zebra-one", "other"], "")
