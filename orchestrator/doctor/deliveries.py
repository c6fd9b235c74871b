"""What teams are to be told: what was given up or waits, and receivers that cannot be reached.

Nothing is sent: a secret is looked for, and a receiver is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.doctor.subject import HealthDoors, Subject
from orchestrator.doctor.wording import counted
from orchestrator.doors.protocols_channels import Secrets
from orchestrator.errors import OrchestrateError, StateUnavailable
from orchestrator.model.finding import Code, Fact, Finding, Level
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.subscription import receiver_of
from orchestrator.model.target import (
    AppriseTarget,
    CommandTarget,
    EmailTarget,
    FeedTarget,
    SlackTarget,
    Target,
    WebhookTarget,
    is_reference,
)
from orchestrator.model.time import seconds_of
from orchestrator.plan.interest import Interests

_DAY_S = 24 * 3600.0
#: Of what is wrong these are named.
_MOST_NAMED = 8


def delivery_findings(doors: HealthDoors, subject: Subject) -> Iterator[Finding]:
    """Yield what is still to be told, and which subscriptions reach nobody."""
    hierarchy = subject.hierarchy
    if hierarchy is None:
        return
    if _has_diary(doors):
        yield from _outbox_findings(doors, hierarchy)
    yield _secrets(hierarchy, doors.secrets)
    yield _selectors(hierarchy)


def _has_diary(doors: HealthDoors) -> bool:
    try:
        facts = doors.state.facts()
    except StateUnavailable:
        return False  # The database's own findings say so.
    return bool(facts.format)


def _outbox_findings(doors: HealthDoors, hierarchy: Hierarchy) -> Iterator[Finding]:
    outbox = doors.history.outbox
    backlog = outbox.backlog(hierarchy.name)
    if backlog.dead:
        yield Finding(
            code=Code.DELIVERIES_DEAD,
            level=Level.WARNING,
            what=f"{counted(backlog.dead, 'notice')} could not be delivered and "
            f"{'was' if backlog.dead == 1 else 'were'} given up",
            hint="`orchestrate notify` says which and why; mend the receiver, then replay them",
            command="orchestrate notify replay",
            facts={"dead": backlog.dead},
        )
    else:
        yield _ok(Code.DELIVERIES_DEAD, "no notice was given up", dead=0)
    disabled = [each for each in outbox.receivers(hierarchy.name) if each.disabled_at]
    names = tuple(f"{each.team}/{each.receiver}" for each in disabled)
    if disabled:
        yield Finding(
            code=Code.DELIVERIES_RECEIVERS,
            level=Level.WARNING,
            what=f"{counted(len(names), 'receiver')} said that nobody is there any more, and "
            f"{'gets' if len(names) == 1 else 'get'} nothing: {_named(names)}",
            hint="take the subscription out of its file, or replay what it missed once it is back",
            command=f"orchestrate notify replay {disabled[0].team}",
            facts={"receivers": names},
        )
    else:
        yield _ok(Code.DELIVERIES_RECEIVERS, "no receiver is disabled", receivers=())
    late_s = doors.clock.now_s() - seconds_of(backlog.oldest_at) if backlog.oldest_at else 0.0
    if late_s > _DAY_S:
        yield Finding(
            code=Code.DELIVERIES_WAITING,
            level=Level.WARNING,
            what=f"{counted(backlog.waiting, 'notice')} waiting, the oldest since "
            f"{backlog.oldest_at}: receivers do not answer, or nobody sends",
            hint="runs send at their end; for the rest run this from a timer",
            command="orchestrate notify drain",
            facts={"waiting": backlog.waiting, "oldest_at": backlog.oldest_at},
        )
    else:
        said = f"{counted(backlog.waiting, 'notice')} waiting" if backlog.waiting else "none waits"
        yield _ok(Code.DELIVERIES_WAITING, f"no notice is late; {said}", waiting=backlog.waiting)


def _secrets(hierarchy: Hierarchy, secrets: Secrets) -> Finding:
    """Say which secrets of receivers are not there; what they are nobody sees."""
    wanted: dict[str, list[str]] = {}
    for subscription in hierarchy.subscriptions:
        for target in subscription.targets:
            for reference in references_of(target):
                whose = f"{subscription.team}'s {receiver_of(target).partition('-')[0]}"
                wanted.setdefault(reference, []).append(whose)
    missing: dict[str, str] = {}
    for reference in wanted:
        try:
            secrets.value(reference)
        except OrchestrateError as error:
            missing[reference] = error.what
    if not missing:
        said = f"{counted(len(wanted), 'secret')} of receivers {_is(len(wanted))} there"
        return _ok(Code.DELIVERIES_SECRETS, said if wanted else "no receiver needs a secret")
    first = next(iter(missing))
    whose = _named(tuple(dict.fromkeys(w for each in missing for w in wanted[each])))
    return Finding(
        code=Code.DELIVERIES_SECRETS,
        level=Level.WARNING,
        what=f"secrets of receivers are not there: {_named(tuple(missing.values()))} (for {whose})",
        hint="nothing is sent to them without; where runs and `notify drain` are started, "
        f"{'set ' + first.partition(':')[2] if first.startswith('env:') else 'write the file'}",
        facts={"missing": tuple(missing)},
    )


def _selectors(hierarchy: Hierarchy) -> Finding:
    """Say which selectors of subscriptions mean no image."""
    interests = Interests(hierarchy)
    idle = tuple(
        f"{selector} ({subscription.team}, {subscription.file}:{subscription.line})"
        for subscription in hierarchy.subscriptions
        for selector in subscription.images
        if not interests.of((selector,))
    )
    if not idle:
        number = len(hierarchy.subscriptions)
        said = f"{counted(number, 'subscription')}, each to images that are there"
        return _ok(Code.DELIVERIES_SELECTORS, said if number else "there are no subscriptions")
    return Finding(
        code=Code.DELIVERIES_SELECTORS,
        level=Level.WARNING,
        what=f"{counted(len(idle), 'selector')} of subscriptions mean{'s' * (len(idle) == 1)} no "
        f"image: {_named(idle)}",
        hint="nobody hears anything through them; `orchestrate subscriptions` shows what each "
        "means",
        facts={"selectors": idle},
    )


def references_of(target: Target) -> tuple[str, ...]:
    """Return the references to secrets that a target has."""
    return tuple(each for each in _settings(target) if is_reference(each))


def _settings(target: Target) -> tuple[str, ...]:
    match target:
        case WebhookTarget():
            return (target.url, *target.secrets)
        case SlackTarget():
            return (target.webhook, target.token)
        case EmailTarget():
            return (target.server.password,)
        case FeedTarget():
            return ()
        case CommandTarget():
            return tuple(target.environment.values())
        case AppriseTarget():
            return (target.url,)


def _named(names: Iterable[str]) -> str:
    every = tuple(names)
    more = len(every) - _MOST_NAMED
    return ", ".join(every[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _ok(code: Code, what: str, **facts: Fact) -> Finding:
    return Finding(code=code, level=Level.OK, what=what, facts=facts)
