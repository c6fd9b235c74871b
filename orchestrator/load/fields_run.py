"""The fields about a run: builders, what one build may take, and what its end promotes."""

from __future__ import annotations

from orchestrator.load.grammar import AXIS_VALUE, IMAGE_ID, LABEL_NAME, PLATFORM, TIME_LIMIT, WORD
from orchestrator.load.kinds import Field, ListOf, MapOf, Record, Text, Whole
from orchestrator.model.hierarchy import BuildCache, Promote, Sbom

#: What counts where nobody says; the model's own defaults are the same.
DEFAULT_SLOTS = 4
DEFAULT_TIMEOUT = "2h"
DEFAULT_RETRIES = 2
DEFAULT_CACHE = BuildCache.NONE.value
DEFAULT_SBOM = Sbom.NONE.value
DEFAULT_PROMOTE = Promote.PASSED.value

_LABELS = MapOf(LABEL_NAME, AXIS_VALUE, most=100)

BUILDER = Record(
    "builder",
    {
        "name": Field(
            WORD,
            "As `docker buildx ls` shows it, or a docker context. Without it, the current one.",
        ),
        "slots": Field(
            Whole(1, 1024),
            "Builds it may run at once; each platform of an image is one build.",
            default=DEFAULT_SLOTS,
        ),
        "platforms": Field(
            ListOf(PLATFORM, 1),
            "Platforms that it builds natively. Without it, the builder is asked. A platform for "
            "which no builder is native is emulated.",
        ),
        "labels": Field(_LABELS, "What images may ask for with `builder_labels`."),
    },
)

#: What an image may say, and `defaults` and `tiers` for many of them.
BUILDER_LABELS = Field(
    _LABELS,
    "Labels that a builder must have to build it: `{disk: fast}`. Like the builders themselves, "
    "`timeout`, `retries` and `cache`, they are not in the build key.",
    varies=True,
)
TIMEOUT = Field(
    TIME_LIMIT, "Longest time of one build of one platform: 90m, 2h.", default=DEFAULT_TIMEOUT
)
RETRIES = Field(
    Whole(0, 10),
    "Further tries after a failure that may pass by itself.",
    default=DEFAULT_RETRIES,
)
CACHE = Field(
    Text("a place for the cache", choices=tuple(place.value for place in BuildCache)),
    "Where the build cache is kept beside the builder's own, for builders that are new: "
    "`registry`, in the image's repository; `inline`, in the image itself; `none`.",
    default=DEFAULT_CACHE,
)

SBOM = Field(
    Text("what lists the packages", choices=tuple(tool.value for tool in Sbom)),
    "What lists the packages of what is built: `syft`, whose list (an SBOM, SPDX) is attached to "
    "each platform once it is published; `none`. It is not in the build key.",
    default=DEFAULT_SBOM,
)

CANARIES = Field(
    ListOf(IMAGE_ID, most=100),
    "Ids of descendants that must be built on it, and pass, before its floating tags move.",
    varies=True,
)
PROMOTE = Field(
    Text("which floating tags move", choices=tuple(word.value for word in Promote)),
    "Which floating tags move at the end of a run: `passed`, of every image whose own chain "
    "passed; `all`, every one or, if anything failed, none; `manual`, none until "
    "`orchestrate promote`.",
    default=DEFAULT_PROMOTE,
)
