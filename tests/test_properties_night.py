"""What holds for every sequence of nights: upstreams, packages, policies, failures, lost data."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import flow
from orchestrator.decide.select import Selection
from orchestrator.doors.memory.history import MemoryHistory
from orchestrator.errors import BuildFailed
from orchestrator.model.event import RunFinished
from orchestrator.model.manifest import compose_index
from orchestrator.model.names import parse_reference
from orchestrator.model.publication import Publication
from orchestrator.model.run import Outcome
from tests.world import HEAD, UPSTREAM, World, put_image

RELAXED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
HOUR_S = 3600.0
TOOLS = "localhost:5000/upstream/tools:1"
HAPPENINGS = (
    "edit", "comment", "debian", "tools", "gain", "policy", "clock", "archive", "night", "lose",
    "fail", "some", "force", "steady",
)  # fmt: skip
POLICIES = ("rebuild", "final-only", "notify", "{hold: {until: 2099-12-31, because: audit}}")
#: Nights after which at the latest nothing is left to do: a package is brought level by level.
ENOUGH = 12


@dataclass(frozen=True)
class Plot:
    """A hierarchy: image → parents, the final one first; the rest feed build stages.

    Attributes:
        parents: images come after their parents.
        compiled: images that have a build stage on the upstream `tools`.
        soak: hours that a new `debian` soaks.
    """

    parents: dict[str, tuple[str, ...]]
    compiled: frozenset[str]
    soak: int


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    names = [f"i{n}" for n in range(draw(st.integers(1, 6)))]
    parents = {
        name: tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=2)))
        if at
        else ()
        for at, name in enumerate(names)
    }
    compiled = draw(st.frozensets(st.sampled_from(names)))
    return Plot(parents, compiled, draw(st.sampled_from((0, 24))))


def dockerfile(image: str, plot: Plot) -> str:
    final, *others = plot.parents[image] or ("debian:12",)
    if image in plot.compiled:
        others.append("tools:1")
    stages = "".join(f"FROM {p} AS s{n}\nRUN make\n" for n, p in enumerate(others))
    copies = "".join(f"COPY --from=s{n} /out{n} /\n" for n in range(len(others)))
    packages = f'ARG REFRESH_EPOCH\nRUN : "$REFRESH_EPOCH" && apt-get install own-{image} libc\n'
    return f"{stages}FROM {final}\n{packages}{copies}"


@dataclass
class Nights:
    """A world that remembers what must never change, and looks at it after every run."""

    plot: Plot
    world: World
    built: set[tuple[str, str]] = field(default_factory=set)
    held: dict[tuple[str, str], str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)

    def build(self, *forced: str, only: str | None = None) -> dict[str, Outcome]:
        """Plan and run; where all was built that had to be, nothing is left to do."""
        world = self.world
        finished = world.run(world.plan(*forced, only=only, remember=True))
        self._check(finished)
        if only is None and all(result.outcome.is_success for result in finished.results):
            assert world.verdicts() == {}
        return {result.image: result.outcome for result in finished.results}

    def night(self) -> dict[str, Outcome]:
        """Ask every image for updates, then plan and run, as the nightly run does."""
        hierarchy = self.world.hierarchy()
        chosen = flow.choose(hierarchy, self.world.doors, Selection())
        flow.ask_packages(hierarchy, self.world.doors, chosen, cancelled=threading.Event())
        return self.build()

    def publication(self, image: str) -> Publication | None:
        current = flow.look(self.world.hierarchy(), self.world.doors).currents[image]
        return current.publication if current else None

    def set_policy(self, image: str, policy: str) -> None:
        """Give all edges to an image's parents a policy; what it holds from now on is noted."""
        self.policies[image] = policy
        self.world.extra[image] = f", packages: apt, on_parent_change: {policy}"
        self.world.write()
        self.held = {key: value for key, value in self.held.items() if key[0] != image}
        self._note_held()

    def lose(self) -> None:
        self.world.history = MemoryHistory()

    def _note_held(self) -> None:
        for image, policy in self.policies.items():
            if policy.startswith("{hold") and (said := self.publication(image)):
                for parent, record in said.parents.items():
                    self.held.setdefault((image, parent), record.effective)

    def _check(self, finished: RunFinished) -> None:
        for result in finished.results:
            if result.outcome in (Outcome.BUILT, Outcome.UNCHANGED):
                assert (result.image, result.key) not in self.built, "built twice for one key"
                self.built.add((result.image, result.key))
        tags: dict[tuple[str, str], str] = {}
        for repository, tag, digest in self.world.registry.puts:
            if tag.startswith(("1-", "key-")):
                assert tags.setdefault((str(repository), tag), digest) == digest, f"{tag} moved"
        for (image, parent), effective in self.held.items():
            said = self.publication(image)
            assert said is not None
            assert said.parents[parent].effective == effective, f"{image} moved with {parent}"
        self._note_held()


def nights(plot: Plot) -> Nights:
    soak = f", soak: {plot.soak}h" if plot.soak else ""
    line = f'  debian:12: {{source: "{UPSTREAM}"}}\n'
    assert line in HEAD
    ours = f'  debian:12: {{source: "{UPSTREAM}"{soak}}}\n  tools:1: {{source: "{TOOLS}"}}\n'
    world = World(
        {image: dockerfile(image, plot) for image in plot.parents},
        extra=dict.fromkeys(plot.parents, ", packages: apt"),
        head=HEAD.replace(line, ours),
        others={},
    )
    put_image(world.registry, TOOLS, "tools 0")
    world.packages.archive = {"libc": "1", **{f"own-{image}": "1" for image in plot.parents}}
    found = Nights(plot, world)
    found.night()
    return found


def gain(world: World, reference: str) -> None:
    """Let an upstream gain a platform that nobody needs, and nothing else."""
    name = parse_reference(reference)
    index = world.registry.manifest(name.repository, name.tag or "")
    assert index is not None
    first = index.entries()[0]
    more = replace(first, platform="linux/s390x")
    if "linux/s390x" not in index.platforms():
        put = compose_index((*index.entries(), more), {})
        world.registry.put_manifest(name.repository, name.tag or "", put)


def happen(what: str, image: str, at: int, life: Nights, data: st.DataObject) -> None:
    world = life.world
    match what:
        case "edit":
            world.edit(image, f"RUN change {at}")
        case "comment":
            world.edit(image, f"# comment {at}")
        case "debian":
            put_image(world.registry, UPSTREAM, f"debian {data.draw(st.integers(0, 3))}")
        case "tools":
            put_image(world.registry, TOOLS, f"tools {data.draw(st.integers(0, 3))}")
        case "gain":
            gain(world, data.draw(st.sampled_from((UPSTREAM, TOOLS))))
        case "policy":
            life.set_policy(image, data.draw(st.sampled_from(POLICIES)))
        case "clock":
            world.clock.sleep(data.draw(st.sampled_from((1, 13, 25))) * HOUR_S)
        case "archive":
            name = data.draw(st.sampled_from(sorted(world.packages.archive)))
            world.packages.archive[name] = str(at + 2)
        case "night":
            life.night()
        case "lose":
            life.lose()
        case "fail":
            world.edit(image, f"RUN once broken {at}")
            world.builder.fail(image, BuildFailed("no", cause="command"), times=1)
            life.build()
            world.builder.fail(image, BuildFailed("no", cause="command"), times=0)
        case "some":
            life.build(only=f"+{image}")
        case "force":
            life.build(image)
        case "steady":
            world.builder.steady ^= {image}


@RELAXED
@given(plots(), st.data())
def test_nights_end_in_an_empty_plan(plot: Plot, data: st.DataObject) -> None:
    """Whatever happened: nothing is built twice for a key, no tag that may not move does, a held
    image stays, and as soon as builds succeed and soaks pass, nothing is left to do.
    """
    life = nights(plot)
    for at in range(data.draw(st.integers(1, 5))):
        image = data.draw(st.sampled_from(sorted(plot.parents)))
        happen(data.draw(st.sampled_from(HAPPENINGS)), image, at, life, data)
        if data.draw(st.booleans()):
            life.build()
    life.build()
    life.world.clock.sleep(25 * HOUR_S)
    for _ in range(ENOUGH):
        if not life.night() and life.world.verdicts() == {}:
            break
    assert life.world.verdicts() == {}
    assert life.night() == {}
    life.lose()
    assert life.world.verdicts() == {}
    assert life.build() == {}


def reached(plot: Plot, life: Nights, root: str) -> set[str]:
    """Return the images that a change of one reaches over edges that are followed."""
    found = {root}
    for image, parents in plot.parents.items():
        policy = life.policies.get(image, "rebuild")
        for at, parent in enumerate(parents):
            follows = policy == "rebuild" or (policy == "final-only" and at == 0)
            if parent in found and follows:
                found.add(image)
    return found


@RELAXED
@given(plots(), st.data())
def test_a_change_goes_where_edges_are_followed_and_nowhere_else(
    plot: Plot, data: st.DataObject
) -> None:
    """An image on an edge that only tells, or is held, is never built because of it."""
    life = nights(plot)
    for image in plot.parents:
        life.set_policy(image, data.draw(st.sampled_from(POLICIES)))
    assert life.world.verdicts() == {}
    child = data.draw(st.sampled_from(sorted(plot.parents)))
    # Its parents first: then it is built for another reason, beside parents that have moved.
    for at, image in enumerate((*plot.parents[child], child)):
        life.world.edit(image, f"RUN change {at}")
        expected = reached(plot, life, image)
        assert set(life.world.verdicts()) == expected
        assert life.build() == dict.fromkeys(expected, Outcome.BUILT)
        if data.draw(st.booleans()):
            life.lose()
            assert life.world.verdicts() == {}


@RELAXED
@given(plots(), st.data())
def test_an_upstream_that_only_gains_a_platform_is_no_change(
    plot: Plot, data: st.DataObject
) -> None:
    """Whatever soaks and whoever holds: what images need of it is what it was."""
    life = nights(plot)
    for image in data.draw(st.lists(st.sampled_from(sorted(plot.parents)), unique=True)):
        life.set_policy(image, data.draw(st.sampled_from(POLICIES)))
    for reference in (UPSTREAM, TOOLS):
        gain(life.world, reference)
        assert life.world.verdicts() == {}
        life.world.clock.sleep(data.draw(st.sampled_from((0, 25))) * HOUR_S)
        assert life.build() == {}
