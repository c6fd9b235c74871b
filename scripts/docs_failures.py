"""The reference page of failures, from the tables that decide on them."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.doors.buildx_rules import (
    BUILD_RULES,
    COMMAND,
    COMMAND_RULES,
    KILLED,
    NO_BUILDER,
    UNKNOWN,
    WRONG_INSTRUCTION,
    Rule,
)
from orchestrator.model.transient import TRANSIENT_STATUSES
from orchestrator.run.again import FIRST_PAUSE_S, LONGEST_PAUSE_S

_BUSY = ", ".join(map(str, sorted(TRANSIENT_STATUSES)))

#: What happened, cause, tried again, what to do: of what no builder says.
_OTHERS = (
    (
        "The build took longer than the image's `timeout`",
        "timeout",
        "no",
        "the log says what it waited for; `timeout:` of the image gives it longer",
    ),
    (
        f"A registry that we ask or write to does not answer, or answers {_BUSY}",
        "registry",
        "yes",
        "is it overloaded or down?",
    ),
    (
        "That registry answers 401 or 403",
        "access",
        "no",
        "`docker login`, with an account that may push",
    ),
    (
        "That registry answers anything else, for example 413, 501 or 507",
        "registry",
        "no",
        "the message says what it answered",
    ),
    (
        "What was built lacks a platform, or does not stand on its parent",
        "check",
        "no",
        "the message says what is missing",
    ),
    (
        "An immutable tag, a claim or a file is not as the plan saw it",
        "conflict",
        "no",
        "plan again",
    ),
)

_ABOUT = f"""\
Builds fail in many ways, and the builder's exit code is the same for all of them. What it says is
compared with the tables below: they are the ones that the program uses, and a test for every row
has real messages of buildx, BuildKit, registries and package managers.

## What is tried again {{ #tried-again }}

Only a failure that may pass though nobody does anything: a registry that is busy, a mirror that
resets the connection, a builder that restarts. It is tried again after {FIRST_PAUSE_S:g} s, then
after pauses that double up to {LONGEST_PAUSE_S:g} s, each with up to {FIRST_PAUSE_S:g} s at random
on top; a registry that sends `Retry-After` is left alone for as long as it asks.

- `retries:` of [an image](hierarchy.md#images-name) is how many further tries there are; 2 if
  nobody says. The answers to single requests, of which a build has hundreds, are tried again by
  the registry's client besides.
- `timeout:` bounds each build, and is the deadline of all tries together: no further try begins
  later than that after the first failure, and a pause that would end later is not begun. Waiting
  for a builder does not count.
- A broken Dockerfile, a wrong password or a missing file is tried once. A try that fails for good
  ends the tries that were left.
- Ctrl-C ends a pause at once. Each try is an event `step.retried`, and stands in
  `orchestrate show`.

## What a failure stops {{ #stops }}

What stands on an image that failed is *blocked*, by the name of that image: of several that
failed, the first. Everything else goes on (`--keep-going`, the usual). With `--fail-fast`, or
`ORCHESTRATE_FAIL_FAST=1`, the first failure that is final cancels running builds and starts
nothing new; what it stopped is *cancelled*, and says by which image. A failure that is tried
again is not final.

Either way, what passed is published and its floating tags move as `promote:` says: tags depend on
what passed, not on how soon the run ended. The exit code is that of the failures: 1 where a build
or a publication failed, else 5 where only something that it needs was not there (`registry`,
`access`, `builder`, `disk-full`, a tag that a registry did not take), else 4 for a conflict. After
a 5 `orchestrate resume` goes on. 130 and 143 mean that a signal stopped the run.

"""


def failures_page(note: str) -> str:
    """Return the page of failures: what is tried again, what they stop, and the tables."""
    lines = ["# Failures", "", note, "", _ABOUT.rstrip(), ""]
    heads = "what happened | `cause` | tried again | what to do"
    lines += ["## Commands in a build", ""]
    lines += _table(heads, _rows((*COMMAND_RULES, COMMAND)))
    lines += ["## The builder, and what it fetches", ""]
    lines += _table(heads, _rows((*BUILD_RULES[1:], WRONG_INSTRUCTION, KILLED, UNKNOWN)))
    lines += ["## Ourselves", ""]
    lines += _table(
        heads,
        ([_cell(about), f"`{cause}`", again, _cell(do)] for about, cause, again, do in _OTHERS),
    )
    lines += ["## Nothing to build with", ""]
    about = "These end with exit code 5. With several builders, others take over; a builder that "
    about += "had answered in the run is waited for."
    lines += [about, ""]
    rows = ([_cell(_sentence(each.what)), _cell(each.hint)] for each in NO_BUILDER)
    lines += _table("what happened | what to do", rows)
    return "\n".join(lines).rstrip() + "\n"


def _rows(rules: tuple[Rule, ...]) -> Iterator[list[str]]:
    for rule in rules:
        again = "yes" if rule.transient else "no"
        yield [_cell(rule.about), f"`{rule.cause}`", again, _cell(rule.hint)]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _table(heads: str, rows: Iterator[list[str]]) -> list[str]:
    count = heads.count("|") + 1
    return [f"| {heads} |", "|---" * count + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
