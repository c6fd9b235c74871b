"""Stories of images that were published before: recorded as current, without building the world."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable, UsageError
from orchestrator.model.manifest import DOCKER_LIST, OCI_INDEX, Manifest, compose_index
from orchestrator.model.names import Repository, parse_reference
from orchestrator.model.publication import read_publication
from orchestrator.model.run import Outcome, RunState
from orchestrator.model.source import Revision
from orchestrator.observe.observations import rejected_tag
from tests.brownfield import Brownfield, states, whys
from tests.world import DOCKERFILES, UPSTREAM, put_image

ALL = tuple(DOCKERFILES)


@pytest.fixture
def old() -> Brownfield:
    return Brownfield()


def test_nothing_is_rebuilt_on_the_first_day(old: Brownfield) -> None:
    """A hierarchy that others built is current after adopting it: the next plan is empty."""
    assert old.verdicts()["base"] == "build"
    assert set(states(old.adopt()).values()) == {"adopted"}
    assert old.verdicts() == {}
    assert not old.builds
    old.history = type(old.history)()
    assert old.verdicts() == {}


def test_nobody_pulls_other_content(old: Brownfield) -> None:
    """The index is new; every manifest that it lists, attestations included, is as it was."""
    before = {image: old.index(image) for image in ALL}
    old.adopt()
    for image in ALL:
        assert old.old(image) == old.old(image, "1") != before[image].digest
        assert old.index(image).json()["manifests"] == before[image].json()["manifests"]


def test_nobody_is_told_that_it_was_published(old: Brownfield) -> None:
    """Teams have had the content all along; what is built later is told."""
    name = old.hierarchy().name
    old.adopt()
    assert old.history.outbox.pending(name) == old.history.outbox.released(name) == ()
    old.edit("hello", "RUN echo more")
    old.build()
    assert [fact.subject for fact in old.history.outbox.released(name)] == ["hello"]


def test_what_is_recorded(old: Brownfield) -> None:
    """The record says what is known: key, parents, times; and nothing that nobody knows."""
    old.adopt()
    said = read_publication(old.index("python"))
    assert said is not None
    assert (said.image, said.version, said.revision, said.epoch) == ("python", "1", "", "")
    assert said.base_name == "localhost:5000/old/base"
    assert said.base_digest == said.parents["base"].digest == old.old("base")
    assert said.source_epoch_s > 0
    tag = f"1-{said.date}-{said.key.partition('-')[2][:12]}"
    assert old.old("python", tag) == said.digest
    (run,) = [run for run in old.history.runs() if run.command == "adopt"]
    assert (said.run, run.state) == (run.id, RunState.SUCCEEDED)


def test_later_change_is_built_on_what_was_adopted(old: Brownfield) -> None:
    """From then on it is a hierarchy like any other."""
    old.adopt()
    old.edit("gunicorn", "RUN echo more")
    assert old.build() == {"gunicorn": Outcome.BUILT, "hello": Outcome.BUILT}
    assert old.verdicts() == {}


def test_child_of_another_parent_is_left_alone(old: Brownfield) -> None:
    """An image whose layers do not start with its parent's of now is refused, and so is what
    stands on it; the others are adopted.
    """
    old.edit("python", "RUN echo newer")
    old.push("python")
    told = old.adopt()
    assert whys(told)["gunicorn"] == "built on another python: other layers on linux/amd64"
    assert whys(told)["hello"] == "its parent gunicorn cannot be adopted"
    assert states(told)["docs"] == states(told)["python"] == "adopted"
    assert old.old("gunicorn") == old.pushed["gunicorn"]
    assert old.verdicts() == {"gunicorn": "build", "hello": "build"}


def test_moved_upstream_is_another_parent(old: Brownfield) -> None:
    """What stands on an older upstream than that of now is rebuilt, not adopted."""
    put_image(old.registry, UPSTREAM, "debian 12.2")
    told = old.adopt()
    assert whys(told)["base"] == "built on another debian:12: other layers on linux/amd64"
    assert set(states(told).values()) == {"refused"}


def test_missing_platform(old: Brownfield) -> None:
    """An index that lacks a platform is not adopted."""
    index = old.index("landing")
    entries = tuple(e for e in index.entries() if e.platform != "linux/arm64")
    old.put("landing", compose_index(entries, {}))
    assert whys(old.adopt()) == {"landing": "it lacks linux/arm64"}


def test_tags_that_disagree(old: Brownfield) -> None:
    """Floating tags on two digests are not made to agree: somebody would pull something else."""
    put_image(old.registry, "localhost:5000/old/web:stable", "something else")
    why = whys(old.adopt())
    assert why["web"].startswith("its tags disagree: 1 is ")
    assert set(why) == {"web", "nginx", "landing", "docs"}


def test_missing_floating_tag_is_made(old: Brownfield) -> None:
    """A floating tag of the file that nobody pushed is put on the digest of the others."""
    old.registry.delete_tag(old.repository("hello"), "stable")
    old.adopt()
    assert old.old("hello", "stable") == old.old("hello", "1") is not None


def test_nothing_published(old: Brownfield) -> None:
    """An image that nobody published has nothing to adopt, and that is no failure."""
    for tag in ("1", "stable"):
        old.registry.delete_tag(old.repository("hello"), tag)
    told = {a.image: a for a in old.adopt()}
    assert told["hello"].state == "nothing"
    assert told["hello"].why == "no tag 1 or stable"
    assert told["hello"].state.is_good


def test_parent_that_is_not_selected(old: Brownfield) -> None:
    """A child alone is not adopted; after its parents are ours it can be."""
    assert whys(old.adopt("python")) == {"python": "its parent base is not selected"}
    assert states(old.adopt("base")) == {"base": "adopted"}
    assert states(old.adopt("python")) == {"python": "adopted"}


def test_adopting_again_finds_it_done(old: Brownfield) -> None:
    """What is ours is left as it is."""
    old.adopt()
    before = {image: old.old(image) for image in ALL}
    assert not old.examine().adoptable
    assert set(states(old.adopt()).values()) == {"ours"}
    assert {image: old.old(image) for image in ALL} == before


def test_image_of_one_platform_without_an_index(old: Brownfield) -> None:
    """A manifest that was pushed without an index gets one around it."""
    platform = old.index("landing").platforms()["linux/amd64"]
    manifest = old.registry.manifest(old.repository("landing"), platform)
    assert manifest is not None
    old.put("landing", manifest)
    old.extra["landing"] = ", platforms: [linux/amd64]"
    old.write()
    assert states(old.adopt())["landing"] == "adopted"
    assert old.index("landing").platforms() == {"linux/amd64": platform}
    assert old.verdicts() == {}


def test_docker_list_stays_what_it_lists(old: Brownfield) -> None:
    """A Docker manifest list becomes an OCI index of the same manifests; fields stay."""
    value = old.index("landing").json()
    manifests = value["manifests"]
    assert isinstance(manifests, list)
    manifests[0]["platform"]["os.version"] = "10.0"
    value["mediaType"] = DOCKER_LIST
    old.put("landing", Manifest.of(json.dumps(value).encode(), DOCKER_LIST))
    assert states(old.adopt())["landing"] == "adopted"
    assert old.index("landing").media_type == OCI_INDEX
    assert old.index("landing").json()["manifests"] == manifests


def test_rollback_undoes_it(old: Brownfield) -> None:
    """Tags go back to what somebody pushed; what was recorded is not promoted again."""
    old.adopt()
    run = old.history.runs()[0].id
    recorded = old.old("base")
    assert recorded is not None
    old.rollback(run)
    assert {image: old.old(image) for image in ALL} == old.pushed
    assert old.old("base", rejected_tag(recorded)) == recorded


def test_adopting_after_a_rollback_is_asking_again(old: Brownfield) -> None:
    """What was rolled back is adopted again when somebody asks for it."""
    old.adopt()
    old.rollback(old.history.runs()[0].id)
    assert set(states(old.adopt()).values()) == {"adopted"}
    assert old.verdicts() == {}
    adopted = old.index("base").digest
    assert old.old("base", rejected_tag(adopted)) != adopted


def test_tag_that_moved_meanwhile_is_left_alone(old: Brownfield) -> None:
    """A tag that is pushed between looking and moving stays where it was pushed to."""
    found = old.examine()
    theirs = put_image(old.registry, "localhost:5000/old/hello:stable", "newer")
    finished = old.carry_out(found)
    assert old.old("hello") == theirs
    assert finished.run.state is RunState.FAILED
    stuck = [m for m in finished.moves if not m.state.is_success]
    assert [(m.image, m.tag, str(m.state)) for m in stuck] == [("hello", "stable", "conflict")]


def _push_other_files(old: Brownfield) -> None:
    """Push a landing that other files than those of now gave."""
    now = old.dockerfiles["landing"]
    old.edit("landing", "RUN echo other")
    old.push("landing")
    old.dockerfiles["landing"] = now
    old.write()


def test_what_was_built_from_these_files_is_not_replaced(old: Brownfield) -> None:
    """Where the same files led to an image of ours already, somebody's push is not adopted."""
    old.adopt()
    ours = old.old("landing")
    _push_other_files(old)
    assert whys(old.adopt("landing"))["landing"].startswith("these files were built already: ")
    old.build()
    assert old.old("landing") == ours


def test_what_is_built_meanwhile_wins(old: Brownfield) -> None:
    """Files that are built between looking and adopting lead to that build, not to the push."""
    old.adopt(*(image for image in ALL if image != "landing"))
    _push_other_files(old)
    found = old.examine("landing")
    old.build()
    built = old.old("landing")
    finished = old.carry_out(found)
    (bad,) = [r for r in finished.results if not r.outcome.is_success]
    assert bad.image == "landing"
    assert bad.failure is not None
    assert bad.failure.what == "landing: somebody else published these files meanwhile"
    assert old.old("landing") == built


def test_dirty_tree(old: Brownfield) -> None:
    """Files that git does not know are no record of anything, unless somebody says so."""
    old.git.current = Revision(commit="c" * 40, dirty=True, committed_at_s=1, source="")
    with pytest.raises(UsageError, match="changes that git does not know"):
        old.adopt()
    assert set(states(old.adopt(allow_dirty=True)).values()) == {"adopted"}


@pytest.mark.parametrize("method", ["put_manifest", "resolve", "manifest"])
@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 13, 21, 34])
def test_adoption_goes_on_after_a_fault(old: Brownfield, method: str, number: int) -> None:
    """Whichever request fails for good: nobody loses a tag, and adopting again ends it."""
    found, left = old.examine(), number

    def fault(call: RegistryCall) -> None:
        nonlocal left
        if call.method == method and not call.done:
            left -= 1
            if left == 0:
                raise RegistryUnavailable("registry localhost:5000 is full", status=507)

    old.registry.fault = fault
    finished = old.carry_out(found)
    old.registry.fault = None
    assert left > 0 or finished.run.state is RunState.FAILED
    before = {image: old.old(image) for image in ALL}
    assert all(before.values())
    assert set(states(old.adopt()).values()) <= {"adopted", "ours"}
    old.build()
    assert not old.builds
    assert old.verdicts() == {}


def test_copies_get_what_is_adopted(old: Brownfield) -> None:
    """An adopted image is copied to its further destinations, before any tag moves."""
    hierarchy = old.hierarchy()
    images = {
        i.id: replace(i, copies=(Repository("mirror.example", f"old/{i.id}"),))
        for i in hierarchy.images.values()
    }
    old.hierarchy = lambda: replace(hierarchy, images=images)  # type: ignore[method-assign]
    old.adopt()
    there = parse_reference("mirror.example/old/hello:stable")
    assert old.registry.resolve(there.repository, "stable") == old.old("hello")
    assert old.verdicts() == {}
