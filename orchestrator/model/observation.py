"""What was seen of the files, the registry and the upstreams at the start of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.model.publication import Publication
from orchestrator.model.source import Revision, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamState:
    """An upstream as its registry shows it now.

    Attributes:
        name: as Dockerfiles spell it.
        reference: where it was looked up, without digest.
        digest: of the index or manifest found there.
        manifests: platform → manifest digest.
    """

    name: str
    reference: str
    digest: str
    manifests: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a tag of ours points at.

    Attributes:
        digest: of the manifest or index the tag names.
        publication: what it says of itself; None when it is not one of ours.
        rejected: it was rolled back, and nobody asked for it since.
        elsewhere: it is not in the image's repository, but in this one: where the image was
            published under a former id, or a copy that outlived it; empty else.
    """

    digest: str
    publication: Publication | None
    rejected: bool = False
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Everything deciding needs, read once.

    Where only some images are looked at, the maps by image id hold these, and ``currents`` their
    parents too.

    Attributes:
        sources: image id → hashes of its files; nothing of images that are retired.
        upstreams: upstream name → its state; only those that some image stands on.
        currents: image id → what was last promoted; None where nothing was.
        tags: image id → tag → digest it names now, None where absent. Holds every floating tag,
            and the immutable tag that what is current should have.
        candidates: build key → what its key tag names; absent where there is no such tag. Keys
            are computed on the parents' currents.
        copies: image id → repository → tag → digest it names there now, None where absent; of
            every repository that gets copies and could be looked at, and the tags that ``tags``
            has.
        revision: where the tree stands in git; None outside git.
        date: today as ``YYYYMMDD``, UTC.
    """

    sources: Mapping[str, Source]
    upstreams: Mapping[str, UpstreamState]
    currents: Mapping[str, Found | None]
    tags: Mapping[str, Mapping[str, str | None]]
    candidates: Mapping[str, Found]
    copies: Mapping[str, Mapping[str, Mapping[str, str | None]]] = field(default_factory=dict)
    revision: Revision | None = None
    date: str = ""
