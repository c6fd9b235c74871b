"""What others may be told: facts about images, upstreams and runs, each of which has one id.

Source: docs/adr/0025-outbox.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventType(StrEnum):
    """What teams may subscribe to. The words are those of the hierarchy file."""

    IMAGE_PUBLISHED = "image.published"
    IMAGE_UNCHANGED = "image.unchanged"
    IMAGE_FAILED = "image.failed"
    IMAGE_BLOCKED = "image.blocked"
    IMAGE_HELD = "image.held"
    IMAGE_DEPRECATED = "image.deprecated"
    TAG_MOVED = "tag.moved"
    TAG_ROLLED_BACK = "tag.rolled-back"
    UPSTREAM_MOVED = "upstream.moved"
    UPSTREAM_SOAKING = "upstream.soaking"
    RUN_STARTED = "run.started"
    RUN_FINISHED = "run.finished"
    CHECK_REGRESSED = "check.regressed"
    ARTIFACT_PUBLISHED = "artifact.published"
    """``image.published`` in the words of CDEvents, for tools that understand those."""

    @property
    def is_of_image(self) -> bool:
        """Whether its subject is an image of the hierarchy."""
        return self.value.startswith(("image.", "tag.", "check.", "artifact."))


class AnnouncementState(StrEnum):
    """How far an announcement is.

    PENDING: it is not known yet whether it came true: a claim was written, and nobody has read
    its tags back. RELEASED: it is a fact. TOLD: there is a delivery for everybody who wants it.
    """

    PENDING = "pending"
    RELEASED = "released"
    TOLD = "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One fact that others may be told, as the outbox has it.

    Attributes:
        id: ``evt_`` and 32 hexadecimal digits: see :func:`announcement_id`.
        hierarchy: its name.
        run: id of the run that made it so.
        type: what kind of fact.
        subject: image id, upstream's name, or id of the run.
        at: RFC 3339 UTC.
        repository: of what was published: where; empty else.
        key: of what was published: the build key; empty else.
        digest: of what was published: the index that the key's tag must name; empty else.
        event: CloudEvents 1.0, as a JSON object; empty until it is told.
    """

    id: str
    hierarchy: str
    run: str
    type: EventType
    subject: str
    at: str
    repository: str = ""
    key: str = ""
    digest: str = ""
    event: Mapping[str, object] = field(default_factory=dict)


def announcement_id(hierarchy: str, type_: EventType, *facts: str) -> str:
    """Return the id of a fact: the same whoever finds it out, and however often.

    Args:
        hierarchy: its name.
        type_: what kind.
        facts: what makes it one fact and not another, e.g. repository, key and digest.
    """
    text = "\x00".join((hierarchy, type_.value, *facts))
    return "evt_" + hashlib.sha256(text.encode()).hexdigest()[:32]
