"""A message that tells nothing, for trying receivers: like a real one, and it says so. Pure."""

from __future__ import annotations

import hashlib

from orchestrator.explain.notice import headline
from orchestrator.model.announcement import EventType
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.message import Message
from orchestrator.model.time import rfc3339
from orchestrator.plan.interest import Interests

_PACKAGE = {"name": "openssl", "type": "deb", "change": "upgraded"}


def sample_message(hierarchy: Hierarchy, team: str, now_s: float, unique: str) -> Message:
    """Return a message with one event, ``image.published`` with ``"test": true`` in its data.

    It is about an image that the team subscribes to, whose digests are those of no image.

    Args:
        hierarchy: knows the image.
        team: who gets it.
        now_s: seconds since 1970.
        unique: 32 hexadecimal digits that no other message has.
    """
    image = _image(hierarchy, team)
    event = _event(hierarchy, image, rfc3339(now_s), unique)
    return Message(
        id=f"msg_{unique}",
        team=team,
        at=rfc3339(now_s),
        subject=headline([event]),
        thread=image.id if image else f"test-{unique[:8]}",
        events=(event,),
        images=(image.id,) if image else (),
    )


def _image(hierarchy: Hierarchy, team: str) -> Image | None:
    interests = Interests(hierarchy)
    wanted = {
        image
        for each in hierarchy.subscriptions
        if each.team == team
        for image in interests.of(each.images)
    }
    every = hierarchy.images.values()
    return next((image for image in every if image.id in wanted), next(iter(every), None))


def _event(hierarchy: Hierarchy, image: Image | None, at: str, unique: str) -> dict[str, object]:
    name = image.id if image else "sample"
    version = image.version if image else "1"
    repository = str(image.repository) if image else "registry.example/sample"
    platforms = image.platforms if image else ("linux/amd64",)
    was, now = _digest("before", unique), _digest("after", unique)
    tag = f"{version}-test"
    type_ = EventType.IMAGE_PUBLISHED
    return {
        "specversion": "1.0",
        "id": f"evt_{unique}",
        "source": f"urn:gold-orchestrator:hierarchy:{hierarchy.name}",
        "type": f"io.gold-orchestrator.{type_}.v1",
        "subject": name,
        "time": at,
        "datacontenttype": "application/json",
        "dataschema": f"urn:gold-orchestrator:schema:{type_}:1",
        "data": {
            "test": True,
            "hierarchy": hierarchy.name,
            "run": {
                "id": f"test-{unique[:8]}",
                "command": "notify test",
                "who": "",
                "trigger": "manual",
                "because": "a test: nothing was published",
                "revision": "",
            },
            "image": {
                "id": name,
                "version": version,
                "tier": (image.tier or "") if image else "",
                "repository": repository,
                "labels": dict(image.labels) if image else {},
            },
            "digest": {"was": was, "now": now},
            "tags": {"immutable": tag, "floating": []},
            "from": f"{repository}:{tag}@{now}",
            "platforms": {
                platform: {"digest": _digest(platform, unique), "was_bytes": 1, "now_bytes": 1}
                for platform in platforms
            },
            "reasons": [
                {
                    "cause": "forced",
                    "text": "somebody tries whether notices arrive",
                    "chain": [name],
                }
            ],
            "lineage": [],
            "change": {
                "platforms": {
                    platform: {
                        "packages": [{**_PACKAGE, "was": "3.0.15", "now": "3.0.16"}],
                        "unknown": "",
                        "settings": [],
                        "fixed": None,
                        "introduced": None,
                    }
                    for platform in platforms
                },
                "packages": True,
                "security": None,
                "security_updates": [],
                "unknown": "",
            },
            "links": {},
        },
    }


def _digest(*facts: str) -> str:
    return "sha256:" + hashlib.sha256("\x00".join(("test", *facts)).encode()).hexdigest()
