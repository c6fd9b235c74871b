"""SBOMs of what a run publishes, made and attached while the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from orchestrator.build.site import Site
from orchestrator.errors import OrchestrateError
from orchestrator.model.event import Notice
from orchestrator.model.hierarchy import Sbom
from orchestrator.model.run import Outcome, StepResult
from orchestrator.publish.sboms import attach_sboms
from orchestrator.publish.spread import Spreading, spread

#: Images whose SBOMs are made side by side: each takes a CPU, which builds may want too.
PARALLEL = 2
#: What is new in the registry. Of what is only taken up, an earlier run may have died too soon.
_PUBLISHED = (Outcome.BUILT, Outcome.REUSED, Outcome.RETAGGED)


class Attaching:
    """Attaches SBOMs beside the steps of a run: no step waits for one, and none fails.

    Leave it by an error, and what is under way is given up.

    Args:
        site: what the run's steps share.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pool = ThreadPoolExecutor(PARALLEL, "attach")
        self._begun: list[tuple[str, Future[tuple[str, ...]]]] = []

    def __enter__(self) -> Attaching:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._site.cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, result: StepResult) -> None:
        """Begin with a step's result, where its image wants an SBOM and is published."""
        wants = self._site.hierarchy.images[result.image].sbom is Sbom.SYFT
        if wants and result.outcome in _PUBLISHED:
            self._begun.append((result.image, self._pool.submit(self._attach, result)))

    def finish(self) -> Iterator[Notice]:
        """Wait until all is attached; yield what people should know of what is not."""
        for image, attached in self._begun:
            for sentence in attached.result():
                yield Notice(text=f"{image}: {sentence}")

    def _attach(self, result: StepResult) -> tuple[str, ...]:
        site = self._site
        image = site.hierarchy.images[result.image]
        missing = attach_sboms(
            image.repository,
            result.manifests,
            registry=site.registry,
            sboms=site.sboms,
            cancelled=site.cancelled,
        )
        try:
            # Copies were made before: they get what is attached now.
            what = Spreading(image=image, digest=result.digest, key=result.key)
            spread(what, site.hierarchy, site.registry, site.cancelled)
        except OrchestrateError as error:
            return (*missing, f"its copies may lack the SBOM: {error.what}")
        return missing
