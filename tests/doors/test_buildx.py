"""The real builder with a stand-in for the docker client; an engine is in another file."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.doors.buildx import Buildx
from orchestrator.errors import (
    BuilderUnavailable,
    BuildFailed,
    Conflict,
    StateUnavailable,
    Unavailable,
)
from orchestrator.model.event import StepProgress
from orchestrator.model.hierarchy import Secret
from orchestrator.model.run import FailureCause
from tests.doors.build_requests import make_request, run_build
from tests.doors.stand_in import Client

SECRETS = (Secret(name="pip", env="PIP_URL"), Secret(name="key", file="key.txt"))
RUNNING = (
    '{"vertexes": [{"digest": "a", "name": "[1/2] RUN a", "started": "2026-01-01T00:00:00Z"}]}'
)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A stand-in for docker in a directory of its own."""
    return Client(tmp_path)


def set_after(seconds: float) -> threading.Event:
    """Return an event that somebody sets later."""
    event = threading.Event()
    threading.Timer(seconds, event.set).start()
    return event


def test_context_goes_in_and_output_comes_out_while_progress_is_read(client: Client) -> None:
    """Three pipes at once: no amount on one of them waits for another."""
    builder = client.builder(
        "for n in range(64):\n"
        "    open('first', 'ab').write(sys.stdin.buffer.read(1 << 18))\n"
        "    sys.stderr.write('x' * (1 << 16) + '\\n')\n"
        "copy()\n"
    )
    context = [os.urandom(1 << 20) for _ in range(20)]
    run_build(builder, make_request(), context, client.layout, log_path=client.log)
    got = (client.where / "first").read_bytes() + client.copied.read_bytes()
    assert got == b"".join(context)
    assert client.log.stat().st_size > 4 << 20


def test_client_that_does_not_want_all_of_the_context_succeeds(client: Client) -> None:
    """A broken pipe on standard input is no failure by itself."""
    builder = client.builder("os.close(0)\ngive('output')\n")
    context = [b"x" * (1 << 20)] * 8
    run_build(builder, make_request(), context, client.layout, log_path=client.log)
    assert client.output.read_text() == "output"


def test_context_that_changed_stops_the_build(client: Client) -> None:
    """The iterator's error is raised, and what was sent so far is never taken for the whole."""
    builder = client.builder("time.sleep(60)\n")

    def changed() -> Iterator[bytes]:
        # As much as fits into the pipe, so that the rest is still to be written.
        yield b"x" * (1 << 20)
        yield b"x" * 400_000
        raise Conflict("app.py changed since the plan was made")

    began_s = time.monotonic()
    with pytest.raises(Conflict, match=r"app\.py changed"):
        run_build(builder, make_request(), changed(), client.layout, log_path=client.log)
    assert time.monotonic() - began_s < 10
    assert client.is_gone()


def test_context_that_changed_counts_though_the_build_succeeded(client: Client) -> None:
    """Not even a client that was quick makes half a context right."""
    builder = client.builder("signal.signal(15, signal.SIG_IGN)\ncopy()\n")

    def changed() -> Iterator[bytes]:
        yield b"half"
        raise Conflict("app.py changed since the plan was made")

    with pytest.raises(Conflict):
        run_build(builder, make_request(), changed(), client.layout, log_path=client.log)


def test_client_is_told_where_the_layout_goes(client: Client) -> None:
    """The directory may have any name; what the client says on standard output is nobody's."""
    client.layout = client.where / 'a,b "c"'
    builder = client.builder("print('x' * 200_000)\nopen('said', 'w').write(arguments[-2])\n")
    run_build(builder, make_request(), [], client.layout, log_path=client.log)
    where = str(client.layout).replace('"', '""')
    said = (client.where / "said").read_text()
    assert said == f'--output=type=oci,tar=false,"dest={where}",oci-mediatypes=true'


def test_failure_after_the_output_counts(client: Client) -> None:
    """Whatever was written, a client that failed gave no image."""
    builder = client.builder("give('all')\nsys.exit(1)\n")
    with pytest.raises(BuildFailed):
        run_build(builder, make_request(), [], client.layout, log_path=client.log)


def test_our_own_full_disk_is_told_from_the_engines(client: Client) -> None:
    """The client says which file it could not write; a build on a full engine names another."""
    full = (
        "say('ERROR: failed to solve: failed to copy: write ' + {} + ': no space left on device')"
    )
    ours = client.builder(full.format("dest + '/ingest/b7/data'") + "\nsys.exit(1)\n")
    with pytest.raises(Unavailable, match=r"no room in .*/layout for") as failed:
        run_build(ours, make_request(), [], client.layout, log_path=client.log)
    assert "TMPDIR" in failed.value.hint
    theirs = client.builder(full.format("'/var/lib/docker/x'") + "\nsys.exit(1)\n")
    with pytest.raises(BuildFailed, match="no space left on device"):
        run_build(theirs, make_request(), [], client.layout, log_path=client.log)


def test_time_limit_stops_the_client(client: Client) -> None:
    """It is asked to stop, so that it can stop the engine; what it said last is told."""
    builder = client.builder(
        f"def stop(*_):\n    open('stopped', 'w')\n    sys.exit(1)\n"
        f"signal.signal(signal.SIGTERM, stop)\nsay({RUNNING!r})\ntime.sleep(60)\n"
    )
    began_s = time.monotonic()
    with pytest.raises(BuildFailed, match=r"for linux/amd64 took longer than 1 s") as failed:
        run_build(builder, make_request(timeout_s=1.0), [], client.layout, log_path=client.log)
    assert (failed.value.cause, failed.value.transient) == (FailureCause.TIMEOUT, False)
    assert "`timeout:`" in failed.value.hint
    assert failed.value.log_tail == ("#1 [1/2] RUN a",)
    assert (client.where / "stopped").exists()
    assert client.is_gone()
    assert time.monotonic() - began_s < 30


def test_cancelling_stops_the_client(client: Client) -> None:
    """It is asked to stop, so that it can stop the engine, and cancelled is what is raised."""
    builder = client.builder(
        "def stop(*_):\n    open('stopped', 'w')\n    sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, stop)\ntime.sleep(60)\n"
    )
    began_s = time.monotonic()
    with pytest.raises(BuildFailed, match="cancelled") as failed:
        run_build(
            builder,
            make_request(),
            [],
            client.layout,
            log_path=client.log,
            cancelled=set_after(0.5),
        )
    assert time.monotonic() - began_s < 2
    assert failed.value.cause is FailureCause.CANCELLED
    assert (client.where / "stopped").exists()


def test_client_that_does_not_stop_is_killed(client: Client) -> None:
    """With everything it started, after a few seconds."""
    builder = client.builder(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if not os.fork():\n    open('child', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    began_s = time.monotonic()
    with pytest.raises(BuildFailed, match="cancelled"):
        run_build(
            builder,
            make_request(),
            [],
            client.layout,
            log_path=client.log,
            cancelled=set_after(0.5),
        )
    assert time.monotonic() - began_s < 10
    assert client.is_gone()
    time.sleep(0.1)
    child = Path("/proc", (client.where / "child").read_text(), "stat")
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_child_that_outlives_the_client_is_killed_too(client: Client) -> None:
    """A docker client that ends before its plugin does not leave us waiting for the plugin."""
    builder = client.builder(
        "if not os.fork():\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    os.close(1)\n    time.sleep(60)\n"
        "time.sleep(0.2)\n"
    )
    began_s = time.monotonic()
    with pytest.raises(BuildFailed, match="cancelled"):
        run_build(
            builder,
            make_request(),
            [],
            client.layout,
            log_path=client.log,
            cancelled=set_after(0.7),
        )
    assert time.monotonic() - began_s < 10


def test_cancelled_run_starts_nothing(client: Client) -> None:
    """A build that waited for its turn is not begun after Ctrl-C, not even to find no docker."""
    builder = Buildx(client.environment, ("no-such-docker",), directory=str(client.where))
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(BuildFailed, match="cancelled"):
        run_build(
            builder, make_request(), [], client.layout, log_path=client.log, cancelled=cancelled
        )


def test_killed_client_is_reported_as_such(client: Client) -> None:
    """Whoever killed it, trying again may help."""
    builder = client.builder("os.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(BuildFailed, match="killed by signal 9") as failed:
        run_build(builder, make_request(), [], client.layout, log_path=client.log)
    assert failed.value.transient


def test_ctrl_c_on_the_terminal_is_not_for_the_client(client: Client) -> None:
    """It has a session of its own: only we tell it to stop."""
    builder = client.builder("give(f'{os.getsid(0)} {os.getpgid(0)}')\n")
    run_build(builder, make_request(), [], client.layout, log_path=client.log)
    session, group = map(int, client.output.read_text().split())
    assert session == group == int((client.where / "pid").read_text())
    assert session != os.getsid(0)


def test_secret_values_reach_the_client_by_environment_and_file_only(client: Client) -> None:
    """No value is an argument, and none is in the log though the build prints it."""
    (client.where / "key.txt").write_text("first line\nopen sesame\n")
    builder = client.builder(
        "say(os.environ['PIP_URL'])\nsay('x' + open('key.txt').read())\n"
        "give(repr(arguments))\nsay('ERROR: hunter2')\nsys.exit(3)\n"
    )
    request = make_request(secrets=SECRETS)
    with pytest.raises(BuildFailed) as failed:
        run_build(builder, request, [], client.layout, log_path=client.log)
    said = client.output.read_text()
    everywhere = said + client.log.read_text() + failed.value.what
    everywhere += "".join(failed.value.log_tail)
    assert "--secret=id=pip,env=PIP_URL" in said
    assert "x***\n***\n" in client.log.read_text()
    assert [v for v in ("hunter2", "first line", "open sesame") if v in everywhere] == []


@pytest.mark.parametrize("missing", ["PIP_URL", "key.txt"])
def test_missing_secret_is_noticed_before_the_build(client: Client, missing: str) -> None:
    """buildx would give the build an empty secret for a variable that is not set."""
    (client.where / "key.txt").write_text("open sesame")
    (client.where / missing).unlink(missing_ok=True)
    client.environment.pop(missing, None)
    with pytest.raises(BuildFailed, match=missing) as failed:
        run_build(
            client.builder(""),
            make_request(secrets=SECRETS),
            [],
            client.layout,
            log_path=client.log,
        )
    assert failed.value.cause is FailureCause.MISSING_SECRET
    assert not (client.where / "pid").exists()


def test_source_date_epoch_of_our_own_environment_is_not_passed_on(client: Client) -> None:
    """buildx takes it from there; the request says what it is."""
    client.environment["SOURCE_DATE_EPOCH"] = "1"
    builder = client.builder("give(str(os.environ.get('SOURCE_DATE_EPOCH')))\n")
    run_build(builder, make_request(), [], client.layout, log_path=client.log)
    assert client.output.read_text() == "None"


def test_progress_is_told_when_it_changes(client: Client) -> None:
    """What is being done, how many steps are done and how many are known, each change once."""
    finished = RUNNING.replace('Z"}', 'Z", "completed": "2026-01-01T00:00:01Z"}')
    another = RUNNING.replace('"a"', '"b"').replace("[1/2] RUN a", "[2/2] RUN b")
    waiting = RUNNING.replace(', "started": "2026-01-01T00:00:00Z"', "")
    said = [waiting, RUNNING, RUNNING, another, finished]
    builder = client.builder("".join(f"say({text!r})\n" for text in said) + "time.sleep(0.2)\n")
    seen: list[StepProgress] = []
    run_build(builder, make_request(), [], client.layout, log_path=client.log, progress=seen.append)
    assert seen == [
        StepProgress(image="app", doing="[1/2] RUN a", done=0, total=1),
        StepProgress(image="app", doing="[2/2] RUN b", done=0, total=2),
        StepProgress(image="app", doing="[2/2] RUN b", done=1, total=2),
    ]


def test_error_of_whoever_watches_stops_the_build(client: Client) -> None:
    """It is raised, and the client is not left blocked on a pipe that nobody reads."""
    builder = client.builder(
        "def stop(*_):\n    os.write(2, b'x' * (4 << 20))\n"
        "    open('stopped', 'w')\n    sys.exit(1)\n"
        f"signal.signal(signal.SIGTERM, stop)\nsay({RUNNING!r})\ntime.sleep(60)\n"
    )

    def broken(_progress: StepProgress) -> None:
        raise RuntimeError("display")

    began_s = time.monotonic()
    with pytest.raises(RuntimeError, match="display"):
        run_build(builder, make_request(), [], client.layout, log_path=client.log, progress=broken)
    assert time.monotonic() - began_s < 5
    assert (client.where / "stopped").exists()
    assert client.is_gone()


def test_log_begins_with_the_command_and_can_be_read_along(client: Client) -> None:
    """Each line is in the file as soon as it is known, in a directory made for it."""
    builder = client.builder("say('half way')\ntime.sleep(1)\n")
    thread = threading.Thread(
        target=run_build,
        args=(builder, make_request(), [], client.layout),
        kwargs={"log_path": client.log},
    )
    thread.start()
    time.sleep(0.7)
    lines = client.log.read_text().splitlines()
    thread.join()
    assert lines[0].startswith("$ docker buildx build --platform=linux/amd64 ")
    assert lines[1:] == ["half way"]


def test_log_that_cannot_be_written_is_an_error_with_its_path(client: Client) -> None:
    """Before anything is built."""
    (client.where / "logs").write_text("a file in the way")
    with pytest.raises(StateUnavailable, match=r"logs/app\.log"):
        run_build(client.builder(""), make_request(), [], client.layout, log_path=client.log)
    assert not (client.where / "pid").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_log_on_a_full_disk_stops_the_build(client: Client) -> None:
    """A log that would lack lines is not worth having, and the client is not left behind."""
    builder = client.builder("say('x')\ntime.sleep(60)\n")
    with pytest.raises(StateUnavailable, match="No space left"):
        run_build(builder, make_request(), [], client.layout, log_path=Path("/dev/full"))


def test_no_docker_is_explained(client: Client) -> None:
    """The error names the program that is missing and how to get it."""
    builder = Buildx(client.environment, ("no-such-docker",), directory=str(client.where))
    with pytest.raises(BuilderUnavailable, match="cannot start no-such-docker") as failed:
        run_build(builder, make_request(), [], client.layout, log_path=client.log)
    assert "install Docker" in failed.value.hint


def test_one_builder_runs_many_builds_at_once(client: Client) -> None:
    """Builds share nothing but the environment."""
    builder = client.builder("copy()\ntime.sleep(0.2)\n")
    results: dict[int, bytes] = {}

    def build(n: int) -> None:
        context = [bytes([n]) * 1_000_000]
        log, layout = client.where / f"{n}.log", client.where / str(n)
        run_build(builder, make_request(), context, layout, log_path=log)
        results[n] = (layout / "copied").read_bytes()

    threads = [threading.Thread(target=build, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: bytes([n]) * 1_000_000 for n in range(8)}


def test_nothing_is_left_open(client: Client) -> None:
    """After a build, a failure and a cancelled build no thread, pipe or child is left."""
    good = client.builder("copy()\n")
    run_build(good, make_request(), [b"x"], client.layout, log_path=client.log)
    time.sleep(0.2)
    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        run_build(good, make_request(), [b"x"], client.layout, log_path=client.log)
    bad = client.builder("sys.exit(1)\n")
    with pytest.raises(BuildFailed):
        run_build(bad, make_request(), [b"x"], client.layout, log_path=client.log)
    endless = client.builder("time.sleep(60)\n")
    with pytest.raises(BuildFailed):
        run_build(
            endless,
            make_request(),
            [],
            client.layout,
            log_path=client.log,
            cancelled=set_after(0.3),
        )
    time.sleep(0.2)
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before
