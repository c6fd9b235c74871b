"""Where a page's commands are run: a reader's directory, with a home and registries of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Command, File, Page, missing_line, read_page
from tests.registry_container import push, running_registry

ROOT = DOCS.parent
LIMIT_S = 300.0
#: What the password in the pages about private registries is, as htpasswd has it.
HTPASSWD = "robot:$2b$05$abcdefghijklmnopqrstuu85MXjg6exOQL.AXFImpsqFFSBHJgLRe\n"

# What this machine has set must not reach a reader's commands.
_OURS = ("ORCHESTRATE_", "CI", "GITHUB_", "GITLAB_", "XDG_", "DOCKER_CONFIG", "KUBECONFIG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """What takes the place of the registries that pages name.

    Attributes:
        public: ``host:port/prefix``, for ``localhost:5000``, ``docker.io`` and others.
        private: ``host:port`` that wants a password, for ``registry.example``; may be empty.
    """

    public: str = "registry.invalid"
    private: str = ""

    def real(self, text: str) -> str:
        """Return a text of the page with the test's registries in it."""
        if self.private:
            text = text.replace("registry.example", self.private)
        for name in ("registry.example", "mirror.example", "localhost:5000", "docker.io"):
            short = name.partition(".")[0].partition(":")[0]
            text = text.replace(f"{name}/", f"{self.public}/{short}/")
        return text


@contextmanager
def registries_for(page: Page, request: pytest.FixtureRequest, where: Path) -> Iterator[Registries]:
    """Yield the registries that a page needs, with what it stands on in them."""
    if not page.needs & {"engine", "registry"}:
        yield Registries()
        return
    public = f"{request.getfixturevalue('registry_url')}/{uuid.uuid4().hex[:8]}"
    if "engine" in page.needs:
        push_debian(f"{public}/docker/library/debian:bookworm-slim", where)
    with ExitStack() as stack:
        private = ""
        if "private" in page.needs:
            settings = {
                "REGISTRY_AUTH": "htpasswd",
                "REGISTRY_AUTH_HTPASSWD_REALM": "docs",
                "REGISTRY_AUTH_HTPASSWD_PATH": "/htpasswd/users",
            }
            users = {"/htpasswd/users": HTPASSWD}
            private = stack.enter_context(running_registry(settings, users))
        yield Registries(public=public, private=private)


def push_debian(reference: str, where: Path) -> None:
    """Publish a small image for the one from Docker Hub that pages stand on."""
    busybox = os.environ.get("ORCHESTRATE_TEST_BUSYBOX")
    if not busybox:
        pytest.skip("ORCHESTRATE_TEST_BUSYBOX names no directory; scripts/test sets it")
    context = where / "debian"
    shutil.copytree(busybox, context)
    (context / "Dockerfile").write_text(
        "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH/busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    )
    line = ["docker", "buildx", "build", "--platform=linux/amd64,linux/arm64", "--push", "-q"]
    push([*line, "-t", reference, str(context)])


class Sandbox:
    """A reader's directory, with a home of its own.

    Args:
        where: an empty directory to put both in.
        page: says what is there at the start.
        registries: for those the page names.
        programs: a directory that PATH starts with.
    """

    def __init__(
        self, where: Path, page: Page, registries: Registries, programs: Path | None = None
    ) -> None:
        self._page = page
        self._registries = registries
        self.directory = where / "work"
        self.directory.mkdir()
        (where / "home").mkdir()
        self._keep = where / "kept"
        self._keep.write_text(f"cd {shlex.quote(str(self.directory))}\n")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith(_OURS)},
            "HOME": str(where / "home"),
            "PATH": f"{programs}:{path}" if programs else path,
            "NO_COLOR": "1",
            "COLUMNS": "80",
            "GIT_CONFIG_GLOBAL": str(where / "home/.gitconfig"),
        }
        (where / "home/.gitconfig").write_text("[user]\nname = You\nemail = you@example.com\n")
        if page.start == "started":
            self._get_started()

    def _get_started(self) -> None:
        """Bring about what the first page leaves, as soon as everything is built."""
        first = read_page(DOCS / "getting-started.md")
        for step in first.steps:
            if isinstance(step, File):
                self.write(step)
        lines = ["git init -q -b main && git add -A && git commit -q -m 'Two images'"]
        if "engine" in self._page.needs:
            lines.append("orchestrate build -q")
        for line in lines:
            self.run(Command(text=line, code=0, output=(), line=0))

    def write(self, file: File) -> None:
        """Write a file that the page shows."""
        path = self.directory / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._registries.real(file.text))

    def run(self, command: Command) -> str:
        """Run a command where the one before left off, compare, and return what it printed."""
        keep = shlex.quote(str(self._keep))
        script = (
            f". {keep}\n{self._registries.real(command.text)}\ncode=$?\n"
            f'{{ export -p; printf "cd %q\\n" "$PWD"; }} > {keep}\nexit $code\n'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
        where = f"docs/{self._page.name}:{command.line}: $ {command.text}"
        assert done.returncode == command.code, f"{where}\n{done.stdout}"
        missing = missing_line(tuple(map(self._registries.real, command.output)), done.stdout)
        assert missing is None, f"{where}\nmissing: {missing}\n{done.stdout}"
        return done.stdout
