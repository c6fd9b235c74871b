"""Events as a run leaves them, for what notices say of them."""

from __future__ import annotations

import hashlib
from typing import Any

from orchestrator.model.message import Message

Event = dict[str, Any]

REGISTRY = "registry.example/gold"
AT = "2026-11-22T15:00:00Z"
UPSTREAM = "debian:bookworm-slim"
RUN = {
    "id": "20261122-150000-7f3a",
    "command": "patch",
    "who": "nightly@ci-runner-3",
    "trigger": "schedule",
    "because": "",
    "revision": "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b",
}
COMMIT = "https://git.example/platform/gold/commit/1a2b3c4d5e6f"


def digest(of: str) -> str:
    """Return the digest of a word."""
    return "sha256:" + hashlib.sha256(of.encode()).hexdigest()


def event(type_: str, subject: str, **data: Any) -> Event:
    """Return an event about a subject."""
    return {
        "specversion": "1.0",
        "id": f"evt_{hashlib.sha256(f'{type_} {subject} {data}'.encode()).hexdigest()[:32]}",
        "source": "urn:gold-orchestrator:hierarchy:gold",
        "type": f"io.gold-orchestrator.{type_}.v1",
        "subject": subject,
        "time": AT,
        "datacontenttype": "application/json",
        "dataschema": f"urn:gold-orchestrator:schema:{type_}:1",
        "data": {"hierarchy": "gold", "run": RUN, **data},
    }


def image_event(type_: str, image: str, version: str, **data: Any) -> Event:
    """Return an event about an image."""
    about = {
        "id": image,
        "version": version,
        "tier": "runtime",
        "repository": f"{REGISTRY}/{image}",
        "labels": {"team": "platform", "cost-center": "4711"},
    }
    return event(type_, image, image=about, **data)


def package(name: str, was: str, now: str, change: str = "upgraded", type_: str = "deb") -> Event:
    """Return one package of a change."""
    return {"name": name, "type": type_, "change": change, "was": was, "now": now}


def weakness(id_: str, severity: str, of: str) -> Event:
    """Return one vulnerability of a change."""
    return {"id": id_, "severity": severity, "package": of}


def lineage(*parents: str) -> list[Event]:
    """Return what an image stands on, the nearest first and debian at the end."""
    own = [_stand(name, "image", f"{REGISTRY}/{name}", f"{name} now") for name in parents]
    return [*own, _stand(UPSTREAM, "upstream", f"docker.io/library/{UPSTREAM}", "debian now")]


def _stand(name: str, kind: str, reference: str, of: str) -> Event:
    return {"name": name, "kind": kind, "reference": reference, "digest": digest(of)}


FIX = {
    "packages": [
        package("libssl3", "3.0.15-1~deb12u1", "3.0.16-1~deb12u1"),
        package("openssl", "3.0.15-1~deb12u1", "3.0.16-1~deb12u1"),
        package("tzdata", "2024a-0+deb12u1", "2024b-0+deb12u1"),
    ],
    "settings": [],
    "fixed": [
        weakness("CVE-2026-1042", "high", "openssl"),
        weakness("CVE-2026-1042", "high", "libssl3"),
        weakness("CVE-2026-0988", "medium", "openssl"),
    ],
    "introduced": [],
    "unknown": "",
}


def change(*more: Event, **others: Any) -> Event:
    """Return the fix of openssl on both platforms, and more packages on both."""
    one = {**FIX, "packages": [*FIX["packages"], *more], **others}
    return {
        "platforms": {"linux/amd64": one, "linux/arm64": one},
        "packages": True,
        "security": True,
    }


def published(
    image: str,
    version: str,
    *parents: str,
    changed: Event | None = None,
    reasons: list[Event] | None = None,
    **data: Any,
) -> Event:
    """Return that an image was rebuilt on its parents because debian moved."""
    now = digest(f"{image} now")
    below = parents[0] if parents else "debian"
    above = f"parent {below} moved" if parents else f"upstream {UPSTREAM} moved"
    before = [UPSTREAM, *reversed(parents)]
    reason = {
        "cause": "parent-moved" if parents else "upstream-moved",
        "text": f"{above} {digest(f'{below} was')[7:19]} → {digest(f'{below} now')[7:19]}",
        "chain": [*before, image],
        "root": _root(parents[-1]) if parents else [],
    }
    immutable = f"{version}-20261122-1a2b3c4d5e6f"
    return image_event(
        "image.published",
        image,
        version,
        **{
            "digest": {"was": digest(f"{image} was"), "now": now},
            "tags": {"immutable": immutable, "floating": [version, "stable"]},
            "from": f"{REGISTRY}/{image}:{immutable}@{now}",
            "platforms": {
                "linux/amd64": {
                    "digest": digest(f"{image} amd64"),
                    "was_bytes": 45_200_000,
                    "now_bytes": 46_010_000,
                },
                "linux/arm64": {
                    "digest": digest(f"{image} arm64"),
                    "was_bytes": 44_000_000,
                    "now_bytes": 43_900_000,
                },
            },
            "reasons": [reason] if reasons is None else reasons,
            "lineage": lineage(*parents),
            "change": change() if changed is None else changed,
            "links": {"source": COMMIT},
            **data,
        },
    )


def _root(image: str) -> list[Event]:
    """Return why the lowest image was rebuilt: debian moved."""
    text = f"upstream {UPSTREAM} moved {digest('debian was')[7:19]} → {digest('debian now')[7:19]}"
    return [{"image": image, "cause": "upstream-moved", "text": text, "subject": UPSTREAM}]


def moved(
    image: str, version: str, tag: str, *parents: str, type_: str = "tag.moved", **data: Any
) -> Event:
    """Return that a tag of an image moved, with all that its build told."""
    facts = published(image, version, *parents)["data"]
    return image_event(
        type_,
        image,
        version,
        **{
            **{key: facts[key] for key in _CONTENT},
            "tags": {**facts["tags"], "moved": tag},
            **data,
        },
    )


_CONTENT = ("digest", "from", "platforms", "reasons", "lineage", "change", "links")
FAILURE = {
    "cause": "command",
    "log_tail": [],
    "what": 'RUN pip install -r requirements.txt: process "/bin/sh -c pip install -r '
    'requirements.txt" did not complete successfully: exit code: 1',
    "hint": "orchestrate logs 20261122-150000-7f3a gunicorn shows the whole log",
}

LOG = [
    "#9 3.114 ERROR: Could not find a version that satisfies the requirement gevent==25.9.9",
    "#9 3.115 ERROR: No matching distribution found for gevent==25.9.9",
]

CASCADE = (
    ("base", "12", ()),
    ("python", "3.11", ("base",)),
    ("node", "22", ("base",)),
    ("jre", "21", ("base",)),
    ("gunicorn", "20.1", ("python", "base")),
    ("celery", "5.4", ("python", "base")),
    ("tomcat", "10.1", ("jre", "base")),
    ("pm2", "5", ("node", "base")),
    ("hello", "1.4", ("gunicorn", "python", "base")),
    ("shop", "8.2", ("gunicorn", "python", "base")),
    ("mailer", "2.0", ("celery", "python", "base")),
    ("billing", "4.1", ("tomcat", "jre", "base")),
)


def one_fix() -> tuple[Event, ...]:
    """An image with a package fix, and the two tags that moved."""
    pythons = package("python3.11", "3.11.2-6", "3.11.2-6+deb12u5")
    settings = [
        {"name": "environment", "what": "SSL_CERT_DIR", "was": None, "now": ""},
        {"name": "user", "what": "", "was": "root", "now": "app"},
    ]
    return (
        published("python", "3.11", "base", changed=change(pythons, settings=settings)),
        moved("python", "3.11", "3.11", "base"),
        moved("python", "3.11", "stable", "base"),
    )


def cascade() -> tuple[Event, ...]:
    """Twelve images that were rebuilt because one upstream moved."""
    moving = event("upstream.moved", UPSTREAM, upstream=_upstream())
    own = {"gunicorn": package("gunicorn", "20.1.0", "20.1.1", type_="python")}
    builds = (
        published(image, version, *parents, changed=change(*filter(None, [own.get(image)])))
        for image, version, parents in CASCADE
    )
    tags = (moved(image, version, "stable", *parents) for image, version, parents in CASCADE)
    return (moving, *builds, *tags, _finished("succeeded", {"built": 12}))


def inherited() -> tuple[Event, ...]:
    """An application server on a base that got a security fix; nobody lists packages."""
    got = {"image": "base", "cause": "packages", "subject": "openssl", "because": "security"}
    text = "openssl 3.0.15-1~deb12u1 → 3.0.16-1~deb12u1 (security)"
    (reason,) = _reasons("gunicorn", "20.1", "python", "base")
    why = {**reason, "chain": ["base", "python", "gunicorn"], "root": [{**got, "text": text}]}
    nothing = f"{digest('gunicorn amd64')[7:19]} has no SBOM attached; `sbom: syft` attaches one"
    one = {**FIX, "packages": None, "fixed": None, "introduced": None, "unknown": nothing}
    unlisted = {
        "platforms": {"linux/amd64": one, "linux/arm64": one},
        "packages": None,
        "security": True,
        "security_updates": ["openssl"],
    }
    return (
        published("gunicorn", "20.1", "python", "base", changed=unlisted, reasons=[why]),
        moved("gunicorn", "20.1", "stable", "python", "base", change=unlisted, reasons=[why]),
    )


def deleted() -> tuple[Event, ...]:
    """An image that somebody deleted before its teams were told."""
    gone: Event = {
        "platforms": {},
        "packages": None,
        "security": None,
        "security_updates": [],
        "unknown": f"{digest('python now')[7:19]} is not in the registry any more",
    }
    event = published("python", "3.11", "base", changed=gone, platforms={})
    event["data"]["from"] = ""
    return (event,)


def failure() -> tuple[Event, ...]:
    """An image that could not be built."""
    return (
        image_event(
            "image.failed",
            "gunicorn",
            "20.1",
            digest={"was": digest("gunicorn was"), "now": ""},
            failure={**FAILURE, "log_tail": LOG},
            tries=1,
            reasons=_reasons("gunicorn", "20.1", "python", "base"),
        ),
    )


def blocked() -> tuple[Event, ...]:
    """One that stands on it."""
    return (
        image_event(
            "image.blocked",
            "hello",
            "1.4",
            digest={"was": digest("hello was"), "now": ""},
            blocked_by="gunicorn",
            failure=FAILURE,
            reasons=_reasons("hello", "1.4", "gunicorn", "python", "base"),
        ),
    )


def rolled_back() -> tuple[Event, ...]:
    """Two tags that were put back."""
    was, now = digest("python now"), digest("python was")
    again = {
        "digest": {"was": was, "now": now},
        "from": f"{REGISTRY}/python:3.11-20261115-99887766@{now}",
        "run": {**RUN, "command": "rollback", "who": "ana", "because": "segfaults in TLS"},
        "reasons": [],
    }
    back = [package("openssl", "3.0.16-1~deb12u1", "3.0.15-1~deb12u1", "downgraded")]
    one = {**FIX, "packages": back, "fixed": None, "introduced": None}
    change = {"platforms": {"linux/amd64": one}, "packages": True, "security": None}
    return tuple(
        moved("python", "3.11", tag, "base", type_="tag.rolled-back", change=change, **again)
        for tag in ("3.11", "stable")
    )


def held() -> tuple[Event, ...]:
    """An image that waits because its canary did not pass."""
    build = published("python", "3.11", "base")
    facts = {key: build["data"][key] for key in (*_CONTENT, "tags")}
    by = {"by": "canary", "for": "hello"}
    return (build, image_event("image.held", "python", "3.11", held=by, **facts))


def deprecated() -> tuple[Event, ...]:
    """An image at the end of its life."""
    return (
        image_event(
            "image.deprecated",
            "python-39",
            "3.9",
            deprecated="eol",
            eol="2026-11-21",
            replaced_by="python-312",
        ),
    )


def upstreams() -> tuple[Event, ...]:
    """Upstreams that moved, and one that soaks."""
    soaking = {**_upstream(), "name": "alpine:3.20", "until": "2026-11-23T15:00:00Z"}
    return (
        event("upstream.soaking", "alpine:3.20", upstream=soaking),
        event("upstream.moved", UPSTREAM, upstream=_upstream()),
    )


def run_started() -> tuple[Event, ...]:
    """A run that has begun."""
    return (event("run.started", RUN["id"], counts={"build": 2, "await": 10}),)


def run_finished() -> tuple[Event, ...]:
    """A run that is over, and failed."""
    return (_finished("failed", {"built": 3, "failed": 1, "blocked": 2}, "gunicorn"),)


def trial() -> tuple[Event, ...]:
    """A test of a subscription."""
    return tuple({**each, "data": {**each["data"], "test": True}} for each in one_fix()[:1])


def crowd() -> tuple[Event, ...]:
    """Three hundred images, some of which failed."""
    builds = [published(f"app-{n:03}", "1.0", "base") for n in range(294)]
    ended = {"digest": {"was": "", "now": ""}, "failure": FAILURE, "reasons": []}
    failed = [
        image_event("image.failed", f"app-{n}", "1.0", tries=1, **ended) for n in range(294, 298)
    ]
    stopped = [
        image_event("image.blocked", f"app-{n}", "1.0", blocked_by="app-294", **ended)
        for n in (298, 299)
    ]
    return (*builds, *stopped, *failed)


SAMPLES = {
    "fix": one_fix,
    "cascade": cascade,
    "inherited": inherited,
    "deleted": deleted,
    "failure": failure,
    "blocked": blocked,
    "rollback": rolled_back,
    "held": held,
    "deprecated": deprecated,
    "upstreams": upstreams,
    "run-started": run_started,
    "run-finished": run_finished,
    "test": trial,
    "crowd": crowd,
}


def message(events: tuple[Event, ...], subject: str) -> Message:
    """Return the message of events."""
    return Message(
        id="msg_" + "0123456789abcdef" * 2,
        team="payments",
        at=AT,
        subject=subject,
        thread="python",
        events=events,
        images=("python",),
    )


def _upstream() -> Event:
    return {
        "name": UPSTREAM,
        "source": "docker.io/library/debian:bookworm-slim",
        "was": digest("debian was"),
        "now": digest("debian now"),
        "first_seen": "2026-11-22T14:00:00Z",
        "until": "",
        "images": ["base"],
    }


def _finished(state: str, counts: dict[str, int], *failed: str) -> Event:
    return event(
        "run.finished",
        RUN["id"],
        state=state,
        counts=counts,
        failed=list(failed),
        moved=counts["built"],
        started_at="2026-11-22T14:55:53Z",
        duration_s=247.3,
    )


def _reasons(image: str, version: str, *parents: str) -> list[Event]:
    found: list[Event] = published(image, version, *parents)["data"]["reasons"]
    return found
