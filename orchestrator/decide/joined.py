"""What several ask for, put together for one run. Pure."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model.lease import Ask


def joined(first: Ask, others: tuple[Ask, ...]) -> tuple[Ask, tuple[Ask, ...]]:
    """Return what one run does for several, and those it can do nothing for.

    What is wanted is everything that any of them wants: the images of all, whatever is forced, and
    whatever is not to soak. Of options that say how, and of files, all must have the same.

    Args:
        first: whose run it is.
        others: who joined it, in this order.
    """
    whole, left = first, []
    for other in others:
        more = _both(whole, other)
        if more is None:
            left.append(other)
        else:
            whole = more
    return whole, tuple(left)


def _both(one: Ask, other: Ask) -> Ask | None:
    if not one.alike or one.alike != other.alike or not set(one.trees) & set(other.trees):
        return None
    images = _images(one, other)
    if images is None:
        return None
    return replace(
        images,
        because="; ".join(filter(None, (one.because, _told(other)))),
        forced=tuple(dict.fromkeys(one.forced + other.forced)),
        unsoaked=tuple(dict.fromkeys(one.unsoaked + other.unsoaked)),
    )


def _images(one: Ask, other: Ask) -> Ask | None:
    """Return the first one with the images of both; None: no selectors say that."""
    if _selection(one) == _selection(other) or not _is_choosy(one):
        return one
    if not _is_choosy(other):
        return replace(one, wanted=(), exclude=(), since=None)
    if any(ask.exclude or ask.since is not None for ask in (one, other)):
        return None
    return replace(one, wanted=tuple(dict.fromkeys(one.wanted + other.wanted)))


def _is_choosy(ask: Ask) -> bool:
    return _selection(ask) != ((), (), None)


def _selection(ask: Ask) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    return ask.wanted, ask.exclude, ask.since


def _told(ask: Ask) -> str:
    """Return how the history tells of one that joined."""
    how = f"joined by {ask.who}" + (f" ({ask.trigger})" if ask.trigger else "")
    return f"{how}: {ask.because}" if ask.because else how
