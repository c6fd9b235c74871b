"""Plans of hundreds of images: base → runtimes → app servers → applications."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchestrator.model.graph import Edge, Graph, Node, NodeState
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.plan import Cause, Decision, Plan, Reason, Verdict
from tests.render.sample import DEBIAN, WORLDS, digest_of


@dataclass(kw_only=True)
class Large:
    """A plan in which everything waits for `base`, and what it stands on; change it at will."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tiers: dict[str, str] = field(default_factory=dict)

    def add(self, image: str, on: tuple[str, ...], tier: str) -> None:
        """Add an image that waits for what it stands on."""
        reasons = tuple(Reason(cause=Cause.PARENT_PENDING, subject=parent) for parent in on)
        self.parents[image], self.tiers[image] = on, tier
        self.decisions[image] = Decision(
            image=image, verdict=Verdict.AWAIT, reasons=reasons, current=digest_of(image)
        )

    def change(self, image: str) -> None:
        """Let an image be built because of its own files."""
        was, now = digest_of("was"), digest_of("now")
        reason = Reason(cause=Cause.CONTEXT, subject=f"images/{image}", was=was, now=now)
        reasons = (reason, *self.decisions[image].reasons)
        self.decisions[image] = replace(
            self.decisions[image], verdict=Verdict.BUILD, reasons=reasons
        )

    def keep(self, *images: str, reasons: tuple[Reason, ...] = ()) -> None:
        """Let images be as they are."""
        for image in images:
            self.decisions[image] = replace(
                self.decisions[image], verdict=Verdict.KEEP, reasons=reasons
            )

    @property
    def plan(self) -> Plan:
        """The plan."""
        plan = WORLDS["cold"]().plan()
        steps = tuple(
            replace(plan.steps[0], image=d.image, verdict=d.verdict)
            for d in self.decisions.values()
            if d.verdict is not Verdict.KEEP
        )
        return replace(plan, decisions=tuple(self.decisions.values()), steps=steps)

    @property
    def graph(self) -> Graph:
        """All of it, each image in another state than the one before."""
        states = list(NodeState)
        nodes = [Node(id=DEBIAN, kind=ParentKind.UPSTREAM)]
        nodes += (
            Node(
                id=image,
                kind=ParentKind.IMAGE,
                tier=self.tiers[image],
                state=states[n % len(states)],
                selected=n % 5 > 0,
            )
            for n, image in enumerate(self.parents)
        )
        edges = tuple(
            Edge(parent=parent, child=image, final=nth == 0)
            for image, on in self.parents.items()
            for nth, parent in enumerate(on or (DEBIAN,))
        )
        return Graph(hierarchy="gold", nodes=tuple(nodes), edges=edges)


def large(runtimes: int, servers: int, applications: int) -> Large:
    """Return a world in which `base` changed.

    Args:
        runtimes: on base.
        servers: on each runtime.
        applications: on each app server.
    """
    found = Large()
    found.add("base", (), "base")
    for r in range(runtimes):
        found.add(f"python-3.{r}", ("base",), "runtime")
        for s in range(servers):
            found.add(f"gunicorn-{r}-{s}", (f"python-3.{r}",), "app-server")
            for a in range(applications):
                found.add(f"app-{r}-{s}-{a}", (f"gunicorn-{r}-{s}",), "application")
    found.change("base")
    return found
