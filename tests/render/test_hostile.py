"""Whatever files, builds and registries say: lines fit, and nothing but text reaches a terminal."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.errors import BuildFailed, InvalidInput, OrchestrateError, Problem, StalePlan
from orchestrator.model.behind import Behind
from orchestrator.model.event import (
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    TagsMoved,
)
from orchestrator.model.measure import Saved, UpstreamChange
from orchestrator.model.plan import Cause, Decision, Plan, Reason, Step, TagMove, Verdict
from orchestrator.model.run import (
    Failure,
    FailureCause,
    JournalledMove,
    MoveState,
    Outcome,
    Run,
    RunState,
    StepResult,
)
from orchestrator.model.status import Explanation, ImageStatus, PartComparison
from orchestrator.render.cells import cell_width
from orchestrator.render.lines import event_line
from orchestrator.render.measure import saved_text, slo_text
from orchestrator.render.style import Style
from orchestrator.render.text import (
    error_text,
    finished_text,
    history_text,
    plan_text,
    problems_text,
    show_text,
    status_text,
    why_text,
)

#: Examples are as large as what they are made for: to make a failing one smaller takes minutes.
PHASES = (Phase.explicit, Phase.generate)
OURS = re.compile(r"\x1b\[(?:0|1|2|31|32|33|36)m")

texts = st.one_of(
    st.text(max_size=90),
    st.text(alphabet="ab /:-→名前é\u0301\u202e\u200b\x1b[31m\n\t\r\x00\x9b", max_size=90),
    st.text(alphabet="ab-", min_size=60, max_size=200),
    st.sampled_from(
        ["", "python", "sha256:" + "ab" * 32, "k1-" + "cd" * 32, "\x1b[2J\x1b]0;t\x07"]
    ),
)
optional = st.one_of(st.none(), texts)
styles = st.builds(Style, color=st.booleans(), width=st.integers(40, 130), unicode=st.booleans())
reasons = st.builds(Reason, cause=st.sampled_from(Cause), subject=texts, was=texts, now=texts)
decisions = st.builds(
    Decision,
    image=texts,
    verdict=st.sampled_from(Verdict),
    reasons=st.lists(reasons, max_size=3).map(tuple),
    current=optional,
    key=optional,
    digest=optional,
)
few_texts = st.lists(texts, max_size=3).map(tuple)
steps = st.builds(
    Step,
    image=texts,
    verdict=st.sampled_from(Verdict),
    needs=few_texts,
    repository=texts,
    platforms=few_texts,
    parts=st.just({}),
    key=optional,
    epoch=texts,
    parents=st.just(()),
    immutable=texts,
    floating=st.lists(st.builds(TagMove, tag=texts, expects=optional), max_size=3).map(tuple),
    current=optional,
)


lacks = st.lists(
    st.builds(
        Behind,
        upstream=texts,
        digest=texts,
        since=texts,
        for_s=st.one_of(st.none(), st.floats(-10, 1e12)),
    ),
    max_size=2,
).map(tuple)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, dict[str, tuple[str, ...]]]:
    decided = draw(st.lists(decisions, max_size=7, unique_by=lambda d: d.image))
    images = [d.image for d in decided]
    todo = [replace(draw(steps), image=d.image) for d in decided if d.verdict is not Verdict.KEEP]
    plan = Plan(
        id=draw(texts),
        hierarchy=draw(texts),
        created=draw(texts),
        date=draw(texts),
        revision=draw(texts),
        decisions=tuple(decided),
        steps=tuple(todo),
        behind={image: draw(lacks) for image in images},
    )
    some = st.lists(st.sampled_from(images or [""]), max_size=3).map(tuple)
    return plan, {image: draw(some) for image in images}


statuses = st.builds(
    ImageStatus,
    image=texts,
    tier=texts,
    depth=st.integers(0, 40),
    repository=texts,
    current=texts,
    publication=st.none(),
    age_s=st.one_of(st.none(), st.floats(-10, 1e12)),
    immutable=texts,
    candidate=texts,
    decision=decisions,
    behind=lacks,
)
explanations = st.builds(
    Explanation,
    status=statuses,
    parts=st.lists(st.builds(PartComparison, part=texts, was=texts, now=texts), max_size=4).map(
        tuple
    ),
    key=texts,
    parents=st.lists(st.tuples(texts, texts, texts), max_size=3).map(tuple),
)
failures = st.builds(
    Failure,
    cause=st.sampled_from(FailureCause),
    what=texts,
    hint=texts,
    log_tail=few_texts,
    log_path=texts,
)
results = st.builds(
    StepResult,
    image=texts,
    outcome=st.sampled_from(Outcome),
    digest=texts,
    immutable=texts,
    size_bytes=st.integers(0, 10**15),
    duration_s=st.floats(0, 1e7),
    blocked_by=texts,
    failure=st.one_of(st.none(), failures),
)
moves = st.builds(
    JournalledMove,
    image=texts,
    repository=texts,
    tag=texts,
    was=optional,
    now=optional,
    state=st.sampled_from(MoveState),
)
runs = st.builds(
    Run,
    id=texts,
    hierarchy=texts,
    command=texts,
    who=texts,
    trigger=texts,
    because=texts,
    revision=texts,
    started_at=texts,
    finished_at=texts,
    state=st.sampled_from(RunState),
    plan=texts,
)
finished = st.builds(
    RunFinished,
    run=runs,
    results=st.lists(results, max_size=4).map(tuple),
    moves=st.lists(moves, max_size=4).map(tuple),
    duration_s=st.floats(0, 1e7),
)
problems = st.builds(
    Problem,
    file=texts,
    line=st.integers(0, 10**6),
    column=st.integers(0, 300),
    code=texts,
    what=texts,
    hint=texts,
    source_line=st.one_of(texts, st.text(max_size=400)),
    severity=st.sampled_from(["error", "warning"]),
)
problem_lists = st.lists(problems, max_size=3).map(tuple)
errors: st.SearchStrategy[OrchestrateError] = st.one_of(
    st.builds(OrchestrateError, texts, hint=texts),
    st.builds(StalePlan, few_texts, hint=texts),
    st.builds(BuildFailed, texts, cause=st.just("command"), log_tail=few_texts, hint=texts),
    st.builds(InvalidInput, problem_lists),
)


def check(shown: str, style: Style) -> None:
    """Fail unless the text is what a terminal of that style may get."""
    for line in shown.split("\n"):
        plain = OURS.sub("", line) if style.color else line
        acting = [c for c in plain if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert acting == [], plain
        assert cell_len(plain) <= style.width, plain
        assert style.unicode or plain.isascii(), plain
    assert shown.endswith("\n")
    assert "\n\n\n" not in shown


def test_signs_that_became_wide_are_counted_as_wide() -> None:
    """Unicode 16 widened some; a Python that does not know yet breaks no line."""
    signs = "\u2630\u268a\u4dc0\u4dff\U0001d300\U0001d356\U0001d360\U0001d376"
    assert cell_width(signs) == cell_len(signs) == 2 * len(signs)


@given(plans(), styles, st.booleans())
@settings(deadline=None, phases=PHASES, max_examples=300)
def test_plans(drawn: tuple[Plan, dict[str, tuple[str, ...]]], style: Style, verbose: bool) -> None:
    """Names, reasons, tags and digests of any shape."""
    plan, parents = drawn
    check(plan_text(plan, parents, style, verbose=verbose), style)


@given(st.lists(statuses, max_size=5).map(tuple), styles)
@settings(deadline=None, phases=PHASES)
def test_statuses(shown: tuple[ImageStatus, ...], style: Style) -> None:
    """Names, versions and tags of any shape."""
    check(status_text(shown, style), style)


counts = st.integers(0, 10**6)
seconds = st.floats(0, 1e9)


@given(
    st.lists(
        st.builds(
            Saved,
            hierarchy=texts,
            image=texts,
            cut_off=counts,
            reused=counts,
            usual_s=st.one_of(st.none(), seconds),
        ),
        max_size=4,
    ).map(tuple),
    st.lists(
        st.builds(
            UpstreamChange,
            hierarchy=texts,
            source=texts,
            digest=texts,
            first_seen_at=texts,
            absorbed_at=texts,
            took_s=seconds,
        ),
        max_size=4,
    ).map(tuple),
    styles,
)
@settings(deadline=None, phases=PHASES)
def test_what_the_diary_adds_up_to(
    saved: tuple[Saved, ...], changes: tuple[UpstreamChange, ...], style: Style
) -> None:
    """Names and sources of any shape; a ledger may have been written by somebody else."""
    check(saved_text(saved, style), style)
    check(slo_text(changes, style), style)


@given(explanations, styles)
@settings(deadline=None, phases=PHASES)
def test_explanations(explanation: Explanation, style: Style) -> None:
    """Parts and parents of any shape."""
    check(why_text(explanation, style), style)


@given(finished, styles)
@settings(deadline=None, phases=PHASES, max_examples=200)
def test_ends_of_runs(event: RunFinished, style: Style) -> None:
    """Messages, logs, paths and tags of any shape."""
    check(finished_text(event, style), style)
    check(show_text(event.run, event.results, event.moves, style), style)
    check(history_text((event.run,), style), style)


@given(problem_lists, errors, styles)
@settings(deadline=None, phases=PHASES, max_examples=200)
def test_errors(found: tuple[Problem, ...], error: OrchestrateError, style: Style) -> None:
    """Source lines and messages of any shape."""
    check(problems_text(found, style), style)
    check(error_text(error, style), style)


@given(plans(), results, moves, texts, styles)
@settings(deadline=None, phases=PHASES)
def test_lines(
    drawn: tuple[Plan, dict[str, tuple[str, ...]]],
    result: StepResult,
    move: JournalledMove,
    text: str,
    style: Style,
) -> None:
    """One event is one line, whatever it says."""
    run = Run(
        id=text,
        hierarchy=text,
        command=text,
        who=text,
        trigger=text,
        because=text,
        revision=text,
        started_at=text,
    )
    for event in (
        RunStarted(run=run, plan=drawn[0]),
        StepStarted(image=text, at=text),
        StepFinished(result=result),
        StepRetried(result=result),
        TagsMoved(move=move),
        Notice(text=text),
    ):
        line = event_line(event, style)
        assert line is not None
        assert "\n" not in line
        check(line + "\n", style)
