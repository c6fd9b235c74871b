"""A published image as CDEvents tells it, carried by CloudEvents.

Source: CDEvents 0.5, its binding to CloudEvents, and the package-url specification for ``oci``.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model.announcement import Announcement

SPEC_VERSION = "0.5.1"
TYPE = "dev.cdevents.artifact.published.0.3.0"
CONTENT_TYPE = "application/cdevents+json"


def artifact_published(
    announcement: Announcement, source: str, published: Mapping[str, object]
) -> dict[str, object]:
    """Return the event.

    Args:
        announcement: of ``artifact.published``.
        source: of CloudEvents.
        published: what image.published tells of it; it becomes ``customData``.
    """
    subject = purl(announcement.repository, announcement.digest)
    return {
        "specversion": "1.0",
        "id": announcement.id,
        "source": source,
        "type": TYPE,
        "subject": subject,
        "time": announcement.at,
        "datacontenttype": CONTENT_TYPE,
        "data": {
            "context": {
                "specversion": SPEC_VERSION,
                "id": announcement.id,
                "source": source,
                "type": TYPE,
                "timestamp": announcement.at,
            },
            "subject": {"id": subject, "source": source, "content": {}},
            "customData": dict(published),
            "customDataContentType": "application/json",
        },
    }


def purl(repository: str, digest: str) -> str:
    """Return the package URL of an image in a registry."""
    # Nothing else in the name of a repository, or in a digest, has to be escaped.
    place, version = repository.replace(":", "%3A"), digest.replace(":", "%3A")
    return f"pkg:oci/{repository.rpartition('/')[2]}@{version}?repository_url={place}"
