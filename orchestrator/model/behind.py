"""How long what is published lacks what came from outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """An upstream whose newest content is not in an image yet.

    Attributes:
        upstream: its name.
        digest: what the image would stand on now; empty when that is not known.
        since: RFC 3339 UTC time at which the first content that the image lacks was first seen;
            empty when the ledger does not say.
        for_s: seconds from then until somebody looked; None when that is not known.
    """

    upstream: str
    digest: str
    since: str
    for_s: float | None
