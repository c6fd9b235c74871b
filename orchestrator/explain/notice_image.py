"""One image in a notice: all events of a message that are about it, told together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from orchestrator.explain.event_data import (
    mapping_of,
    mappings_of,
    text_of,
    texts_of,
    type_of,
)
from orchestrator.explain.notice_changes import changes_of, security_updates, title_words
from orchestrator.explain.notice_why import brief_words, reasons_of, why_words
from orchestrator.model.announcement import EventType
from orchestrator.model.notice import Changes, ImageNotice, Stand, Tone
from orchestrator.model.run import HeldBy
from orchestrator.render.words import HOLDS, listed, short

Event = Mapping[str, object]

#: What is told first of an image; the rest are notes to it.
_TOLD_FIRST = (
    EventType.IMAGE_FAILED,
    EventType.TAG_ROLLED_BACK,
    EventType.IMAGE_BLOCKED,
    EventType.IMAGE_PUBLISHED,
    EventType.CHECK_REGRESSED,
    EventType.TAG_MOVED,
    EventType.IMAGE_UNCHANGED,
    EventType.IMAGE_HELD,
    EventType.IMAGE_DEPRECATED,
    EventType.ARTIFACT_PUBLISHED,
)
_TONES = {
    EventType.IMAGE_FAILED: Tone.BAD,
    EventType.TAG_ROLLED_BACK: Tone.BAD,
    EventType.CHECK_REGRESSED: Tone.BAD,
    EventType.IMAGE_BLOCKED: Tone.WARN,
    EventType.IMAGE_HELD: Tone.WARN,
    EventType.IMAGE_DEPRECATED: Tone.WARN,
    EventType.IMAGE_PUBLISHED: Tone.GOOD,
    EventType.TAG_MOVED: Tone.GOOD,
}
_WITH_FAILURE = (EventType.IMAGE_FAILED, EventType.IMAGE_BLOCKED, EventType.CHECK_REGRESSED)
#: What tells of a digest that people may use.
_USABLE = (
    EventType.IMAGE_PUBLISHED,
    EventType.ARTIFACT_PUBLISHED,
    EventType.TAG_MOVED,
    EventType.TAG_ROLLED_BACK,
)
#: How a number of images is said to have fared, in this order.
COUNTED = {
    EventType.IMAGE_PUBLISHED: "rebuilt",
    EventType.TAG_MOVED: "promoted",
    EventType.ARTIFACT_PUBLISHED: "published",
    EventType.IMAGE_FAILED: "failed",
    EventType.TAG_ROLLED_BACK: "rolled back",
    EventType.IMAGE_BLOCKED: "blocked",
    EventType.CHECK_REGRESSED: "with a check that fails",
    EventType.IMAGE_HELD: "held back",
    EventType.IMAGE_DEPRECATED: "at the end of life",
    EventType.IMAGE_UNCHANGED: "unchanged",
}
FIRST, ADOPTED = "first published", "adopted"
_MOST_REASONS = 4
_MOST_LOG, _LONGEST_LOG_LINE = 8, 300


def kind_of(events: Sequence[Event]) -> EventType:
    """Return what is told first of an image's events; all of them are of images."""
    kinds = {type_of(event) for event in events}
    return next((kind for kind in _TOLD_FIRST if kind in kinds), EventType.IMAGE_UNCHANGED)


def counted_as(events: Sequence[Event]) -> str:
    """Return how an image is said to have fared where several did: a word or a few."""
    if is_first(events):
        return FIRST
    kind = kind_of(events)
    # The same content as before, with our annotations: nobody promoted anything.
    adopted = kind is EventType.TAG_MOVED and _first(events, "run", "command") == "adopt"
    return ADOPTED if adopted else COUNTED[kind]


def image_id_of(event: Event) -> str:
    """Return the image that an event is about; empty where nobody can say."""
    return text_of(event, "data", "image", "id") or text_of(event, "subject")


def name_of(events: Sequence[Event]) -> str:
    """Return an image's id and version."""
    image = next(filter(None, map(image_id_of, events)), "an image")
    version = _first(events, "image", "version")
    return f"{image} {version}" if version else image


def all_changes_of(events: Sequence[Event]) -> Changes | None:
    """Return what changed in an image, with every package; None: there is nothing to compare."""
    changed = (changes_of(data, security_updates(data)) for data in map(_data, events))
    return next((each for each in changed if each is not None), None)


def short_words(events: Sequence[Event], changes: Changes | None) -> str:
    """Return what happened to an image, for a title behind its name and a colon.

    Args:
        events: that are about it; at least one.
        changes: all that changed in it.
    """
    kind = kind_of(events)
    tags = listed(_moved_tags(events)[:3])
    match kind:
        case EventType.IMAGE_PUBLISHED:
            return _published_words(events, changes)
        case EventType.IMAGE_FAILED:
            of_check = _first(events, "failure", "cause") == "check"
            return "a check failed" if of_check else "the build failed"
        case EventType.IMAGE_BLOCKED:
            return f"not built, {_blocker(events)} failed"
        case EventType.TAG_ROLLED_BACK:
            return f"rolled back ({tags or 'a tag'})"
        case EventType.TAG_MOVED:
            packages = _packages_words(changes)
            return f"{tags or 'a tag'} moved" + (f", {packages}" if packages else "")
        case EventType.IMAGE_HELD:
            words = _hold_words(events)
            return words if _waits(events) else f"held back: {words}"
        case EventType.IMAGE_DEPRECATED:
            return _end_words(events)
        case EventType.CHECK_REGRESSED:
            return "a check that passed before fails"
        case EventType.ARTIFACT_PUBLISHED:
            return "published"
        case _:
            return "rebuilt, nothing changed"


def image_notice(
    events: Sequence[Event], changes: Changes | None, told: Collection[str] = ()
) -> ImageNotice:
    """Return what is told of an image.

    Args:
        events: that are about it; at least one.
        changes: what is to be told of its packages.
        told: images that are told in the same notice.
    """
    kind = kind_of(events)
    kinds = {type_of(event) for event in events}
    failed = not kinds.isdisjoint(_WITH_FAILURE)
    held = _is_held(events)
    changed = kind is EventType.IMAGE_PUBLISHED
    usable = kind in _USABLE and not (changed and held)
    return ImageNotice(
        image=next(filter(None, map(image_id_of, events)), ""),
        name=name_of(events),
        tone=Tone.WARN if changed and held else _TONES.get(kind, Tone.PLAIN),
        what=_what(kind, events),
        # What is new is that for every reason, and for none that tells anything.
        why=() if is_first(events) else _why(events, told),
        was=_first(events, "digest", "was"),
        now=_first(events, "digest", "now"),
        tags=_tags(events) if usable else (),
        paste=_paste(events) if usable else "",
        changes=changes if kind in _USABLE or kind is EventType.IMAGE_HELD else None,
        notes=_notes(kind, events),
        blocked_by=_first(events, "blocked_by") if kind is EventType.IMAGE_BLOCKED else "",
        failure=_first(events, "failure", "what") if failed else "",
        hint=_first(events, "failure", "hint") if failed else "",
        log=_log(events) if failed else (),
        stands_on=_stands_on(events),
        links={
            name: url
            for data in map(_data, events)
            for name, url in mapping_of(data, "links").items()
            if isinstance(url, str) and name and url
        },
    )


def _data(event: Event) -> Mapping[str, object]:
    return mapping_of(event, "data")


def _first(events: Sequence[Event], *path: str) -> str:
    """Return the first text that an event has there, the one that is told first before others."""
    ranked = sorted(events, key=lambda event: _rank(type_of(event)))
    return next(filter(None, (text_of(event, "data", *path) for event in ranked)), "")


def _rank(kind: EventType | None) -> int:
    return _TOLD_FIRST.index(kind) if kind in _TOLD_FIRST else len(_TOLD_FIRST)


def _of(kind: EventType, events: Sequence[Event]) -> list[Event]:
    return [event for event in events if type_of(event) is kind]


def _published_words(events: Sequence[Event], changes: Changes | None) -> str:
    waits = ", not promoted yet" if _is_held(events) else ""
    return _content_words(events, changes) + waits


def _content_words(events: Sequence[Event], changes: Changes | None) -> str:
    if packages := _packages_words(changes):
        return packages
    if is_first(events):
        return FIRST
    if changes and changes.known and not changes.unknown:
        return "rebuilt, the same packages"
    reason = next((brief_words(r) for e in events for r in reasons_of(e)), "")
    return f"rebuilt, {reason}" if reason else "rebuilt"


def _packages_words(changes: Changes | None) -> str:
    if not changes or not changes.packages:
        return ""
    first, *others = changes.packages
    left = sum(len(line.names) for line in others) + changes.left_out.get("packages", 0)
    more = f" and {left} more" if left else ""
    said = f"{title_words(first)} (security){more}" if first.security else title_words(first) + more
    # That it is not known of which makes it no less urgent.
    return said if first.security or not changes.security else f"{said} (security)"


def is_first(events: Sequence[Event]) -> bool:
    """Say whether an image was published that was not there before."""
    of_build = _of(EventType.IMAGE_PUBLISHED, events)
    return bool(of_build) and not _first(of_build, "digest", "was")


def _waits(events: Sequence[Event]) -> bool:
    """Say whether an image waits for somebody, and for nothing that went wrong."""
    return _first(events, "held", "by") == HeldBy.MANUAL


def _is_held(events: Sequence[Event]) -> bool:
    return bool(_of(EventType.IMAGE_HELD, events))


def _what(kind: EventType, events: Sequence[Event]) -> str:
    match kind:
        case EventType.IMAGE_PUBLISHED:
            done = "was published for the first time" if is_first(events) else "was rebuilt"
            if not _is_held(events):
                return done
            if _waits(events):
                return f"{done}, and {_hold_words(events)}"
            return f"{done}, but is not promoted: {_hold_words(events)}"
        case EventType.IMAGE_FAILED:
            of_check = _first(events, "failure", "cause") == "check"
            return "did not pass a check" if of_check else "could not be built"
        case EventType.IMAGE_BLOCKED:
            return f"was not built, because {_blocker(events)} failed"
        case EventType.TAG_ROLLED_BACK | EventType.TAG_MOVED:
            tags = _moved_tags(events)
            those = listed(tags) if tags else "a tag"
            verb = "are" if len(tags) > 1 else "is"
            now = short(_first(events, "digest", "now")) or "what was there before"
            if kind is EventType.TAG_MOVED:
                return f"was {counted_as(events)}: {those} {verb} on {now}"
            return f"was rolled back: {those} {verb} on {now} again"
        case EventType.IMAGE_HELD:
            words = _hold_words(events)
            return words if _waits(events) else f"is held back: {words}"
        case EventType.IMAGE_DEPRECATED:
            return _end_words(events)
        case EventType.CHECK_REGRESSED:
            return "fails a check that it passed before"
        case EventType.ARTIFACT_PUBLISHED:
            return "was published"
        case _:
            return "was rebuilt, and nothing in it changed"


def _why(events: Sequence[Event], told: Collection[str]) -> tuple[str, ...]:
    ranked = sorted(events, key=lambda event: _rank(type_of(event)))
    words = (
        why_words(reason, image_id_of(event), told)
        for event in ranked
        for reason in reasons_of(event)
    )
    every = tuple(dict.fromkeys(filter(None, words)))
    more = len(every) - _MOST_REASONS
    return every if more <= 0 else (*every[:_MOST_REASONS], f"and {more} more reasons")


def _moved_tags(events: Sequence[Event]) -> list[str]:
    moved = (
        text_of(event, "data", "tags", "moved")
        for kind in (EventType.TAG_ROLLED_BACK, EventType.TAG_MOVED)
        for event in _of(kind, events)
    )
    return list(dict.fromkeys(filter(None, moved)))


def _tags(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the tags that people may see move: those that did, else those that are to."""
    if moved := _moved_tags(events):
        return tuple(moved)
    floating = (texts_of(_data(event), "tags", "floating") for event in events)
    return next(filter(None, floating), ())


def _paste(events: Sequence[Event]) -> str:
    reference = _first(events, "from")
    return f"FROM {reference.removeprefix('FROM ')}" if reference else ""


def _is_gone(events: Sequence[Event]) -> bool:
    """Say whether what events tell of was deleted since: there is nothing to paste."""
    places = [_data(event).get("from") for event in events if type_of(event) in _USABLE]
    return "" in places and not any(places)


def _blocker(events: Sequence[Event]) -> str:
    return _first(events, "blocked_by") or "what it stands on"


def _hold_words(events: Sequence[Event]) -> str:
    by, held_for = _first(events, "held", "by"), _first(events, "held", "for")
    if by in {each.value for each in HeldBy}:
        return HOLDS[HeldBy(by)].format(held_for or "another image")
    return " ".join(filter(None, (by, held_for))) or "it is not promoted yet"


def _log(events: Sequence[Event]) -> tuple[str, ...]:
    tails = (texts_of(event, "data", "failure", "log_tail") for event in events)
    return tuple(line[:_LONGEST_LOG_LINE] for line in next(filter(None, tails), ())[-_MOST_LOG:])


def _end_words(events: Sequence[Event]) -> str:
    end, heir = _first(events, "eol"), _first(events, "replaced_by")
    today = max((text_of(event, "time")[:10] for event in events), default="")
    retired = _first(events, "deprecated") == "retired"
    verb = "ended" if end and today and end < today else "ends"
    when = f"{verb} on {end}" if end and not retired else "is retired: it is not built any more"
    return f"{when}; use {heir}" if heir else when


def _notes(kind: EventType, events: Sequence[Event]) -> tuple[str, ...]:
    kinds = {type_of(event) for event in events} - {kind}
    said = []
    if EventType.IMAGE_HELD in kinds and kind is not EventType.IMAGE_PUBLISHED:
        said.append(f"It is held back: {_hold_words(events)}.")
    if EventType.CHECK_REGRESSED in kinds:
        said.append("It fails a check that it passed before.")
    if EventType.IMAGE_DEPRECATED in kinds:
        said.append(f"It {_end_words(events)}.")
    if kind is EventType.IMAGE_PUBLISHED and EventType.TAG_ROLLED_BACK in kinds:
        said.append("A tag was rolled back.")
    was, now = _first(events, "digest", "was"), _first(events, "digest", "now")
    if kind in _USABLE and now and _is_gone(events):
        said.append(f"Nobody can use {short(now)}: it is not in the registry any more.")
    if kind is EventType.TAG_ROLLED_BACK and was:
        said.append(f"Leave {short(was)}, if you are on it.")
    if kind in (EventType.IMAGE_FAILED, EventType.IMAGE_BLOCKED) and was:
        said.append(f"What is published stays as it is, {short(was)}.")
    return tuple(said)


def _stands_on(events: Sequence[Event]) -> tuple[Stand, ...]:
    for event in events:
        stands = tuple(
            Stand(name=text_of(each, "name"), digest=text_of(each, "digest"))
            for each in mappings_of(event, "data", "lineage")
            if text_of(each, "name")
        )
        if stands:
            return stands
    return ()
