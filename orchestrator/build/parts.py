"""One build for each platform, side by side, where each has its place; then all of them as one.

Every platform has an output directory, a slot, a log and an upload of its own, and is in the
registry as soon as it is built. An index is composed of all of them or not at all.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from orchestrator.build.prepare import Foundation
from orchestrator.build.side_by_side import side_by_side
from orchestrator.build.site import Site
from orchestrator.build.upload import Uploaded, upload_layout
from orchestrator.doors.protocols import BuildRequest, Context, Output
from orchestrator.errors import BuildFailed, OrchestrateError, OutOfTime, Stopped
from orchestrator.model.crash import CrashPoint
from orchestrator.model.event import StepProgress
from orchestrator.model.manifest import Descriptor
from orchestrator.model.run import FailureCause

#: Of BuildKit's names of steps, those that have a platform where it builds for several.
_NUMBERED = re.compile(r"^\[(?=[^\]]*\d+/\d+\] )")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the builds of an image's platforms share.

    Attributes:
        request: of any platform and any builder.
        context: what is sent.
        foundation: the final stage's parent; None for FROM scratch.
        taken: digest → size in bytes of the parent's layers that the repository has.
        published: diff ID → compressed layer of what is current in the repository.
    """

    request: BuildRequest
    context: Context
    foundation: Foundation | None
    taken: Mapping[str, int]
    published: Mapping[str, Descriptor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was built, with its blobs and manifests in the registry.

    Attributes:
        uploaded: of all platforms.
        builders: platform → the builder that built it; None: the current one.
        started_s: when the first platform began, seconds since 1970 UTC.
        duration_s: of the platform that took longest, until it was uploaded.
    """

    uploaded: Uploaded
    builders: Mapping[str, str | None]
    started_s: float
    duration_s: float


def make_parts(work: Work, platforms: tuple[str, ...], site: Site) -> Made:
    """Build and upload every platform of an image.

    When one fails the others are stopped, and its reason is the reason; where another one had
    failed by then, and trying again does not help it, that one's is.

    Raises:
        OutOfTime: it is too late to begin.
        Stopped: nothing new is to begin.
        OrchestrateError: what else a build, or the registry, raises.
    """
    step = _Step(work, platforms, site)
    if len(platforms) == 1:
        return step.part(platforms[0])
    return _merged(platforms, step.all_parts())


def _merged(platforms: tuple[str, ...], parts: Mapping[str, Made]) -> Made:
    """Return one build of several; in the index attestations come after all images."""
    ordered = [parts[platform] for platform in platforms]
    uploads = [part.uploaded for part in ordered]
    entries = [entry for each in uploads for entry in each.entries]
    return Made(
        uploaded=Uploaded(
            entries=tuple(sorted(entries, key=lambda entry: not entry.platform)),
            configs={p: config for each in uploads for p, config in each.configs.items()},
            platform_bytes={p: size for each in uploads for p, size in each.platform_bytes.items()},
        ),
        builders={p: name for part in ordered for p, name in part.builders.items()},
        started_s=min(part.started_s for part in ordered),
        duration_s=max(part.duration_s for part in ordered),
    )


def log_path(log_dir: str, image: str, platform: str = "") -> str:
    """Return where the log of a build goes.

    Args:
        log_dir: of the run.
        image: its id.
        platform: of an image with several, so that their lines do not mix; else empty.
    """
    return f"{log_dir}/{image}{'@' if platform else ''}{platform.replace('/', '-')}.log"


class _Step:
    """The builds of one image's platforms, and what stops them all.

    Args:
        work: what they share.
        platforms: what is built.
        site: the doors.
    """

    def __init__(self, work: Work, platforms: tuple[str, ...], site: Site) -> None:
        self._work = work
        self._platforms = platforms
        self._site = site
        self._image = work.request.image
        several = len(platforms) > 1
        # A plain event is what the door waits for: whoever waits for the parts hands it on.
        self._cancelled = threading.Event() if several else site.cancelled
        self._say = _Progress(site.progress).of if several else lambda _: site.progress
        # A second build of a step, without the cache, is not held back.
        self._begun = not work.request.cached

    def all_parts(self) -> Mapping[str, Made]:
        """Build all platforms; the first that fails stops the others."""
        return side_by_side(
            self._platforms, self.part, stop=self._cancelled, cancelled=self._site.cancelled
        )

    def part(self, platform: str) -> Made:
        """Build and upload a platform, elsewhere if its builder is lost."""
        while True:
            made = self._try(platform)
            if made is not None:
                return made

    def _try(self, platform: str) -> Made | None:
        """Build and upload a platform once; None: its builder was lost."""
        work, site, image = self._work, self._site, self._image
        below = self._below(platform)
        # Another one each time: what a lost builder has left in it would be taken for exported.
        with ExitStack() as kept:
            with site.fleet.place(image, platform, self._held_back) as place:
                error = self._held_back()
                if error is not None:
                    raise error
                # Not before: hundreds may wait for a place, and each would keep a file open.
                output = kept.enter_context(site.spool.output(self._room_bytes(platform)))
                for digest, size_bytes in below.items():
                    output.leave_out(digest, size_bytes)
                self._begun = True
                site.crash.reached(CrashPoint.BUILD_STARTED)
                started_s, clock_s = site.clock.now_s(), site.clock.monotonic_s()
                self._build(platform, place.builder, output)
            if place.lost:
                return None
            site.crash.reached(CrashPoint.LAYOUT_MADE)
            uploaded = upload_layout(
                output,
                image.repository,
                site.registry,
                site.spool,
                epoch_s=work.request.source_epoch_s,
                foundation=work.foundation,
                taken=below,
                published=work.published,
            )
        return Made(
            uploaded=uploaded,
            builders={platform: place.builder},
            started_s=started_s,
            duration_s=site.clock.monotonic_s() - clock_s,
        )

    def _build(self, platform: str, builder: str | None, output: Output) -> None:
        alone = len(self._platforms) == 1
        path = log_path(self._site.log_dir, self._image.id, "" if alone else platform)
        try:
            self._site.builder.build(
                replace(self._work.request, platform=platform, builder=builder),
                self._work.context.archive(),
                output.path,
                log_path=path,
                progress=self._say(platform),
                cancelled=self._cancelled,
            )
        except BuildFailed as error:
            error.log_path = path
            raise

    def _held_back(self) -> OrchestrateError | None:
        """Return why no platform is to be begun now; where one was, the others are to follow."""
        image, site = self._image.id, self._site
        if self._cancelled.is_set() or site.cancelled.is_set():
            cause = FailureCause.CANCELLED
            return BuildFailed(f"the build of {image} was cancelled", cause=cause)
        if self._begun:
            return None
        if site.until_s is not None and site.clock.monotonic_s() >= site.until_s:
            return OutOfTime(f"{image} is left for the next run")
        if site.stopping.is_set():
            return Stopped(f"{image} is left: the run stops")
        return None

    def _below(self, platform: str) -> dict[str, int]:
        """Return digest → size of the parent's layers that need not come out of the builder."""
        if self._work.foundation is None:
            return {}
        layers = self._work.foundation.layers[platform]
        taken = self._work.taken
        return {each.digest: taken[each.digest] for each in layers if each.digest in taken}

    def _room_bytes(self, platform: str) -> int:
        """Return what a build is likely to need: as much as what it follows, for each platform."""
        before = {layer.digest: layer.size_bytes for layer in self._work.published.values()}
        room_bytes = sum(size for digest, size in before.items() if digest not in self._work.taken)
        return room_bytes // len(self._platforms)


class _Progress:
    """What the platforms of a step are doing, as one story in which each line names its platform.

    Args:
        say: gets it.
    """

    def __init__(self, say: Callable[[StepProgress], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        #: Platform → steps done, steps known.
        self._counts: dict[str, tuple[int, int]] = {}

    def of(self, platform: str) -> Callable[[StepProgress], None]:
        """Return what takes one platform's progress."""

        def take(now: StepProgress) -> None:
            with self._lock:
                self._counts[platform] = now.done, now.total
                done, total = map(sum, zip(*self._counts.values(), strict=True))
                doing = _named(now.doing, platform)
                self._say(replace(now, doing=doing, done=done, total=total))

        return take


def _named(doing: str, platform: str) -> str:
    """Return what a build is doing with its platform, in BuildKit's way of saying it."""
    named, found = _NUMBERED.subn(f"[{platform} ", doing)
    return named if found or platform in doing else f"{platform}: {doing}"
