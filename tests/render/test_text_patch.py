"""A nightly run as a mail."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model.event import RunFinished
from orchestrator.model.packages import Update
from orchestrator.model.plan import Cause, Decision, Plan, Reason, Step, Verdict
from orchestrator.model.run import Outcome, RunState
from orchestrator.render.style import Style
from orchestrator.render.text import patched_text, troubles_text
from tests.render.conftest import Golden
from tests.render.runs import FINISHED, RUN, result
from tests.render.sample import digest_of

VERSIONS = {"base": "12", "python": "3.11", "web": "", "hello": "1.4"}
UPDATES = (
    Update(package="bash", was="5.2-1", now="5.2-2"),
    Update(package="openssl", was="3.0.17-1", now="3.0.18-1", security=True),
    Update(package="tzdata", was="2026a", now="2026b"),
)
NOW = digest_of("now")
UPSTREAM = Reason(
    cause=Cause.UPSTREAM_MOVED,
    subject="debian:bookworm-slim",
    was=digest_of("old"),
    now=digest_of("new"),
)


def step(image: str, *updates: Update) -> Step:
    return Step(
        image=image,
        verdict=Verdict.BUILD,
        needs=(),
        repository=f"localhost:5000/gold/{image}",
        platforms=("linux/amd64",),
        parts={},
        key=None,
        epoch="",
        parents=(),
        immutable="",
        floating=(),
        current=None,
        updates=updates,
    )


def plan(*decided: tuple[Step, tuple[Reason, ...]], revision: str = "") -> Plan:
    return Plan(
        id="20261122T054700Z-0001",
        hierarchy="gold",
        created="2026-11-22T05:47:00Z",
        date="20261122",
        revision=revision,
        decisions=tuple(
            Decision(image=each.image, verdict=Verdict.BUILD, reasons=reasons)
            for each, reasons in decided
        ),
        steps=tuple(each for each, _ in decided),
    )


def night() -> tuple[RunFinished, Plan]:
    """Every kind of line: packages, parents, tags, what is new, and what is left."""
    waits = Reason(cause=Cause.PARENT_PENDING, subject="base")
    tag = Reason(cause=Cause.TAG_ELSEWHERE, subject="stable", was="a", now=digest_of("b"))
    dockerfile = Reason(
        cause=Cause.DOCKERFILE, subject="web/Dockerfile", was=digest_of("x"), now=digest_of("y")
    )
    soaks = Reason(cause=Cause.SOAKING, subject="alpine", until="2026-11-23T00:00:00Z")
    made = plan(
        (step("base", *UPDATES), (UPSTREAM, Reason(cause=Cause.PACKAGES, subject="openssl"))),
        (step("python"), (waits,)),
        (step("web"), (dockerfile, waits, soaks)),
        (step("nginx"), (waits,)),
        (step("landing"), (waits, tag)),
        (step("hello"), (waits,)),
        (step("docs-site"), (waits,)),
    )
    results = (
        result("base", Outcome.BUILT),
        result("python", Outcome.BUILT),
        replace(result("web", Outcome.BUILT), was=""),
        result("nginx", Outcome.UNCHANGED),
        replace(result("landing", Outcome.RETAGGED), was=digest_of("now landing")),
        result("hello", Outcome.SKIPPED),
        result("docs-site", Outcome.SKIPPED),
    )
    run = replace(RUN, command="patch", state=RunState.SUCCEEDED)
    return RunFinished(run=run, results=results, moves=(), duration_s=72.4), made


def test_a_line_for_each_image_that_changed(golden: Golden) -> None:
    """In a pipe nothing is wrapped: a line is an image."""
    golden("patch-0.txt", patched_text(*night(), VERSIONS, Style(color=False, width=0)))


def test_on_a_terminal_lines_are_wrapped(golden: Golden) -> None:
    """Nothing is lost at 80 columns."""
    text = patched_text(*night(), VERSIONS, Style(color=False, width=80))
    assert max(map(len, text.splitlines())) <= 80
    golden("patch-80.txt", text)


def test_what_is_built_from_a_dirty_tree_says_so() -> None:
    """Its tags do not move, which somebody should know who reads that it changed."""
    finished, _ = night()
    made = plan((step("base"), (UPSTREAM,)), revision="4f1c-dirty")
    text = patched_text(finished, made, VERSIONS, Style(color=False, width=0))
    assert "not promoted: the tree is dirty" in text


def test_what_comes_back_is_told_in_words() -> None:
    """The digests of its tags are those of the line: what matters is that it was there before."""
    finished, _ = night()
    back = replace(result("hello", Outcome.REUSED), was=digest_of("old"))
    tag = Reason(cause=Cause.TAG_ELSEWHERE, subject="stable", was=digest_of("old"), now=NOW)
    text = patched_text(
        replace(finished, results=(back,)),
        plan((step("hello"), (tag,))),
        VERSIONS,
        Style(color=False, width=0),
    )
    assert text.endswith("  built before\n")


def test_where_nothing_changed_nothing_is_said() -> None:
    """A night in which everything came out equal is as quiet as one without work."""
    finished, made = night()
    same = tuple(replace(r, outcome=Outcome.UNCHANGED) for r in finished.results)
    quiet = replace(finished, results=same)
    assert patched_text(quiet, made, VERSIONS, Style(color=False, width=80)) == ""
    assert troubles_text(quiet, Style(color=False, width=80)) == ""


def test_what_somebody_else_wrote_cannot_paint() -> None:
    """Versions and names of packages come from outside."""
    finished, _ = night()
    bad = Update(package="open\x1b[31mssl", was="1\n2", now="3\x07")
    made = plan((step("base", bad), ()))
    text = patched_text(finished, made, VERSIONS, Style(color=False, width=0))
    first = text.splitlines()[0]
    assert first.endswith(r"openssl 1\n2 → 3\x07")


def test_troubles_are_told_without_the_rest(golden: Golden) -> None:
    """Failures, tags that did not move and what is blocked; no tags that moved, no sum."""
    style = Style(color=False, width=80)
    text = troubles_text(FINISHED["failed"](), style) + "-\n"
    golden("patch-troubles.txt", text + troubles_text(FINISHED["conflict"](), style))
