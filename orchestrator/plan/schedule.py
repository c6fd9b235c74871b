"""Which steps are ready, and what a failure stops. Pure: no clock, no threads."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

import networkx as nx

from orchestrator.decide.urgency import Urgency
from orchestrator.model.plan import Plan, Verdict

#: Seconds that a build is taken to last while nothing is known of it.
UNKNOWN_BUILD_S = 30.0

#: Urgency, minus the seconds and bytes that go first where there are more of them, image id.
Rank = tuple[Urgency, float, int, str]


class Schedule:
    """The state of a plan's steps while they are carried out.

    Invariant: a step is started only when every step it needs has succeeded, and at most once.

    Args:
        plan: its steps may come in any order.
        durations: image id → seconds its last build took.
        urgency: image id → what comes before the length of its chain; what it stands on is as
            urgent.
        sizes: image id → bytes of its last build; of chains that are as long, the one that begins
            with the largest image goes first.
    """

    def __init__(
        self,
        plan: Plan,
        durations: Mapping[str, float],
        urgency: Mapping[str, Urgency] | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        self._graph: nx.DiGraph[str] = nx.DiGraph()
        for step in plan.steps:
            lasts_s = durations.get(step.image, UNKNOWN_BUILD_S)
            self._graph.add_node(step.image, s=0.0 if step.verdict is Verdict.RETAG else lasts_s)
            self._graph.add_edges_from((parent, step.image) for parent in step.needs)
        self._remaining_s = _longest_chains(self._graph)
        self._urgency = _most_urgent(self._graph, urgency or {})
        self._sizes = sizes or {}
        self._waiting = {step.image: set(step.needs) for step in plan.steps}
        self._order = {step.image: number for number, step in enumerate(plan.steps)}
        #: Sorted ranks of what can start.
        self._ready = sorted(
            self.rank(image) for image, needs in self._waiting.items() if not needs
        )

    def rank(self, image: str) -> Rank:
        """Return what orders steps: most urgent, then longest remaining chain, then largest.

        It stays the same, and is asked from any thread.
        """
        chain_s, size_bytes = self._remaining_s[image], self._sizes.get(image, 0)
        return self._urgency[image], -chain_s, -size_bytes, image

    def lasts_s(self, image: str) -> float:
        """Return how long a step is expected to take, in seconds."""
        lasts_s: float = self._graph.nodes[image]["s"]
        return lasts_s

    def left_s(self, image: str) -> float:
        """Return the seconds of the longest chain that begins with a step."""
        return self._remaining_s[image]

    @property
    def unfinished(self) -> bool:
        """Whether some step was neither started nor blocked."""
        return bool(self._waiting)

    def ready(self, most: int | None = None) -> tuple[str, ...]:
        """Return the images that can start now, in the order of their ranks.

        Args:
            most: no more than so many; None: all.
        """
        return tuple(image for *_, image in self._ready[:most])

    def start(self, image: str) -> None:
        """Take a ready image out.

        Raises:
            ValueError: it is not ready.
        """
        if self._waiting.get(image) != set():
            raise ValueError(f"{image} is not ready")
        del self._waiting[image]
        del self._ready[bisect_left(self._ready, self.rank(image))]

    def succeed(self, image: str) -> None:
        """Note that a started image is there for its children."""
        for child in self._graph.successors(image):
            needs = self._waiting.get(child, set())
            if image in needs:
                needs.remove(image)
                if not needs:
                    insort(self._ready, self.rank(child))

    def fail(self, image: str) -> tuple[str, ...]:
        """Take out everything that stands on a failed image.

        Returns:
            The images blocked by this failure, parents before children.
        """
        below = nx.descendants(self._graph, image)
        blocked = sorted(below & self._waiting.keys(), key=self._order.__getitem__)
        for other in blocked:
            del self._waiting[other]
        return tuple(blocked)

    def drain(self) -> tuple[str, ...]:
        """Take out and return everything that was not started, because the run stops."""
        left = tuple(self._waiting)
        self._waiting.clear()
        self._ready.clear()
        return left


def _longest_chains(graph: nx.DiGraph[str]) -> dict[str, float]:
    """Return image → seconds of the longest chain of builds that begins with it."""
    longest: dict[str, float] = {}
    for image in reversed(list(nx.topological_sort(graph))):
        after = max((longest[child] for child in graph.successors(image)), default=0.0)
        longest[image] = graph.nodes[image]["s"] + after
    return longest


def _most_urgent(graph: nx.DiGraph[str], urgency: Mapping[str, Urgency]) -> dict[str, Urgency]:
    """Return image → how urgent it is, or the most urgent of what stands on it."""
    most: dict[str, Urgency] = {}
    for image in reversed(list(nx.topological_sort(graph))):
        after = [most[child] for child in graph.successors(image)]
        most[image] = min([urgency.get(image, Urgency()), *after])
    return most
