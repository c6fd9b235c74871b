"""What a message says to people: one line, or all that they need to act on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from orchestrator.explain.event_data import (
    flag_of,
    mapping_of,
    number_of,
    plain,
    text_of,
    texts_of,
    type_of,
)
from orchestrator.explain.notice_changes import cut, title_words, without
from orchestrator.explain.notice_image import (
    ADOPTED,
    COUNTED,
    FIRST,
    Event,
    all_changes_of,
    counted_as,
    image_id_of,
    image_notice,
    kind_of,
    name_of,
    short_words,
)
from orchestrator.explain.notice_why import chain_of, security_words
from orchestrator.model.announcement import EventType
from orchestrator.model.notice import Changes, ImageNotice, NoticeView
from orchestrator.render.style import terminal_text
from orchestrator.render.words import (
    OUTCOMES,
    VERDICTS,
    counted,
    duration_words,
    listed,
    listed_up_to,
    minute_words,
    short,
)

#: Images that are told in full, and in one line, where nobody says.
MOST_IMAGES, MOST_BRIEF = 12, 30
_LONGEST_TITLE = 300
_MOST_UPSTREAMS, _MOST_FAILED = 5, 10
_ENDS = {"succeeded": "succeeded", "failed": "failed", "interrupted": "was interrupted"}

_OUTCOMES = {outcome.value: words for outcome, words in OUTCOMES.items()}
_VERDICTS = {verdict.value: words for verdict, words in VERDICTS.items()}

#: The gravest first; a security fix stands between them.
_IMPORTANT = (
    EventType.IMAGE_FAILED,
    EventType.TAG_ROLLED_BACK,
    EventType.CHECK_REGRESSED,
    EventType.IMAGE_PUBLISHED,
    EventType.IMAGE_BLOCKED,
    EventType.IMAGE_HELD,
    EventType.IMAGE_DEPRECATED,
    EventType.TAG_MOVED,
    EventType.ARTIFACT_PUBLISHED,
    EventType.IMAGE_UNCHANGED,
)


@dataclass(frozen=True, slots=True)
class _Group:
    """All events of one image, what is told first of them, and what changed in it."""

    image: str
    events: tuple[Event, ...]
    kind: EventType
    changes: Changes | None

    @property
    def is_secure(self) -> bool:
        return self.changes is not None and self.changes.security

    @property
    def brief(self) -> str:
        return f"{name_of(self.events)}: {short_words(self.events, self.changes)}"


def headline(events: Sequence[Mapping[str, object]]) -> str:
    """Return one line that says what happened: at most 300 characters, none of control.

    Args:
        events: CloudEvents as JSON objects; whatever they lack is not told.
    """
    every = [plain(event) for event in events]
    return _one_line(_title(every, _groups(every)))


def notice_of(
    events: Sequence[Mapping[str, object]],
    *,
    most: int = MOST_IMAGES,
    most_brief: int = MOST_BRIEF,
) -> NoticeView:
    """Return what a message says; never raises, whatever an event lacks.

    All events of one image are one section. What a parent in the same message brought is told of
    the parent alone.

    Args:
        events: CloudEvents as JSON objects.
        most: images that are told in full.
        most_brief: further ones that are told in one line; the others are counted.
    """
    events = [plain(event) for event in events]
    groups = _groups(events)
    full, others = groups[:most], groups[most:]
    sections = _sections(full)
    shared = _shared_links(sections)
    return NoticeView(
        title=_one_line(_title(events, groups)),
        hierarchy=_hierarchy(events),
        test=_is_test(events),
        lead=tuple(_lead(events)),
        images=tuple(_less_links(section, shared) for section in sections),
        brief=_brief(others[:most_brief]),
        rest=_counts(others[most_brief:]),
        footer=_footer(events),
        links={**_links(events), **shared},
    )


def _groups(events: Sequence[Event]) -> list[_Group]:
    """Return the events of each image, the most important first, then as they come."""
    by_image: dict[str, list[Event]] = {}
    for event in events:
        kind = type_of(event)
        if kind is not None and kind.is_of_image:
            by_image.setdefault(image_id_of(event), []).append(event)
    groups = [
        _Group(image, tuple(those), kind_of(those), all_changes_of(those))
        for image, those in by_image.items()
    ]
    return sorted(groups, key=lambda each: (_IMPORTANT.index(each.kind), not each.is_secure))


def _sections(groups: list[_Group]) -> tuple[ImageNotice, ...]:
    shown = {group.image: group for group in groups}
    return tuple(
        _told_once(image_notice(each.events, each.changes, shown), shown) for each in groups
    )


def _told_once(section: ImageNotice, shown: Mapping[str, _Group]) -> ImageNotice:
    """Return a section without what another one tells: a parent's, or one that is just alike."""
    if section.blocked_by in shown:
        section = replace(section, failure="", hint="", log=())
    own = section.changes
    if own is None:
        return section
    if (other := _told_elsewhere(section, own, shown)) is None:
        return replace(section, changes=cut(own))
    return replace(section, changes=cut(other))


def _told_elsewhere(
    section: ImageNotice, own: Changes, shown: Mapping[str, _Group]
) -> Changes | None:
    """Return what is left where another section tells most; None: none does."""
    below = [stand.name for stand in section.stands_on if stand.name != section.image]
    before = takewhile(lambda image: image != section.image, shown)
    found: Changes | None = None
    # The furthest down first: that one has them from nobody.
    for image in (*reversed(below), *before):
        other = shown.get(image)
        if other is None or other.changes is None:
            continue
        less = without(own, other.changes, name_of(other.events), is_parent=image in below)
        if less is not own and (found is None or len(less.packages) < len(found.packages)):
            found = less
    return found


def _brief(groups: Sequence[_Group]) -> tuple[str, ...]:
    """Return a sentence for all images of which the same is told."""
    names: dict[str, list[str]] = {}
    for group in groups:
        words = short_words(group.events, group.changes)
        names.setdefault(words, []).append(name_of(group.events))
    return tuple(f"{listed(those)}: {words}" for words, those in names.items())


def _shared_links(sections: Sequence[ImageNotice]) -> dict[str, str]:
    """Return the links that are the same wherever several sections have them."""
    found: dict[str, list[str]] = {}
    for section in sections:
        for name, url in section.links.items():
            found.setdefault(name, []).append(url)
    return {name: urls[0] for name, urls in found.items() if len(urls) > 1 == len(set(urls))}


def _less_links(section: ImageNotice, shared: Mapping[str, str]) -> ImageNotice:
    own = {name: url for name, url in section.links.items() if name not in shared}
    return replace(section, links=own) if shared else section


def _one_line(text: str) -> str:
    safe = terminal_text(text)
    return safe if len(safe) <= _LONGEST_TITLE else safe[: _LONGEST_TITLE - 1] + "…"


def _title(events: Sequence[Event], groups: list[_Group]) -> str:
    hierarchy = _hierarchy(events)
    before = f"{hierarchy}: " if hierarchy else ""
    if len(groups) == 1:
        said = groups[0].brief
    elif groups:
        said = f"{before}{_counts(groups)}{_cause_words(groups)}"
    else:
        first, *others = (
            *_run_sentences(events),
            *map(_upstream_words, _upstreams(events)),
            "news of images",
        )
        more = f", and {len(others) - 1} more" if len(others) > 1 else ""
        said = f"{before}{first}{more}"
    return f"Test: {said}" if _is_test(events) else said


def _is_test(events: Sequence[Event]) -> bool:
    return any(flag_of(event, "data", "test") for event in events)


def _counts(groups: list[_Group]) -> str:
    """Return ``4 images rebuilt, 1 failed``; empty for none."""
    numbers = Counter(counted_as(group.events) for group in groups)
    order = (FIRST, *COUNTED.values(), ADOPTED)
    said = [(numbers[words], words) for words in order if numbers[words]]
    return ", ".join(
        f"{counted(number, 'image') if n == 0 else number} {words}"
        for n, (number, words) in enumerate(said)
    )


def _cause_words(groups: list[_Group]) -> str:
    """Return the security fix, or the one thing that moved, behind what became of the images."""
    lines = Counter(
        line
        for group in groups
        if group.kind is EventType.IMAGE_PUBLISHED and group.changes
        for line in group.changes.packages
        if line.security
    )
    if lines:
        (line, _), *others = lines.most_common()
        more = f" and {sum(len(other.names) for other, _ in others)} more" if others else ""
        return f": {title_words(line)} (security){more}"
    if fix := security_words(event for group in groups for event in group.events):
        return f": {fix}"
    roots = {chain[0] for each in groups for event in each.events if (chain := chain_of(event))}
    if len(roots) != 1:
        return ""
    (root,) = roots
    # What is rebuilt itself did so for a reason of its own; what is not came from outside.
    verb = "changed" if any(group.image == root for group in groups) else "moved"
    return f", because {root} {verb}"


def _lead(events: Sequence[Event]) -> Iterable[str]:
    """Yield sentences about what is of no image, the most telling first."""
    if _is_test(events):
        yield "This is a test. Nothing of it happened."
    if because := _run(events, "because"):
        yield f"Reason given: {because}."
    for sentence in _run_sentences(events):
        yield f"{sentence[:1].upper()}{sentence[1:]}."
    failed = [name for each in events for name in texts_of(each, "data", "failed")]
    if failed:
        yield f"Failed: {listed_up_to(dict.fromkeys(failed), _MOST_FAILED)}."
    upstreams = _upstreams(events)
    for event in upstreams[:_MOST_UPSTREAMS]:
        images = texts_of(event, "data", "upstream", "images")
        above = f" On it: {listed_up_to(images, 3)}." if images else ""
        yield f"{_upstream_words(event)}.{above}"
    if more := upstreams[_MOST_UPSTREAMS:]:
        yield f"So did {counted(len(more), 'more upstream')}."
    strange = dict.fromkeys(text_of(each, "type") for each in events if type_of(each) is None)
    if any(strange):
        yield f"Also: {listed_up_to(filter(None, strange), 3)}."


def _run_sentences(events: Sequence[Event]) -> list[str]:
    """Return how runs ended; of those that are told to have begun only where none ended."""
    finished = [each for each in events if type_of(each) is EventType.RUN_FINISHED]
    started = [each for each in events if type_of(each) is EventType.RUN_STARTED]
    return [_run_words(event) for event in finished or started]


def _run_words(event: Event) -> str:
    run = text_of(event, "data", "run", "command") or "the run"
    started = type_of(event) is EventType.RUN_STARTED
    state = _ENDS.get(text_of(event, "data", "state"), "is over")
    if started:
        state = "has begun"
    names = _VERDICTS if started else _OUTCOMES
    numbers = mapping_of(event, "data", "counts")
    order = [*(name for name in names if name in numbers), *(n for n in numbers if n not in names)]
    said = [f"{numbers[n]} {names.get(n, n)}" for n in order if _is_count(numbers[n])]
    if took_s := number_of(event, "data", "duration_s"):
        said.append(f"in {duration_words(took_s)}")
    return f"{run} {state}" + (f": {', '.join(said)}" if said else "")


def _upstreams(events: Sequence[Event]) -> list[Event]:
    return [
        event
        for kind in (EventType.UPSTREAM_MOVED, EventType.UPSTREAM_SOAKING)
        for event in events
        if type_of(event) is kind
    ]


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**63


def _upstream_words(event: Event) -> str:
    name = text_of(event, "data", "upstream", "name") or text_of(event, "subject") or "an upstream"
    was = text_of(event, "data", "upstream", "was")
    now = text_of(event, "data", "upstream", "now")
    if type_of(event) is EventType.UPSTREAM_SOAKING:
        until = text_of(event, "data", "upstream", "until")
        when = f" from {minute_words(until)} UTC" if until else " once it has soaked"
        return f"{name} has a new digest{f', {short(now)}' if now else ''}, used{when}"
    change = f": {short(was) or '?'} → {short(now) or '?'}" if was or now else ""
    return f"{name} moved{change}"


def _hierarchy(events: Sequence[Event]) -> str:
    return next(filter(None, (text_of(event, "data", "hierarchy") for event in events)), "")


def _footer(events: Sequence[Event]) -> str:
    """Return who made it so: ``build by ci@host (nightly), revision 1a2b3c4d5e6f, run 01J…``."""
    command, who, trigger, id_ = (_run(events, key) for key in ("command", "who", "trigger", "id"))
    commit, dash, dirty = _run(events, "revision").partition("-")
    by = (command, who and f"by {who}", trigger and f"({trigger})")
    parts = (
        " ".join(filter(None, by)),
        commit and f"revision {commit[:12]}{dash}{dirty}",
        id_ and f"run {id_}",
    )
    return ", ".join(filter(None, parts))


def _run(events: Sequence[Event], key: str) -> str:
    """Return what the first event that knows its run says of it."""
    runs = (mapping_of(event, "data", "run") for event in events)
    return text_of(next(filter(None, runs), {}), key)


def _links(events: Sequence[Event]) -> dict[str, str]:
    return {
        name: url
        for event in events
        if (kind := type_of(event)) is None or not kind.is_of_image
        for name, url in mapping_of(event, "data", "links").items()
        if isinstance(url, str) and name and url
    }
