"""A run as JUnit XML, which every CI system shows as a list of tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape, quoteattr

from orchestrator.errors import InvalidInput, OrchestrateError
from orchestrator.model.event import RunFinished
from orchestrator.model.run import MoveState, Outcome, StepResult
from orchestrator.render.style import SEQUENCE
from orchestrator.render.words import OUTCOMES, move_words, way_out_words

_SKIPPED = (Outcome.BLOCKED, Outcome.CANCELLED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One test.

    Attributes:
        name: of the test.
        time_s: seconds it took.
        verdict: ``failure``, ``error``, ``skipped``, or empty for a success.
        kind: what kind of failure.
        message: one line.
        text: all there is to say.
        output: what a success has to say.
    """

    name: str
    time_s: float = 0.0
    verdict: str = ""
    kind: str = ""
    message: str = ""
    text: str = ""
    output: str = ""


def finished_junit(event: RunFinished) -> str:
    """Return a run: a suite with a test for each image, and one for each tag that did not move."""
    run = event.run
    cases = [_step(result) for result in event.results]
    cases += [
        _Case(
            name=f"{move.repository}:{move.tag}",
            verdict="failure",
            kind=str(move.state),
            message=f"the tag did not move: {move.state}",
        )
        for move in event.moves
        if move.state in (MoveState.CONFLICT, MoveState.FAILED)
    ]
    ways_out = " ".join(way_out_words(run.id, event.moves))
    cases += [
        _Case(
            name=f"{move.repository}:{move.tag}",
            verdict="skipped",
            message=f"{move_words(move)}. {ways_out}".rstrip(),
        )
        for move in event.moves
        if move.state is MoveState.HELD
    ]
    facts = {"run": run.id, "trigger": run.trigger, "because": run.because}
    facts |= {"revision": run.revision, "plan": run.plan}
    return _document(
        f"orchestrate {run.command}",
        run.hierarchy,
        cases,
        time_s=event.duration_s,
        at=run.started_at,
        host=run.who.rpartition("@")[2],
        facts=facts,
    )


def nothing_junit(command: str, at: str) -> str:
    """Return a suite without tests: there was nothing to do."""
    return _document(f"orchestrate {command}", "", [], at=at)


def error_junit(command: str, error: OrchestrateError, at: str) -> str:
    """Return a suite for a command that did not come to a run: a test for all that is wrong."""
    if isinstance(error, InvalidInput):
        cases = [
            _Case(
                name=f"{p.file}:{p.line}:{p.column}" if p.line else p.file,
                verdict="error",
                kind=p.code,
                message=p.what,
                text=p.hint,
            )
            for p in error.problems
            if p.severity == "error"
        ]
    else:
        name = f"orchestrate {command}"
        said = _Case(name=name, verdict="error", kind=error.code, message=error.what)
        cases = [replace(said, text=error.hint)]
    return _document(f"orchestrate {command}", "", cases, at=at)


def _step(result: StepResult) -> _Case:
    said = f"{OUTCOMES[result.outcome]} {result.digest}".rstrip()
    if result.outcome in _SKIPPED:
        by = f" by {result.blocked_by}" if result.blocked_by else ""
        if result.outcome is Outcome.CANCELLED and by:
            by = f", because {result.blocked_by} failed"
        said = OUTCOMES[result.outcome] + by
        return _Case(name=result.image, verdict="skipped", message=said)
    if result.outcome is not Outcome.FAILED:
        tag = f", tag {result.immutable}" if result.immutable else ""
        return _Case(name=result.image, time_s=result.duration_s, output=said + tag)
    failure = result.failure
    told = filter(None, (failure.what, failure.hint)) if failure else ()
    tail = ("", *failure.log_tail) if failure and failure.log_tail else ()
    return _Case(
        name=result.image,
        time_s=result.duration_s,
        verdict="failure",
        kind=str(failure.cause) if failure else "unknown",
        message=failure.what if failure else "no reason known",
        text="\n".join((*told, *tail)),
    )


def _document(
    name: str,
    package: str,
    cases: list[_Case],
    *,
    time_s: float = 0.0,
    at: str,
    host: str = "",
    facts: dict[str, str] | None = None,
) -> str:
    counts = Counter(case.verdict for case in cases)
    numbers = {
        "tests": len(cases),
        "failures": counts["failure"],
        "errors": counts["error"],
        "skipped": counts["skipped"],
    }
    suite = {
        "name": name,
        "package": package,
        "id": "0",
        # The usual schema knows no time zone; this is UTC.
        "timestamp": at.removesuffix("Z"),
        "hostname": host or "unknown",
        **{key: str(value) for key, value in numbers.items()},
        "time": f"{time_s:.3f}",
    }
    all_of_it = {"name": name, **{k: str(v) for k, v in numbers.items()}, "time": f"{time_s:.3f}"}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_attributes(all_of_it)}>"]
    lines += [f"  <testsuite{_attributes(suite)}>", "    <properties>"]
    lines += [
        f"      <property{_attributes({'name': key, 'value': value})}/>"
        for key, value in (facts or {}).items()
        if value
    ]
    lines.append("    </properties>")
    for case in cases:
        lines += _case(case, package or name)
    lines += ["    <system-out/>", "    <system-err/>", "  </testsuite>", "</testsuites>"]
    return "\n".join(lines) + "\n"


def _case(case: _Case, classname: str) -> list[str]:
    head = {"name": case.name, "classname": classname, "time": f"{case.time_s:.3f}"}
    start = f"    <testcase{_attributes(head)}"
    if not (case.verdict or case.output):
        return [f"{start}/>"]
    if not case.verdict:
        return [f"{start}>", f"      <system-out>{_text(case.output)}</system-out>", _CASE_END]
    said = {"message": case.message} | ({"type": case.kind} if case.kind else {})
    body = f">{_text(case.text)}</{case.verdict}>" if case.text else "/>"
    return [f"{start}>", f"      <{case.verdict}{_attributes(said)}{body}", _CASE_END]


_CASE_END = "    </testcase>"


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(_valid(value))}" for name, value in values.items())


def _text(text: str) -> str:
    return escape(_valid(text))


def _valid(text: str) -> str:
    """Return text without the characters that XML 1.0 cannot hold; colours go as well."""
    kept = []
    for character in SEQUENCE.sub("", text):
        code = ord(character)
        fine = code >= 0x20 or character in "\t\n"
        fine = fine and not 0x7F <= code <= 0x9F and not 0xD800 <= code <= 0xDFFF
        kept.append(character if fine and code not in (0xFFFE, 0xFFFF) else "")
    return "".join(kept)
