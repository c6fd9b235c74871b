"""What buildx writes while it builds → events, and a log that people can read."""

from __future__ import annotations

import base64
import json

import pytest

from orchestrator.doors.buildx_progress import (
    TAIL_LINES,
    Output,
    Transcript,
    Vertex,
    read_progress,
)

RUN = "sha256:8ad4"
COPY = "sha256:3b58"
ERROR = 'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7'

#: As buildx 0.13 and BuildKit 0.13 wrote them, shortened.
VALUES: list[dict[str, object]] = [
    {"vertexes": [{"digest": COPY, "name": "[1/2] COPY busybox /bin/sh"}]},
    {"vertexes": [{"digest": RUN, "inputs": [COPY], "name": "[2/2] RUN exit 7"}]},
    {
        "vertexes": [
            {
                "digest": COPY,
                "name": "[1/2] COPY busybox /bin/sh",
                "started": "2026-11-22T03:04:58.641608142Z",
                "completed": "2026-11-22T03:04:58.65402425Z",
                "cached": True,
            }
        ]
    },
    {
        "vertexes": [
            {
                "digest": RUN,
                "name": "[2/2] RUN exit 7",
                "started": "2026-11-22T03:04:58.654958516Z",
            }
        ]
    },
    {
        "logs": [
            {
                "vertex": RUN,
                "stream": 1,
                "data": "aGVsbG8K",
                "timestamp": "2026-11-22T03:04:58.79035138Z",
            }
        ]
    },
    {
        "vertexes": [
            {
                "digest": RUN,
                "name": "[2/2] RUN exit 7",
                "started": "2026-11-22T03:04:58.654958516Z",
                "completed": "2026-11-22T03:04:59.818705115Z",
                "error": ERROR,
            }
        ]
    },
]
TEXT = """\
Dockerfile:3
--------------------
   2 |     COPY busybox /bin/sh
   3 | >>> RUN exit 7
--------------------
ERROR: failed to solve: """
STARTED, LATER, END = (f"2026-11-22T03:04:5{second}.5Z" for second in (0, 1, 2))


def lines_of(values: list[dict[str, object]], indent: int | None) -> list[bytes]:
    """Return the lines of one value after another, then plain text."""
    text = "\n".join(json.dumps(value, indent=indent) for value in values)
    return (text + "\n" + TEXT + ERROR + "\n").encode().splitlines(keepends=True)


def transcribed(*events: Vertex | Output | str, secret: str = "\0") -> tuple[Transcript, list[str]]:
    """Return the transcript of some events, and its log."""
    log: list[str] = []
    transcript = Transcript(log.append, lambda text: text.replace(secret, "***"))
    for event in events:
        transcript.take(event)
    transcript.finish()
    return transcript, log


def vertex(
    name: str, *, started: str = STARTED, completed: str = "", cached: bool = False, error: str = ""
) -> Vertex:
    """Return a vertex whose digest is its name."""
    return Vertex(
        digest=name, name=name, started=started, completed=completed, cached=cached, error=error
    )


def output(name: str, data: bytes, at: str = LATER) -> Output:
    """Return what a vertex wrote."""
    return Output(vertex=name, at=at, data=data)


@pytest.mark.parametrize("indent", [2, None], ids=["pretty, as 0.13", "a line each, as 0.29"])
def test_both_forms_give_the_same_log(indent: int | None) -> None:
    """Values over many lines and values on one line, with text after them, read the same."""
    _, log = transcribed(*read_progress(lines_of(VALUES, indent)))
    assert log == [
        "#1 [1/2] COPY busybox /bin/sh",
        "#1 CACHED",
        "#2 [2/2] RUN exit 7",
        "#2 0.135 hello",
        f"#2 ERROR: {ERROR}",
        *TEXT.splitlines()[:-1],
        f"ERROR: failed to solve: {ERROR}",
    ]


def test_text_that_looks_like_json_is_text() -> None:
    """Braces in plain text, and a value that was cut off, are written as they stand."""
    lines = [b"{not json}\n", b"{\n", b'  "vertexes": [\n', b"}\n", b"}\n", b"{\n", b"cut off"]
    assert list(read_progress(lines)) == [
        "{not json}",
        "{",
        '  "vertexes": [',
        "}",
        "}",
        "{",
        "cut off",
    ]


def test_values_of_unknown_shape_are_passed_over() -> None:
    """A field that a newer BuildKit writes differently is no reason to fail a build."""
    values = [{"vertexes": 3}, {"vertexes": [7, {"digest": 1}], "logs": [{"data": "!"}]}, {"x": 1}]
    lines = [json.dumps(value).encode() + b"\n" for value in values]
    transcribed(*read_progress(lines))


def test_what_a_step_wrote_stands_before_its_end() -> None:
    """A value that has a step's end and its last output is put in order."""
    said = {
        "vertexes": [{"digest": "a", "name": "a", "started": STARTED, "completed": END}],
        "statuses": [{"id": "exporting layers", "vertex": "a", "completed": LATER}],
        "warnings": [{"vertex": "a", "short": base64.b64encode(b"careful").decode()}],
    }
    _, log = transcribed(vertex("a"), *read_progress([json.dumps(said).encode()]))
    assert log == ["#1 a", "#1 1.000 exporting layers done", "#1 WARNING: careful", "#1 DONE 2.0s"]


def test_pieces_of_a_line_are_put_together() -> None:
    """Output comes in pieces of any size; what has no newline at the end is not lost."""
    _, log = transcribed(
        vertex("a"),
        output("a", b"he"),
        output("a", b"llo\nwor"),
        output("a", b"ld\n\xc3"),
        output("a", b"\xa9\nrest"),
        vertex("a", completed=END),
        vertex("b"),
        output("b", b"killed"),
    )
    assert log == [
        "#1 a",
        "#1 1.000 hello",
        "#1 1.000 world",
        "#1 1.000 é",
        "#1 2.000 rest",
        "#1 DONE 2.0s",
        "#2 b",
        "#2 killed",
    ]


def test_line_without_end_is_cut() -> None:
    """A step that writes without newlines does not fill the memory."""
    _, log = transcribed(vertex("a"), *[output("a", b"x" * 10_000) for _ in range(20)])
    assert sum(len(line) for line in log) > 200_000
    assert max(len(line) for line in log) < 100_000


def test_log_has_no_colours_and_no_control_characters() -> None:
    """What a step paints on its terminal cannot paint on ours."""
    _, log = transcribed(
        vertex("a"), output("a", b"\x1b[31mred\x1b[0m\x07\tx\x9b\r\n 10%\r 100%\n")
    )
    assert log[1:] == ["#1 1.000 red\tx\ufffd", "#1 1.000  100%"]


def test_secrets_are_hidden_everywhere() -> None:
    """In output, even in pieces; in names and errors of steps; in buildx's own text."""
    transcript, log = transcribed(
        vertex("RUN hunter2"),
        output("RUN hunter2", b"pass=hun"),
        output("RUN hunter2", b"ter2!\n"),
        vertex("RUN hunter2", completed=END, error="hunter2 failed"),
        "ERROR: hunter2",
        secret="hunter2",
    )
    failed = transcript.failed
    assert failed
    said = [*log, failed.name, failed.error, *transcript.tail(), *transcript.said]
    assert [text for text in said if "hunter2" in text] == []
    assert "#1 1.000 pass=***!" in log


def test_steps_are_those_of_the_dockerfile() -> None:
    """Loading, authentication and exporting are no steps; a failed step is not done."""
    names = (
        "[internal] load remote build context",
        "[context base] load metadata for localhost:5000/base",
        "[auth] library/debian:pull",
        "exporting to oci image format",
    )
    transcript, _ = transcribed(
        *(vertex(name, completed=END) for name in names),
        vertex("[1/3] FROM base", completed=END, cached=True),
        vertex("[linux/arm64 2/3] RUN make", completed=END, error="failed"),
        vertex("[linux/amd64 build 2/3] RUN make", started=""),
    )
    assert transcript.steps() == (1, 3)


def test_doing_is_what_started_last_and_still_runs() -> None:
    """A step that ended is not what is being done; when all ended nothing is."""
    events = [
        vertex("a"),
        vertex("b"),
        vertex("c", started=""),
        vertex("b", completed=END),
        vertex("a", completed=END),
    ]
    transcript, _ = transcribed()
    doing = []
    for event in events:
        transcript.take(event)
        doing.append(transcript.doing())
    assert doing == ["a", "b", "b", "a", ""]


def test_step_that_failed_is_not_one_that_was_cancelled_for_it() -> None:
    """When a platform fails the others are cancelled; the summary names the cause."""
    cancelled = vertex("a", completed=END, error='process "x": exit code: 137: context canceled')
    transcript, _ = transcribed(cancelled, vertex("b", completed=END, error="exit code: 2"))
    assert transcript.failed
    assert transcript.failed.name == "b"
    transcript, _ = transcribed(cancelled)
    assert transcript.failed
    assert transcript.failed.name == "a"
    assert transcribed(vertex("a", completed=END))[0].failed is None


def test_a_cache_outside_the_builder_is_not_what_failed() -> None:
    """A build goes on without it; its step is no step that anybody wrote."""
    away = "importing cache manifest from localhost:5000/gold/app:cache-app-linux-amd64"
    transcript, _ = transcribed(
        vertex(away, completed=END, error="not found"),
        vertex("exporting cache to registry", completed=END, error="refused"),
        vertex("[2/2] RUN make", completed=END, error="exit code: 2"),
    )
    assert transcript.failed
    assert transcript.failed.name == "[2/2] RUN make"


def test_tail_is_what_the_failed_step_wrote_last() -> None:
    """Output of other steps beside it does not push the reason out; without output, the log."""
    ours = [output("a", f"{n}\n".encode()) for n in range(TAIL_LINES + 5)]
    others = [output("b", b"noise\n")] * TAIL_LINES
    failed = vertex("a", completed=END, error="exit code: 2")
    transcript, log = transcribed(vertex("a"), vertex("b"), *ours, *others, failed)
    assert transcript.tail() == tuple(str(n) for n in range(5, TAIL_LINES + 5))
    silent, log = transcribed(vertex("a"), failed)
    assert silent.tail() == tuple(log)
