"""What becomes of images that were published before this software knew of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AdoptionState(StrEnum):
    """How an image stands towards being adopted.

    ADOPTABLE passed every check; it is ADOPTED once its tags say so, or FAILED.
    """

    ADOPTABLE = "adoptable"
    ADOPTED = "adopted"
    OURS = "ours"
    NOTHING = "nothing"
    RETIRED = "retired"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def is_good(self) -> bool:
        """Whether nothing about the image needs anybody's attention."""
        return self not in (AdoptionState.REFUSED, AdoptionState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What was found of one image, and what came of it.

    Attributes:
        image: image id.
        repository: where it is published.
        state: how it stands.
        tags: its floating tags that are there, in the order that counts.
        found: digest that they name; empty where there is none.
        digest: of the index that records it, which the tags name once it is adopted; empty else.
        key: build key under which it is recorded; empty where it is not.
        immutable: the tag that names it for ever; empty where it is not recorded.
        why: one sentence for what is refused, failed or not there; empty else.
    """

    image: str
    repository: str
    state: AdoptionState
    tags: tuple[str, ...] = ()
    found: str = ""
    digest: str = ""
    key: str = ""
    immutable: str = ""
    why: str = ""
