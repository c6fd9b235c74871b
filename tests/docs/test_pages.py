"""Every command in the documentation is run, and does what its page says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import click
import pytest

from orchestrator.cli.app import root
from tests.docs.pages import DOCS, Command, File, Page, pages
from tests.docs.sandbox import ROOT, Sandbox, registries_for
from tests.postgres_server import PostgresServer, programs
from tests.second_engine import SecondEngine, can_start_one

KUBECONFIG = Path(os.environ.get("KUBECONFIG", "~/.kube/config")).expanduser()
PAGES = [page for page in pages() if page.commands]
NEEDS = [(page, need) for page in PAGES for need in sorted({c.needs for c in page.commands})]


def has_cluster() -> bool:
    """Whether a Kubernetes cluster answers."""
    if not KUBECONFIG.is_file():
        return False
    line = ["kubectl", "version", "--request-timeout=5s"]
    try:
        return subprocess.run(line, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def has_postgres() -> bool:
    """Whether a PostgreSQL server can be started, and its clients are there."""
    return programs() is not None and shutil.which("pg_dump") is not None


def on_the_server(step: Command, server: PostgresServer) -> Command:
    """Return a command of a page with the test's server in the place of the page's."""
    text = step.text.replace("gold@db.example/", f"gold@127.0.0.1:{server.port}/")
    if text.startswith(("createuser", "createdb", "psql")):
        text = f"PGHOST=127.0.0.1 PGPORT={server.port} PGUSER=postgres {text}"
    shown = tuple(
        line.replace("gold@db.example/", f"gold@127.0.0.1:{server.port}/") for line in step.output
    )
    return replace(step, text=text, output=shown)


def on_the_machine(step: Command, second: SecondEngine) -> Command:
    """Return a command of a page with the test's second engine in the place of the page's."""
    return replace(step, text=step.text.replace("ssh://builder@arm64.example", second.address))


#: What commands may need beyond an engine and a registry → whether it is here, and why not.
EXTRAS = {
    "machine": (can_start_one, "no second engine can be started here"),
    "buildkit": (lambda: False, "a page's own BuildKit is not started; the doors' tests have one"),
    "cluster": (has_cluster, "no Kubernetes cluster answers; KUBECONFIG names one"),
    "postgres": (has_postgres, "no PostgreSQL server with its clients is installed"),
}


def marked(page: Page, need: str) -> object:
    marks = [pytest.mark.engine] if page.needs & {"engine", "registry"} else []
    return pytest.param(page, need, marks=marks, id="-".join(filter(None, (page.name, need))))


@pytest.mark.parametrize(("page", "need"), [marked(page, need) for page, need in NEEDS])
def test_page(page: Page, need: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A reader who types what the page says gets what it shows, from its first line to its last."""
    if need:
        is_here, reason = EXTRAS[need]
        if not is_here():
            pytest.skip(f"docs/{page.name}: {reason}")
    with registries_for(page, request, tmp_path) as registries:
        sandbox = Sandbox(tmp_path, page, registries)
        server = request.getfixturevalue("postgres") if need == "postgres" else None
        second = request.getfixturevalue("second_engine") if need == "machine" else None
        for step in page.steps:
            if isinstance(step, File) and step.path == "kubeconfig" and need == "cluster":
                # The page shows one that leads nowhere.
                shutil.copy(KUBECONFIG, sandbox.directory / step.path)
            elif isinstance(step, File):
                sandbox.write(step)
            elif step.needs in ("", need):
                step = on_the_server(step, server) if server else step
                sandbox.run(on_the_machine(step, second) if second else step)


def test_nothing_to_type_escapes_the_test() -> None:
    """What a reader would type stands in console blocks, which are run, and in no other kind."""
    shells = [
        f"docs/{page.name}:{line}"
        for page in pages()
        for language, line in page.languages
        if language in ("bash", "sh", "shell", "zsh", "shell-session")
    ]
    assert shells == []


def test_pages_with_commands_say_what_they_start_from() -> None:
    """A page that has commands says where its reader stands."""
    assert [page.name for page in PAGES if not page.start] == []


def invocations() -> list[tuple[str, str]]:
    """Return (place, command line) of every `orchestrate …` in inline code and in files shown."""
    found = []
    for path in sorted([*DOCS.rglob("*.md"), ROOT / "README.md"]):
        if "adr" in path.parts or path.name == "commands.md":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            spans = line.split("`")[1::2] if "`" in line else [line.split("run: ")[-1].lstrip("- ")]
            found += [
                (f"{path.relative_to(ROOT)}:{number}", span.strip())
                for span in spans
                if span.strip().startswith("orchestrate ")
            ]
    return found


def test_every_command_line_that_is_mentioned_parses() -> None:
    """Commands and options that prose and examples name exist, with the arguments they need."""
    wrong = []
    for place, line in invocations():
        try:
            words = shlex.split(line.replace("…", "").removesuffix("\\"), comments=True)[1:]
        except ValueError as error:
            wrong.append(f"{place}: {line}: {error}")
            continue
        ends = (number for number, word in enumerate(words) if word in ("|", "||", "&&", ">", ";"))
        words = [word.strip("[]") for word in words[: next(ends, None)]]
        name = next((word for word in words if not word.startswith("-")), "")
        command = root.get_command(click.Context(root), name)
        if name.isupper() or "--help" in words or "--version" in words:
            continue
        if command is None:
            wrong.append(f"{place}: {line}: no such command")
            continue
        rest = words[words.index(name) + 1 :]
        if not rest:
            continue  # a mention of the command
        try:
            command.make_context(name, rest)
        except click.ClickException as error:
            wrong.append(f"{place}: {line}: {error.format_message()}")
    assert wrong == []
