"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 image`` or ``2 images``; ``plural`` is for nouns that take no s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
