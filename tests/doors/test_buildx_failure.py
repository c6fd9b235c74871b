"""Every kind of failure is told apart by the words that buildx and BuildKit really use.

The messages are literal, see :mod:`tests.doors.buildx_messages`; buildx 0.29 puts ``failed to
build:`` before them.
"""

from __future__ import annotations

import pytest

from orchestrator.doors.buildx_failure import Said, failure_of
from orchestrator.doors.buildx_rules import BUILD_RULES, COMMAND_RULES
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.run import FailureCause
from orchestrator.model.transient import TRANSIENT_STATUSES
from tests.doors.buildx_messages import MESSAGES, Message
from tests.doors.command_messages import OUTPUT

METADATA = "failed to resolve source metadata for"
HUB = "registry-1.docker.io"
HEAD = 'failed to do request: Head "https://localhost:5999/v2/gold/base/manifests/x"'
#: The words that stand before a message: of buildx 0.13, and of 0.29.
PREFIXES = ["ERROR: failed to solve: ", "ERROR: failed to build: failed to solve: "]


def failed(
    *lines: str, exit_code: int = 1, step: str = "", tail: tuple[str, ...] = ()
) -> BuildFailed:
    """Return the failure that these lines mean."""
    error = failure_of(
        Said(exit_code=exit_code, lines=lines, step=step, tail=tail), "app/Dockerfile"
    )
    assert isinstance(error, BuildFailed)
    return error


@pytest.mark.parametrize("prefix", PREFIXES, ids=["0.13", "0.29"])
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.text[-60:])
def test_message_means_a_cause(prefix: str, message: Message) -> None:
    """Old and new buildx's words give the same cause, and only what may pass is tried again."""
    error = failed(prefix + message.text)
    assert (error.cause, error.transient) == (message.cause, message.transient)


@pytest.mark.parametrize("message", OUTPUT, ids=lambda message: message.text[-60:])
def test_what_a_command_wrote_says_why_it_failed(message: Message) -> None:
    """A full disk is not the command's fault, and a network that failed may be there again."""
    line = f'ERROR: failed to solve: process "x" did not complete successfully: {message.ended}'
    error = failed(line, tail=("before", message.text, "after"))
    assert (error.cause, error.transient) == (message.cause, message.transient)


def test_every_rule_has_a_message() -> None:
    """No rule is in the table that no message shows to be right."""
    told = {rule.words.pattern: 0 for rule in (*BUILD_RULES, *COMMAND_RULES)}
    for rules, messages in ((BUILD_RULES, MESSAGES), (COMMAND_RULES, OUTPUT)):
        for message in messages:
            text = f"{message.text}\n{message.ended}" if rules is COMMAND_RULES else message.text
            rule = next((rule for rule in rules if rule.words.search(text)), None)
            if rule is not None:
                told[rule.words.pattern] += 1
    assert [words for words, times in told.items() if not times] == []


@pytest.mark.parametrize("status", [100, 200, 301, *range(400, 512)])
def test_one_list_says_which_answers_may_be_others_later(status: int) -> None:
    """What the registry's client tries again is what is tried again when BuildKit was told so."""
    error = failed(
        f"ERROR: failed to solve: unexpected status from HEAD request to http://x/v2/: {status} X"
    )
    assert error.transient == (status in TRANSIENT_STATUSES)


def test_transient_answers_are_those_of_busy_servers() -> None:
    """Refusals are answers, and a full disk does not get empty by waiting."""
    assert {408, 425, 429, 500, 502, 503, 504} == TRANSIENT_STATUSES


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ('ResourceExhausted: process "/bin/sh -c bun run build" did not complete', "command"),
        ('rpc error: code = Unknown desc = process "x" did not complete', "command"),
    ],
)
def test_code_before_a_command_is_not_part_of_it(words: str, cause: str) -> None:
    """What gRPC calls an error does not hide that a command failed."""
    error = failed(f"ERROR: failed to solve: {words} successfully: cannot allocate memory")
    assert (error.cause, error.transient) == (cause, False)
    assert "memory" in error.hint


def test_dockerfile_in_the_log_does_not_decide() -> None:
    """A command that wrote nothing leaves the end of the whole log, which quotes other lines."""
    excerpt = ("Dockerfile:2", "   2 | >>> RUN curl http://x || echo connection refused")
    error = failed(
        *excerpt,
        'ERROR: failed to solve: process "x" did not complete successfully: exit code: 1',
        tail=("#3 [1/2] RUN echo 503 Service Unavailable", *excerpt),
    )
    assert (error.cause, error.transient, error.hint) == (FailureCause.COMMAND, False, "")


def test_who_was_killed_is_not_believed_about_its_network() -> None:
    """Retries of its own are in the log of what then had no memory left; it has none again."""
    error = failed(
        'ERROR: failed to solve: process "x" did not complete successfully: exit code: 137',
        tail=("WARNING: Retrying after connection broken: Read timed out.", "Killed"),
    )
    assert (error.cause, error.transient) == (FailureCause.COMMAND, False)
    assert "memory" in error.hint


@pytest.mark.parametrize(
    ("wrote", "transient"),
    [
        ("fatal: unable to access 'https://x/y.git/': Could not resolve host: x", True),
        ("fatal: unable to access 'http://x/y.git/': The requested URL returned error: 503", True),
        ("fatal: repository 'http://x/y.git/' not found", False),
    ],
)
@pytest.mark.parametrize(
    "message",
    [
        "failed to load cache key: error fetching default branch: git error: exit status 128",
        "failed to load cache key: failed to fetch remote https://x/y.git: exit status 128",
    ],
)
def test_git_inside_the_builder_speaks_for_itself(
    message: str, wrote: str, transient: bool
) -> None:
    """BuildKit says only that git failed: what git wrote tells why."""
    error = failed(f"ERROR: failed to solve: {message}", tail=(wrote,))
    assert (error.cause, error.transient) == (FailureCause.COMMAND, transient)


@pytest.mark.parametrize(
    ("lines", "what", "hint"),
    [
        (
            ("unknown flag: --platform", "", "Usage:  docker [OPTIONS] COMMAND [ARG...]"),
            "buildx is missing",
            "install the docker-buildx plugin",
        ),
        (
            ("docker: unknown command: docker buildx", "Run 'docker --help' for more information"),
            "buildx is missing",
            "install the docker-buildx plugin",
        ),
        (
            ("docker: 'buildx' is not a docker command.", "See 'docker --help'"),
            "buildx is missing",
            "install the docker-buildx plugin",
        ),
        (("ERROR: unknown flag: --nosuchflag",), "too old", "0.13 or newer"),
        (
            (
                (
                    "ERROR: Cannot connect to the Docker daemon at unix:///nonexistent. "
                    "Is the docker daemon running?"
                ),
            ),
            "does not answer",
            "start the engine",
        ),
        (
            (
                (
                    "ERROR: permission denied while trying to connect to the Docker daemon socket "
                    'at unix:///var/run/docker.sock: Head "http://x/_ping": permission denied'
                ),
            ),
            "does not let this user in",
            "group `docker`",
        ),
        (
            ('error during connect: Get "https://192.0.2.1/_ping": dial tcp: i/o timeout',),
            "does not answer",
            "DOCKER_HOST",
        ),
        (
            ("ERROR: failed to connect to the docker API at unix:///x; is it there?",),
            "does not answer",
            "DOCKER_HOST",
        ),
        (
            ("ERROR: multiple platforms feature is currently not supported for docker driver.",),
            "cannot build this way",
            "containerd image store",
        ),
        (('ERROR: no builder "nosuch" found',), "no such builder", "docker buildx ls"),
        (
            ('ERROR: context "nope": context not found: open /root/.docker/x: no such file',),
            "no such builder",
            "DOCKER_CONTEXT",
        ),
        (
            ('ERROR: use `docker --context=other buildx` to switch to context "other"',),
            "no such builder",
            "DOCKER_CONTEXT",
        ),
        (
            ("ERROR: attestations are not supported by the current buildkitd",),
            "cannot build this way",
            "containerd image store",
        ),
        (
            (
                (
                    "ERROR: listing workers for Build: failed to list workers: Unavailable: "
                    'connection error: desc = "error reading server preface: http2: frame too '
                    'large"'
                ),
            ),
            "no BuildKit",
            "TLS",
        ),
        (
            ("ERROR: OCI exporter is not supported for the docker driver.", "Switch to …"),
            "cannot build this way",
            "containerd image store",
        ),
        (
            ("ERROR: Multi-platform build is not supported for the docker driver.",),
            "cannot build this way",
            "containerd image store",
        ),
    ],
)
def test_nothing_to_build_with_is_no_failed_build(
    lines: tuple[str, ...], what: str, hint: str
) -> None:
    """Without docker, buildx, an engine or the builder the run needs something, exit 5."""
    error = failure_of(Said(exit_code=1, lines=lines), "Dockerfile")
    assert isinstance(error, BuilderUnavailable)
    assert what in error.what
    assert hint in error.hint


def test_failed_instruction_is_named_with_its_line() -> None:
    """The excerpt of the Dockerfile gives the line and the whole instruction."""
    error = failed(
        "Dockerfile:3",
        "--------------------",
        "   2 |     COPY busybox /bin/sh",
        "   3 | >>> RUN make all \\",
        "   4 | >>>     install",
        "   5 |     ",
        "--------------------",
        'ERROR: failed to solve: process "/bin/sh -c make all     install" did not complete '
        "successfully: exit code: 2",
        tail=("make: *** [all] Error 2",),
    )
    assert error.what == "app/Dockerfile:3: RUN make all install: exit code: 2"
    assert error.log_tail == ("make: *** [all] Error 2",)


def test_line_of_a_syntax_error_is_the_one_in_the_message() -> None:
    """The reason is not said twice."""
    error = failed(
        "Dockerfile:2",
        "--------------------",
        "   2 | >>> COPPY a b",
        "--------------------",
        "ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: COPPY",
    )
    assert error.what == "app/Dockerfile:2: unknown instruction: COPPY"


def test_step_stands_in_for_an_excerpt() -> None:
    """Where buildx shows no excerpt the step's name says where it failed."""
    error = failed(
        'ERROR: failed to solve: process "x" did not complete successfully: exit code: 1',
        step="[linux/arm64 2/3] RUN x",
    )
    assert error.what == "app/Dockerfile: [linux/arm64 2/3] RUN x: exit code: 1"


def test_wrapping_is_left_out_of_the_reason() -> None:
    """What is missing is said without the names of BuildKit's functions."""
    error = failed(
        "Dockerfile:2",
        "   2 | >>> COPY nothere /",
        "ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref "
        'y9e::ylr: "/nothere": not found',
    )
    assert error.what == 'app/Dockerfile:2: COPY nothere /: "/nothere": not found'


def test_last_error_and_last_excerpt_count() -> None:
    """An address in an error line is no line number, and earlier text is history."""
    error = failed(
        "Dockerfile:9",
        "   9 | >>> RUN a",
        "Dockerfile:4",
        "   4 | >>> FROM base",
        "ERROR: first",
        f"ERROR: failed to solve: {METADATA} base: {HEAD}: dial tcp 127.0.0.1:5999",
    )
    assert error.what.startswith("app/Dockerfile:4: FROM base: failed to do request: ")


def test_long_instruction_is_shortened() -> None:
    """A heredoc of a thousand lines does not fill the screen."""
    error = failed(
        "Dockerfile:1",
        *(f"   {n} | >>> line {n} of a script" for n in range(500)),
        'ERROR: failed to solve: process "x" did not complete successfully: exit code: 1',
    )
    assert len(error.what) < 600
    assert error.what.endswith("…: exit code: 1")


def test_words_in_a_command_do_not_decide() -> None:
    """A command that mentions docker, secrets or 401 is still a command."""
    message = (
        'process "/bin/sh -c echo Cannot connect to the Docker daemon; echo 401; exit 1" did not '
        "complete successfully: exit code: 1"
    )
    assert failed(f"ERROR: failed to solve: {message}").cause is FailureCause.COMMAND


def test_syntax_line_that_needs_docker_hub_is_explained() -> None:
    """The line that looks like a comment is the last thing people suspect."""
    error = failed(
        f"ERROR: failed to solve: {METADATA} docker.io/docker/dockerfile:1: failed to do request: "
        f'Head "https://{HUB}/v2/docker/dockerfile/manifests/1": dial tcp: no such host'
    )
    assert error.cause is FailureCause.REGISTRY
    assert "# syntax=" in error.hint


@pytest.mark.parametrize("message", ["ENV must have two arguments", 'unsupported mount type "foo"'])
def test_instruction_that_is_wrong_in_itself(message: str) -> None:
    """BuildKit has many words for it; that it shows the line and no step failed says enough."""
    lines = ("Dockerfile:2", "   2 | >>> ENV x", f"ERROR: failed to solve: {message}")
    assert failed(*lines).cause is FailureCause.DOCKERFILE
    assert failed(*lines, step="[2/2] ENV x").cause is FailureCause.UNKNOWN


def test_command_that_never_ran_says_why() -> None:
    """Where there is no exit code the rest of the message is the reason."""
    error = failed(
        'ERROR: failed to solve: process "true" did not complete successfully: open /x: no file'
    )
    assert error.what == "app/Dockerfile: open /x: no file"


def test_client_that_was_killed_is_no_broken_dockerfile() -> None:
    """A killed client says nothing; trying again may help."""
    error = failed(exit_code=-9)
    assert error.what == "buildx was killed by signal 9"
    assert (error.cause, error.transient) == (FailureCause.BUILDER, True)


def test_silence_is_reported_as_such() -> None:
    """An exit code without a word still gives a sentence."""
    assert failed(exit_code=3).what == "app/Dockerfile: it said nothing and ended with exit code 3"
