"""Eight orchestrators publish the same key at the same moment, again and again."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from orchestrator.doors.history import DatabaseHistory
from orchestrator.doors.memory.clock import MemoryClock
from orchestrator.doors.open_state import open_database
from orchestrator.doors.registry import HttpRegistry
from orchestrator.doors.registry.retry import Retries
from orchestrator.model.fingerprint import key_tag
from orchestrator.model.manifest import Manifest, compose_index
from orchestrator.model.names import Repository
from orchestrator.model.publication import NAMESPACE, Publication
from orchestrator.publish.publishing import Publishing, publish
from tests.registry_container import registry_and_container, written_tags
from tests.world import PLATFORMS, put_image

ORCHESTRATORS = 8
_MEETING: list[Barrier] = []
#: The engine took three quarters of the time to keep lines that nobody reads.
_QUIET = {"REGISTRY_LOG_LEVEL": "error", "REGISTRY_LOG_ACCESSLOG_DISABLED": "true"}


def _key(number: int) -> str:
    return f"k1-{number:064x}"


def _tag(number: int) -> str:
    return f"12-20261122-{number:06x}"


def _meet_at(barrier: Barrier) -> None:
    """Remember where all meet before each round."""
    _MEETING.append(barrier)


def _race(me: int, rounds: int, address: str, state: str, content: bytes) -> list[tuple[str, str]]:
    """Publish an index of one's own for every key, each together with all others.

    Returns:
        For each key the digest that it led to, and the run that made that.
    """
    repository = Repository(address, "race/base")
    entries = Manifest.of(content, "application/vnd.oci.image.index.v1+json").entries()
    published = []
    # A registry that is told to move one tag by several at once answers 500 now and then.
    retries = Retries(first_s=0.01)
    with (
        DatabaseHistory(open_database(state)) as history,
        HttpRegistry(retries=retries) as registry,
    ):
        for number in range(rounds):
            publication = Publication(
                hierarchy="gold",
                image="base",
                version="12",
                key=_key(number),
                parts={},
                parents={},
                epoch="",
                source_epoch_s=0,
                created=f"2026-11-22T00:00:0{me}Z",
                revision="",
                run=f"run-{me}",
            )
            publishing = Publishing(
                repository=repository,
                key=_key(number),
                index=compose_index(entries, publication.annotations()),
                immutable=_tag(number),
                platforms=PLATFORMS,
                run=f"run-{me}",
                hierarchy="gold",
                image="base",
            )
            _MEETING[0].wait(60)
            try:
                winner = publish(publishing, registry, history, MemoryClock())
            except BaseException:
                _MEETING[0].abort()  # Nobody waits for one that has failed.
                raise
            published.append((winner.digest, winner.annotations()[f"{NAMESPACE}.run"]))
    return published


@pytest.mark.engine
@pytest.mark.xdist_group("registry")
@pytest.mark.parametrize(("database", "rounds"), [("sqlite", 1000), ("postgres", 100)])
def test_no_immutable_tag_ever_has_two_digests(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, rounds: int
) -> None:
    """In no round, as the registry itself has written down whatever a tag was ever put on.

    All eight come out with the same digest, and over the rounds several of them have won.
    """
    state = str(tmp_path / "state.db")
    if database == "postgres":
        state = request.getfixturevalue("postgres_url")
    with registry_and_container(_QUIET) as (address, container):
        with HttpRegistry() as registry:
            seed = put_image(registry, f"{address}/race/base:seed", "seed")
            index = registry.manifest(Repository(address, "race/base"), seed)
        assert index is not None
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(ORCHESTRATORS)
        with ProcessPoolExecutor(ORCHESTRATORS, context, _meet_at, (barrier,)) as pool:
            same = (rounds, address, state, index.content)
            racers = [pool.submit(_race, me, *same) for me in range(ORCHESTRATORS)]
            published = [racer.result() for racer in racers]
        written = written_tags(container, "race/base")
    del written["seed"]
    assert all(each == published[0] for each in published)
    expected = {_tag(number): {digest} for number, (digest, _) in enumerate(published[0])}
    expected |= {key_tag(_key(number)): {digest} for number, (digest, _) in enumerate(published[0])}
    assert written == expected
    assert len({run for _, run in published[0]}) > 1
