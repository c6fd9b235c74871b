"""What events say where registries are away or have lost something, and what they are asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from orchestrator.doors.memory.registry import MemoryRegistry, RegistryCall
from orchestrator.errors import BuildFailed, RegistryUnavailable, Unavailable
from orchestrator.model.announcement import Announcement, EventType
from orchestrator.model.manifest import Manifest
from orchestrator.model.names import Repository
from orchestrator.notify.compose import PATIENCE_S, compose
from orchestrator.notify.indexes import Indexes
from orchestrator.notify.of_change import Looking, Pair, change_data, look_at
from tests.notify.events import composed, composing, data_of, facts, last_run, tell
from tests.notify.worlds import (
    PUBLISHED,
    flags,
    image_of,
    packages,
    upgraded,
    world,
)
from tests.world import PLATFORMS, World


def test_an_old_digest_that_was_deleted() -> None:
    """The event comes all the same, and says that nobody can compare."""
    made = upgraded()
    was = data_of(composed(made), PUBLISHED, "base")["digest"]["was"]
    for tag in made.tags("base"):
        if made.registry.resolve(image_of(made, "base"), tag) == was:
            made.registry.delete_tag(image_of(made, "base"), tag)
    made.registry.delete_manifest(image_of(made, "base"), was)
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["digest"]["was"] == was
    assert data["change"]["unknown"].endswith("is not in the registry any more")
    assert (packages(data), flags(data)) == ([None, None], (None, None))
    assert all(one["now_bytes"] for one in data["platforms"].values())
    assert "is not in the registry any more" not in data["lineage_unknown"]


def test_a_new_digest_that_was_deleted_since() -> None:
    """What the diary knows is told: its digest, its size, that it is gone; nobody pastes it."""
    made = upgraded()
    now = str(made.tag("base"))
    before = data_of(composed(made), PUBLISHED, "base")
    for tag in made.tags("base"):
        if made.registry.resolve(image_of(made, "base"), tag) == now:
            made.registry.delete_tag(image_of(made, "base"), tag)
    made.registry.delete_manifest(image_of(made, "base"), now)
    done = composed(made)
    data = data_of(done, PUBLISHED, "base")
    assert (data["from"], data["digest"]) == ("", before["digest"])
    assert data["tags"] == before["tags"]
    assert data["platforms"].keys() == before["platforms"].keys()
    assert data["platforms"][PLATFORMS[0]]["now_bytes"]
    assert data["change"]["unknown"].endswith("is not in the registry any more")
    child = data_of(done, PUBLISHED, "hello")
    assert [each["name"] for each in child["lineage"]] == ["python", "base"]
    assert child["lineage_unknown"].startswith("base ")


def away(made: World, *, transient: bool) -> Callable[[RegistryCall], None]:
    def fail(call: RegistryCall) -> None:
        raise RegistryUnavailable("registry answered 503", status=503, transient=transient)

    return fail


def test_a_registry_that_is_away_keeps_the_event_waiting_for_a_while() -> None:
    """What it will answer soon is worth an hour; then what is known is told."""
    made = upgraded()
    found = facts(made)
    made.registry.fault = away(made, transient=True)
    with pytest.raises(RegistryUnavailable):
        compose(found, composing(made))
    made.clock.sleep(PATIENCE_S)
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["change"]["unknown"] == "registry answered 503"
    assert data["from"].endswith(data["digest"]["now"])
    assert (data["lineage"], data["lineage_unknown"]) == ([], "registry answered 503")
    assert data["platforms"][PLATFORMS[0]]["now_bytes"]


@pytest.mark.parametrize("transient", [True, False])
def test_who_is_stopped_tells_nothing_with_less_in_it(*, transient: bool) -> None:
    """What is told stays told: an answer that there was no time for may come the next time."""
    made = upgraded()
    found, site = [each for each in facts(made) if each.subject == "base"], composing(made)
    found = [each for each in found if each.type is PUBLISHED]
    made.clock.sleep(PATIENCE_S)
    fail = away(made, transient=transient)

    def stopped_meanwhile(call: RegistryCall) -> None:
        site.cancelled.set()
        fail(call)

    made.registry.fault = stopped_meanwhile
    with pytest.raises(Unavailable):
        compose(found, site)
    made.registry.fault = None
    with pytest.raises(Unavailable, match="no time left"):
        compose(found, site)


def test_a_registry_that_refuses_for_good_keeps_nothing_waiting() -> None:
    """To ask again would not help."""
    made = upgraded()
    found = facts(made)
    made.registry.fault = away(made, transient=False)
    done = compose(found, composing(made))
    assert data_of(done, PUBLISHED, "base")["change"]["unknown"] == "registry answered 503"


def test_what_needs_no_registry_asks_none() -> None:
    """A run in which the registry failed is told while it is away."""
    made = world()
    tell(made)
    made.edit("base", "RUN more")
    made.builder.fail("base", BuildFailed("no", cause="command", log_tail=("one", "two")))
    made.build()
    made.registry.fault = away(made, transient=True)
    done = composed(made)
    failed = data_of(done, EventType.IMAGE_FAILED, "base")
    assert failed["failure"] == {
        "cause": "command", "what": "no", "hint": "", "log_tail": ["one", "two"]
    }  # fmt: skip
    assert failed["digest"] == {"was": made.history.results(last_run(made).id)[0].was, "now": ""}
    blocked = data_of(done, EventType.IMAGE_BLOCKED, "hello")
    assert (blocked["blocked_by"], blocked["failure"]["what"]) == ("base", "no")
    end = data_of(done, EventType.RUN_FINISHED, last_run(made).id)
    assert (end["state"], end["counts"]) == ("failed", {"failed": 1, "blocked": 2})
    assert (end["failed"], end["moved"]) == (["base"], 0)


def test_a_pair_is_compared_once() -> None:
    """However many tags moved to it: the registry is not asked again."""
    made = upgraded()
    only = [each for each in facts(made) if (each.subject, each.type) == ("hello", PUBLISHED)]
    every = [each for each in facts(made) if each.subject == "hello"]
    assert len(every) == 4
    counts = []
    for found in (only, every):
        made.registry.counts.clear()
        compose(found, composing(made))
        counts.append(dict(made.registry.counts))
    assert counts[0] == counts[1]


def test_nobody_asks_a_registry_for_nothing() -> None:
    """No facts, no requests."""
    made = world()
    made.registry = MemoryRegistry()
    none: tuple[Announcement, ...] = ()
    assert compose(none, composing(made)) == ()
    assert not made.registry.counts


def test_an_index_is_read_once() -> None:
    """However many images stand on it, and whatever is asked of it."""
    made = upgraded()
    read: list[str] = []

    def note(call: RegistryCall) -> None:
        if call.method == "manifest" and not call.done:
            read.append(f"{call.repository}@{call.reference}")

    made.registry.fault = note
    compose(facts(made), composing(made))
    assert len(read) == len(set(read))


def test_an_index_that_could_not_be_read_is_asked_for_again() -> None:
    """What did not come is remembered by nobody, and everybody who waits for it hears the same."""
    made = upgraded()
    indexes = Indexes(made.registry)
    where, now = image_of(made, "base"), str(made.tag("base"))
    made.registry.fault = away(made, transient=True)
    with pytest.raises(RegistryUnavailable):
        indexes.manifest(where, now)
    made.registry.fault = None
    found = indexes.manifest(where, now)
    assert found is not None
    made.registry.fault = away(made, transient=True)
    assert indexes.manifest(where, now) is found


OCI = "application/vnd.oci.image"
DAMAGED = {
    "no JSON": b"nope",
    "a list": b"[1]",
    "no layers": b'{"rootfs": "x", "os": 1, "architecture": [1]}',
    "endless": b"[" * 100_000,
}


@pytest.mark.parametrize("config", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("as_index", [True, False])
def test_what_is_no_image_keeps_nobody_from_being_told(config: bytes, *, as_index: bool) -> None:
    """Somebody pushed it under a floating tag: that it was there is told, and nothing more."""
    made = upgraded()
    where = image_of(made, "base")
    foreign = push(made, where, config, as_index=as_index)
    for was, now in ((foreign, str(made.tag("base"))), (str(made.tag("base")), foreign)):
        looking = Looking(
            hierarchy=made.hierarchy(), registry=made.registry, indexes=Indexes(made.registry)
        )
        image = made.hierarchy().images["base"]
        pair = Pair(image=image, repository=where, was=was, now=now)
        looked = look_at(pair, looking, insist=True)
        assert change_data(pair, looked)["packages"] is None


def push(made: World, where: Repository, config: bytes, *, as_index: bool) -> str:
    """Push an image with this configuration, and return its digest."""
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    made.registry.upload_blob(where, digest, config, len(config))
    described = {"mediaType": f"{OCI}.config.v1+json", "digest": digest, "size": len(config)}
    media_type = f"{OCI}.manifest.v1+json"
    body: dict[str, object] = {"schemaVersion": 2, "config": described, "layers": []}
    pushed = put(made, where, media_type, body)
    if not as_index:
        return pushed.digest
    entry = {
        "mediaType": media_type,
        "digest": pushed.digest,
        "size": len(pushed.content),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    body = {"schemaVersion": 2, "manifests": [entry]}
    return put(made, where, f"{OCI}.index.v1+json", body).digest


def put(made: World, where: Repository, media_type: str, body: dict[str, object]) -> Manifest:
    """Push a manifest by its digest."""
    content = json.dumps({"mediaType": media_type, **body}).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = Manifest(media_type=media_type, content=content, digest=digest)
    made.registry.put_manifest(where, digest, manifest)
    return manifest
