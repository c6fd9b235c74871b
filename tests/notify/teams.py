"""Images, teams that follow them, and facts, for these tests."""

from __future__ import annotations

from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.doors.protocols_outbox import Outbox
from orchestrator.model.announcement import Announcement, EventType, announcement_id
from orchestrator.model.delivery import Delivery
from orchestrator.model.hierarchy import Builder, Hierarchy, Image, Parent, ParentKind, Upstream
from orchestrator.model.names import parse_reference, parse_repository
from orchestrator.model.subscription import Subscription, receiver_of
from orchestrator.model.target import Target, WebhookTarget
from orchestrator.model.time import rfc3339

RUN = "20260101T000000Z-aaaa"
TODAY = "2026-01-01"
#: The first second of that day.
NOW_S = 1_767_225_600.0
AT = rfc3339(NOW_S)
DEBIAN = "debian:bookworm-slim"
#: Image → what it stands on.
PARENTS = {
    "base": DEBIAN,
    "python": "base",
    "gunicorn": "python",
    "hello": "gunicorn",
    "java": "base",
    "tool": "",
}


def image(id_: str, parent: str, **more: object) -> Image:
    """Return an image on an upstream, on another image, or on nothing."""
    kind = ParentKind.UPSTREAM if ":" in parent else ParentKind.IMAGE
    stands_on = Parent(name=parent, kind=kind, subject=parent, final=True, line=1)
    settings: dict[str, object] = {
        "id": id_,
        "version": "1",
        "repository": parse_repository(f"localhost:5000/gold/{id_}"),
        "context": id_,
        "dockerfile": "Dockerfile",
        "platforms": ("linux/amd64",),
        "parents": (stands_on,) if parent else (),
        "immutable": "{version}-{key}",
        **more,
    }
    return Image(**settings)  # type: ignore[arg-type]


def hierarchy(
    *subscriptions: Subscription, parents: dict[str, str] | None = None, **more: dict[str, object]
) -> Hierarchy:
    """Return a hierarchy; ``more`` is what else is set of images, by id."""
    pairs = (parents or PARENTS).items()
    upstreams = {parent for _, parent in pairs if ":" in parent}
    return Hierarchy(
        name="gold",
        file="hierarchy.yaml",
        images={id_: image(id_, parent, **more.get(id_, {})) for id_, parent in pairs},
        upstreams={
            each: Upstream(name=each, source=parse_reference(f"docker.io/library/{each}"))
            for each in upstreams
        },
        secrets={},
        builders=(Builder(),),
        subscriptions=subscriptions,
    )


def hook(name: str = "ci") -> WebhookTarget:
    """Return an address."""
    return WebhookTarget(url=f"https://{name}.example/hook", secrets=("env:SECRET",))


def follows(*images: str, team: str = "web", **more: object) -> Subscription:
    """Return a subscription, to publications unless it says otherwise."""
    settings: dict[str, object] = {
        "team": team,
        "images": images,
        "events": (EventType.IMAGE_PUBLISHED,),
        "targets": (hook(team),),
        **more,
    }
    return Subscription(**settings)  # type: ignore[arg-type]


def fact(type_: EventType, subject: str, number: int = 0, **data: object) -> Announcement:
    """Return something that happened; each number is another one."""
    id_ = announcement_id("gold", type_, subject, str(number))
    return Announcement(
        id=id_,
        hierarchy="gold",
        run=RUN,
        type=type_,
        subject=subject,
        at=AT,
        event={
            "specversion": "1.0",
            "id": id_,
            "type": f"io.gold-orchestrator.{type_}.v1",
            "source": "urn:gold-orchestrator:hierarchy:gold",
            "subject": subject,
            "data": {"hierarchy": "gold", **data},
        },
    )


def published(image_id: str, number: int = 0, **data: object) -> Announcement:
    """Return the publication of an image."""
    return fact(EventType.IMAGE_PUBLISHED, image_id, number, **data)


def delivery(
    number: int,
    *images: str,
    team: str = "web",
    target: Target | None = None,
    **more: object,
) -> Delivery:
    """Return a message about images that nobody has sent yet; each number is another one."""
    about = published(images[0] if images else "base", number)
    settings: dict[str, object] = {
        "id": f"msg_{number:08d}",
        "hierarchy": "gold",
        "team": team,
        "receiver": receiver_of(target or hook(team)),
        "run": RUN,
        "thread": images[0] if images else RUN,
        "subject": f"news ({number})",
        "at": AT,
        "images": images,
        "events": (about.id,),
        **more,
    }
    return Delivery(**settings)  # type: ignore[arg-type]


def tell(outbox: Outbox, *deliveries: Delivery) -> None:
    """Put messages into an outbox, with their events."""
    about = [
        published(each.images[0] if each.images else "base", int(each.id[4:]))
        for each in deliveries
    ]
    outbox.tell(about, deliveries)


def memory_outbox() -> Outbox:
    """Return an outbox without a database."""
    return MemoryHistory().outbox
