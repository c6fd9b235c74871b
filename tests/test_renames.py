"""Stories of images that got another name: what is published goes with them, without a build."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.doors.memory.registry import RegistryCall
from orchestrator.errors import RegistryUnavailable
from orchestrator.model.hierarchy import Hierarchy, Image
from orchestrator.model.names import Repository
from orchestrator.model.plan import Cause
from orchestrator.model.run import Outcome
from tests.world import DOCKERFILES, World, failed

OLD = {image: DOCKERFILES[image] for image in ("base", "python", "gunicorn")}
NEW = {"base": OLD["base"], "py": OLD["python"], "gunicorn": "FROM py\nRUN apt-get install guni\n"}


class Renamed(World):
    """A world in which python is called py now."""

    def hierarchy(self) -> Hierarchy:
        found = super().hierarchy()
        return replace(found, images={i.id: self._renamed(i) for i in found.images.values()})

    def _renamed(self, image: Image) -> Image:
        parents = tuple(
            replace(parent, first_name="python") if parent.subject == "py" else parent
            for parent in image.parents
        )
        image = replace(image, parents=parents)
        if image.id != "py":
            return image
        former = Repository("localhost:5000", "gold/python")
        return replace(image, formerly=("python",), former_repositories=(former,))


@pytest.fixture
def world() -> Renamed:
    """Everything built under the old names; the files say the new ones."""
    before = World(dockerfiles=dict(OLD))
    before.build()
    after = Renamed(dockerfiles=dict(NEW), registry=before.registry, history=before.history)
    after.runs, after.clock = 7, before.clock
    return after


def test_digest_moves_along(world: Renamed) -> None:
    """The new repository gets the old digest with all its tags; nothing is built for that."""
    old = world.tag("python")
    decision = next(d for d in world.plan().decisions if d.image == "py")
    assert decision.verdict == "retag"
    assert Cause.RENAMED in {reason.cause for reason in decision.reasons}
    assert world.build()["py"] is Outcome.RETAGGED
    assert world.tag("py") == world.tag("py", "1") == old
    assert world.tags("py") == world.tags("python")
    assert [record.image for record in world.builds] == ["gunicorn"]
    assert world.verdicts() == {}


def test_child_is_built_on_the_new_repository(world: Renamed) -> None:
    """A child that changed at the same time waits for the new name, and pins it."""
    world.build()
    (record,) = world.builds
    assert record.request.pins == (("py", f"localhost:5000/gold/py@{world.tag('py')}"),)


@pytest.mark.parametrize("method", ["mount_blob", "put_manifest", "resolve"])
@pytest.mark.parametrize("number", range(1, 9))
def test_rename_goes_on_after_a_fault(world: Renamed, method: str, number: int) -> None:
    """Whichever request fails for good, the next run ends what was begun, without a build."""
    plan = world.plan()
    left = number

    def fault(call: RegistryCall) -> None:
        nonlocal left
        if call.method == method and call.repository.path == "gold/py" and not call.done:
            left -= 1
            if left == 0:
                raise RegistryUnavailable("registry localhost:5000 is full", status=507)

    world.registry.fault = fault
    finished = world.run(plan)
    world.registry.fault = None
    assert left > 0 or failed(finished) or not all(m.state.is_success for m in finished.moves)
    world.build()
    assert world.tag("py") == world.tag("python")
    assert world.tags("py") == world.tags("python")
    assert "py" not in {record.image for record in world.builds}
    assert world.verdicts() == {}
