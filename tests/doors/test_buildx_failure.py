"""Every kind of failure is told apart by the words that buildx and BuildKit really use.

The messages are literal: of buildx 0.13 with an engine 26.1, or where ``build:`` stands in front,
of buildx 0.29.
"""

from __future__ import annotations

import pytest

from orchestrator.doors.buildx_failure import Said, failure_of
from orchestrator.errors import BuilderUnavailable, BuildFailed
from orchestrator.model.run import FailureCause

PARENT = "localhost:5000/gold/base@sha256:" + "0" * 64
HUB = "registry-1.docker.io"
HEAD = 'failed to do request: Head "https://localhost:5999/v2/gold/base/manifests/x"'
CHECKSUM = "failed to compute cache key: failed to calculate checksum of ref y9e::ylr:"
METADATA = "failed to resolve source metadata for"

STATUS = f"{METADATA} x: unexpected status from HEAD request to http://x/v2/a/manifests/1: "

#: Message, cause, whether trying again may help.
CASES = [
    *(
        (message, FailureCause.DOCKERFILE, False)
        for message in (
            "dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)",
            "dockerfile parse error on line 3: unknown flag: --foo",
            'target stage "nope" could not be found',
            "failed to load LLB: network.host is not allowed",
            "failed to read dockerfile: open nope: no such file or directory",
            "the Dockerfile cannot be empty",
            "file with no instructions",
            "base name ($NOPE) should not be blank",
            "circular dependency detected on stage: a",
            "no build stage in current context",
            "invalid stage index 7",
        )
    ),
    (
        'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7',
        FailureCause.COMMAND,
        False,
    ),
    (
        'failed to load cache key: Get "https://x/y": dial tcp 192.0.2.1:443: connect: refused',
        FailureCause.COMMAND,
        True,
    ),
    (f'{CHECKSUM} "/nothere": not found', FailureCause.MISSING_FILE, False),
    ("secret pip: not found", FailureCause.MISSING_SECRET, False),
    (f"{METADATA} {PARENT}: {PARENT}: not found", FailureCause.PARENT_MISSING, False),
    (f"gold/base:1: {METADATA} x/gold/base:1: x: not found", FailureCause.PARENT_MISSING, False),
    (
        f"{METADATA} localhost:5000/gold/base:1: no match for platform in manifest: not found",
        FailureCause.PARENT_MISSING,
        False,
    ),
    (
        f"{METADATA} {PARENT}: {HEAD}: dial tcp 127.0.0.1:5999: connect: connection refused",
        FailureCause.REGISTRY,
        True,
    ),
    (
        (
            f"debian:12: {METADATA} docker.io/library/debian:12: {HEAD}: dial tcp: lookup {HUB} on "
            "192.0.2.53:53: no such host"
        ),
        FailureCause.REGISTRY,
        True,
    ),
    (f"{METADATA} x: {HEAD}: EOF", FailureCause.REGISTRY, True),
    (f"{STATUS}429 Too Many Requests", FailureCause.REGISTRY, True),
    (f"{STATUS}500 Internal Server Error", FailureCause.REGISTRY, True),
    (f"{STATUS}503 Service Unavailable", FailureCause.REGISTRY, True),
    (f"{STATUS}400 Bad Request", FailureCause.REGISTRY, False),
    (
        (
            f"{METADATA} x: {HEAD}: tls: failed to verify certificate: x509: certificate signed by "
            "unknown authority"
        ),
        FailureCause.REGISTRY,
        False,
    ),
    (
        f"{METADATA} x: {HEAD}: http: server gave HTTP response to HTTPS client",
        FailureCause.REGISTRY,
        False,
    ),
    (f"{STATUS}401 Unauthorized", FailureCause.ACCESS, False),
    (f"{STATUS}403 Forbidden", FailureCause.ACCESS, False),
    (
        (
            f"{METADATA} x: pull access denied, repository does not exist or may require "
            "authorization: server message: insufficient_scope: authorization failed"
        ),
        FailureCause.ACCESS,
        False,
    ),
    (
        "failed to compute cache key: write /var/lib/docker/tmp/x: no space left on device",
        FailureCause.DISK_FULL,
        False,
    ),
    ("Canceled: context canceled", FailureCause.BUILDER, True),
    (
        "rpc error: code = Unavailable desc = error reading from server: EOF",
        FailureCause.BUILDER,
        True,
    ),
    ('closing transport due to: connection error: desc = "EOF"', FailureCause.BUILDER, True),
    ("something nobody has seen before", FailureCause.UNKNOWN, False),
]


def failed(
    *lines: str, exit_code: int = 1, step: str = "", tail: tuple[str, ...] = ()
) -> BuildFailed:
    """Return the failure that these lines mean."""
    error = failure_of(
        Said(exit_code=exit_code, lines=lines, step=step, tail=tail), "app/Dockerfile"
    )
    assert isinstance(error, BuildFailed)
    return error


@pytest.mark.parametrize(
    "prefix", ["ERROR: failed to solve: ", "ERROR: failed to build: failed to solve: "]
)
@pytest.mark.parametrize(("message", "cause", "transient"), CASES, ids=[c[0][:60] for c in CASES])
def test_message_means_a_cause(
    prefix: str, message: str, cause: FailureCause, transient: bool
) -> None:
    """Old and new buildx's words give the same cause, and only what may pass is tried again."""
    error = failed(prefix + message)
    assert (error.cause, error.transient) == (cause, transient)


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


@pytest.mark.parametrize(
    ("line", "cause", "transient"),
    [
        ("dd: error writing 'x': No space left on device", FailureCause.DISK_FULL, False),
        ("Temporary failure resolving 'deb.debian.org'", FailureCause.COMMAND, True),
        ("curl: (6) Could not resolve host: example.com", FailureCause.COMMAND, True),
        ("E: Failed to fetch x  503  Service Unavailable", FailureCause.COMMAND, True),
        ("curl: (28) Failed to connect: Connection timed out", FailureCause.COMMAND, True),
        ("read: Connection reset by peer", FailureCause.COMMAND, True),
        ("net/http: TLS handshake timeout", FailureCause.COMMAND, True),
        ("error: 502 Bad Gateway", FailureCause.COMMAND, True),
        ("E: Failed to fetch x  Hash Sum mismatch", FailureCause.COMMAND, True),
        ("exec /bin/sh: exec format error", FailureCause.COMMAND, False),
        ("make: *** [all] Error 2", FailureCause.COMMAND, False),
    ],
)
def test_what_a_command_wrote_says_why_it_failed(
    line: str, cause: FailureCause, transient: bool
) -> None:
    """A full disk is not the command's fault, and a network that failed may be there again."""
    error = failed(
        'ERROR: failed to solve: process "x" did not complete successfully: exit code: 1',
        tail=("before", line),
    )
    assert (error.cause, error.transient) == (cause, transient)
    assert bool(error.hint) == ("make" not in line)


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
