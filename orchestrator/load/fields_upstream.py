"""The fields about what images stand on: upstreams, and what a parent's change means."""

from __future__ import annotations

from orchestrator.load.grammar import (
    DATE,
    DIGEST,
    DURATION,
    PARENT,
    POLICY,
    REASON,
    REFERENCE,
    TRACK,
)
from orchestrator.load.kinds import AllOrEach, Either, Field, Flag, Record, Text

#: Most parents of one `on_parent_change`: what is inherited, each image has.
_PARENTS_AT_MOST = 100
#: The key of `on_parent_change` that stands for every parent without a key of its own.
EVERY_PARENT = "*"

HOLD = Record(
    "hold",
    {
        "until": Field(
            DATE,
            "Last day of the hold, YYYY-MM-DD. One that is past holds still: it is an error in "
            "`orchestrate check`, and a warning elsewhere.",
            required=True,
            example="until: 2027-06-30",
        ),
        "because": Field(
            REASON,
            "Why; every plan and status repeats it.",
            required=True,
            example="because: the vendor certifies 12.4 only",
        ),
    },
)
_POLICY = Either(
    POLICY,
    Record(
        "policy",
        {
            "hold": Field(
                HOLD,
                "Stay on the parent that is in use, whatever else is rebuilt.",
                required=True,
                example="{hold: {until: 2027-06-30, because: the vendor certifies 12.4 only}}",
            )
        },
    ),
)
ON_CHANGE = Field(
    _POLICY,
    "What a change of it means to the images that stand on it, where their `on_parent_change` "
    "says nothing: `rebuild`, `final-only`, `notify`, or `{hold: {until, because}}`.",
    default="rebuild",
)
ON_PARENT_CHANGE = Field(
    AllOrEach(PARENT, _POLICY, _PARENTS_AT_MOST),
    "What a change of a parent means: one policy for all parents, or a map from parents to "
    "policies, in which `*` is every other parent. `rebuild`; `final-only`: a parent that only "
    "feeds build stages causes no rebuild; `notify`: say so, and build nothing; "
    "`{hold: {until, because}}`.",
    varies=True,
)

UPSTREAM = Record(
    "upstream",
    {
        "source": Field(REFERENCE, "Where it is looked up. Without it, under its own name."),
        "track": Field(
            TRACK,
            "What is new: `tag`, another digest under the source's tag; `semver RANGE`, a higher "
            "version among the tags that look like the source's, such as `semver ^1.27`; "
            "`digest`, nothing ever. Without it, `digest` where the source has one, else `tag`.",
        ),
        "soak": Field(
            DURATION,
            "A new digest is used only this long after it was first seen: 24h, 30m, 7d.",
            default="0",
        ),
        "urgent": Field(
            Flag(),
            "Whether a new digest is used at once, whatever `soak` says: for a critical fix.",
            default=False,
        ),
        "pin": Field(DIGEST, "The digest that is used, whatever the registry shows."),
        "mirror": Field(
            Flag(),
            "Whether it is copied into `<registry>/mirror/…` and built from there.",
            False,
            False,
        ),
        "on_change": ON_CHANGE,
    },
)

UNDECLARED = Field(
    Text("what to do", choices=("error", "warn")),
    "What an image from outside is that a Dockerfile names and `upstreams` does not: an error, or "
    "with `warn` a warning, and it is looked up under the name that the Dockerfile gives it.",
    default="error",
)
