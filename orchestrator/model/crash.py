"""Where a run may be killed: after something outside was done, before something else is."""

from __future__ import annotations

from enum import StrEnum


class CrashPoint(StrEnum):
    """A place in the code; tests kill the process at every one of them.

    The words are what ``ORCHESTRATE_CRASH_AT`` takes.
    """

    LEASE_TAKEN = "lease-taken"
    RUN_BEGUN = "run-begun"
    MIRROR_COPIED = "mirror-copied"
    MIRROR_TAGGED = "mirror-tagged"
    BUILD_STARTED = "build-started"
    LAYOUT_MADE = "layout-made"
    BLOBS_UPLOADED = "blobs-uploaded"
    MANIFEST_STORED = "manifest-stored"
    CLAIMED = "claimed"
    IMMUTABLE_TAG_PUT = "immutable-tag-put"
    KEY_TAG_PUT = "key-tag-put"
    ANNOUNCED = "announced"
    UNCHANGED_CLAIMED = "unchanged-claimed"
    UNCHANGED_TAGGED = "unchanged-tagged"
    COPIES_MADE = "copies-made"
    STEP_RECORDED = "step-recorded"
    STEPS_DONE = "steps-done"
    JOURNAL_WRITTEN = "journal-written"
    MARKED = "marked"
    TAG_MOVED = "tag-moved"
    MOVE_SETTLED = "move-settled"
    RUN_FINISHED = "run-finished"
    TOLD = "told"
    MESSAGE_SENT = "message-sent"
    RECOVERED = "recovered"
