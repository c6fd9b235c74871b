"""Why something happened to an image, in a notice: what changed first, and the way down from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from orchestrator.explain.event_data import mappings_of, text_of, texts_of

_MOST_IN_CHAIN = 12


def reasons_of(event: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return the reasons that an event has, the most telling first."""
    return list(mappings_of(event, "data", "reasons"))


def chain_of(event: Mapping[str, object]) -> tuple[str, ...]:
    """Return the first chain of reasons from what moved down to the image."""
    return next(filter(None, (texts_of(reason, "chain") for reason in reasons_of(event))), ())


def why_words(reason: Mapping[str, object], image: str, told: Collection[str] = ()) -> str:
    """Return one reason, with what is behind it and the way from there; empty: it says nothing.

    Args:
        reason: of an event.
        image: the image's id.
        told: images that are told in the same notice: why they changed is told there.
    """
    words = text_of(reason, "text") or text_of(reason, "cause")
    if not words:
        return ""
    root = _root_words(reason, told)
    return f"{f'{root}, so ' if root else ''}{words}{_chain_words(reason, image)}"


def brief_words(reason: Mapping[str, object]) -> str:
    """Return what is behind a reason, or else the reason itself, without the way from there."""
    return _root_words(reason, ()) or text_of(reason, "text")


def security_words(events: Iterable[Mapping[str, object]]) -> str:
    """Return the security fix for which something was built; empty: nobody says so."""
    for event in events:
        for reason in reasons_of(event):
            for each in (reason, *mappings_of(reason, "root")):
                if is_security_fix(each) and (words := text_of(each, "text")):
                    return words
    return ""


def is_security_fix(reason: Mapping[str, object]) -> bool:
    """Say whether it is a package's security fix; the reason of an image, or of one below it."""
    return text_of(reason, "cause") == "packages" and text_of(reason, "because") == "security"


def _root_words(reason: Mapping[str, object], told: Collection[str]) -> str:
    """Return why the first image of the chain changed; empty: it is told elsewhere, or unknown."""
    roots = [each for each in mappings_of(reason, "root") if text_of(each, "text")]
    if not roots or text_of(roots[0], "image") in told:
        return ""
    first, *others = roots
    image, words = text_of(first, "image") or "a parent", text_of(first, "text")
    more = " and more" if others else ""
    match text_of(first, "cause"):
        case "packages":
            return f"{image} got {words}{more}"
        case "upstream-moved" if subject := text_of(first, "subject"):
            return f"{subject} moved"
        case _:
            # Digests of files, behind, tell nobody anything.
            return f"{image} changed ({words.partition(' (')[0]}{more})"


def _chain_words(reason: Mapping[str, object], image: str) -> str:
    """Return the way down to an image, where it is longer than what the reason itself says."""
    chain: Sequence[str] = [each for each in texts_of(reason, "chain") if each != image]
    if len(chain) < 2:
        return ""
    if len(chain) > _MOST_IN_CHAIN:
        chain = [*chain[:2], "…", *chain[-_MOST_IN_CHAIN + 3 :]]
    return f" ({' → '.join([*chain, image])})"
