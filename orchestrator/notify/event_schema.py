"""The JSON Schema of every event that teams are told. Pure.

``orchestrator/schema/events/TYPE.json`` is :func:`event_schema` of the type. Keys are only ever
added to a version, and words to a list; what goes or changes its meaning gets another version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from orchestrator.model.announcement import EventType
from orchestrator.model.change import PackageChange
from orchestrator.model.hierarchy import ParentKind
from orchestrator.model.plan import Cause
from orchestrator.model.run import FailureCause, HeldBy, Outcome, RunState
from orchestrator.notify.cdevents import CONTENT_TYPE, SPEC_VERSION
from orchestrator.notify.cdevents import TYPE as CDEVENTS_TYPE

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = 1

#: Event → when it is told. Also what the schema and the documentation say.
WHEN: Mapping[EventType, str] = {
    EventType.IMAGE_PUBLISHED: "A digest got its tag that never moves: it can be used by that.",
    EventType.IMAGE_UNCHANGED: "A run was to change an image, and it came out as it was.",
    EventType.IMAGE_FAILED: "An image's build, checks or publication failed; what was published "
    "stays.",
    EventType.IMAGE_BLOCKED: "An image was not built because one that it stands on failed.",
    EventType.IMAGE_HELD: "A digest is published, and its floating tags were not moved to it.",
    EventType.IMAGE_DEPRECATED: "An image reached its end: it is retired, or no longer supported.",
    EventType.TAG_MOVED: "A floating tag names another digest.",
    EventType.TAG_ROLLED_BACK: "A floating tag was taken back to what it named before.",
    EventType.UPSTREAM_MOVED: "An upstream has another content, which may be built on now.",
    EventType.UPSTREAM_SOAKING: "An upstream has another content, which is only looked at yet.",
    EventType.RUN_STARTED: "A run began.",
    EventType.RUN_FINISHED: "A run ended, one way or another.",
    EventType.CHECK_REGRESSED: "An image that is published was built again and did not pass its "
    "checks.",
    EventType.ARTIFACT_PUBLISHED: "As image.published, in the words of CDEvents.",
}


def event_schema(type_: EventType) -> Schema:
    """Return the JSON Schema (2020-12) of one kind of event, as CloudEvents carries it."""
    cdevent = type_ is EventType.ARTIFACT_PUBLISHED
    data = _cdevent() if cdevent else _data(type_)
    properties = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"},
        "source": _text("urn:gold-orchestrator:hierarchy:NAME.", least=1),
        "type": {"const": CDEVENTS_TYPE if cdevent else f"io.gold-orchestrator.{type_}.v{VERSION}"},
        "subject": _text(
            "Package URL of the image." if cdevent else _SUBJECTS.get(type_, "Image id."), least=1
        ),
        "time": _time("When it became so, or was found out."),
        "datacontenttype": {"const": CONTENT_TYPE if cdevent else "application/json"},
        "data": data,
    }
    if not cdevent:
        properties["dataschema"] = {"const": f"urn:gold-orchestrator:schema:{type_}:{VERSION}"}
    return {
        "$schema": DIALECT,
        "title": f"{type_}, version {VERSION}",
        "description": f"{WHEN[type_]} Ignore keys that you do not know: more may come.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "$defs": _definitions(data),
    }


def text(type_: EventType) -> str:
    """Return a schema as it is shipped."""
    return json.dumps(event_schema(type_), indent=2) + "\n"


_SUBJECTS = {
    EventType.UPSTREAM_MOVED: "Name of the upstream.",
    EventType.UPSTREAM_SOAKING: "Name of the upstream.",
    EventType.RUN_STARTED: "Id of the run.",
    EventType.RUN_FINISHED: "Id of the run.",
}


def _text(about: str = "", *, least: int = 0) -> Schema:
    return {
        "type": "string",
        **({"description": about} if about else {}),
        **({"minLength": least} if least else {}),
    }


def _time(about: str) -> Schema:
    return {"type": "string", "format": "date-time", "description": about}


def _words(words: Iterable[str], about: str = "") -> Schema:
    return {"enum": [str(word) for word in words], **({"description": about} if about else {})}


def _list(item: Schema, about: str = "") -> Schema:
    return {"type": "array", "items": item, **({"description": about} if about else {})}


def _object(properties: Schema, about: str = "", *, optional: Iterable[str] = ()) -> Schema:
    left = set(optional)
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "properties": properties,
        "required": [name for name in properties if name not in left],
    }


def _map(value: Schema, about: str = "") -> Schema:
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "additionalProperties": value,
    }


def _use(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _maybe(kind: str, about: str = "") -> Schema:
    return {"type": [kind, "null"], **({"description": about} if about else {})}


_DIGEST: Schema = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_DIGEST_OR_NONE: Schema = {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BYTES: Schema = {"type": ["integer", "null"], "minimum": 0}
_CAUSES = _words(Cause, "The words of `orchestrate why`.")

_REASON = {
    "cause": _CAUSES,
    "text": _text("In plain words."),
    "subject": _text("What it speaks of: a parent, an upstream, a file, a package; or empty."),
    "was": _text("The value before; or empty."),
    "now": _text("The value now; or empty."),
    "because": _text("`security` for a package's security fix; or empty."),
}
_REASON_MORE = ("subject", "was", "now", "because")

_VULNERABILITIES: Schema = {
    "type": ["array", "null"],
    "description": "null: nobody knows, for no scanner is configured, or see `unscanned`.",
    "items": _object({"id": _text(), "severity": _text(), "package": _text()}),
}

_DEFINITIONS: Schema = {
    "run": _object(
        {
            "id": _text("As `orchestrate history` has it."),
            "command": _text(),
            "who": _text(),
            "trigger": _text("manual, ci, schedule and the like."),
            "because": _text("What somebody said with --because."),
            "revision": _text("Commit, with -dirty if so."),
        },
        "The run that it is told with; all but the id is empty where there was nothing to do.",
    ),
    "image": _object(
        {
            "id": _text(least=1),
            "version": _text(),
            "tier": _text("Or empty."),
            "repository": _text(least=1),
            "labels": _map({"type": "string"}),
        }
    ),
    "digest": _object(
        {"was": _DIGEST_OR_NONE, "now": _DIGEST_OR_NONE},
        "Of the index, before and after; empty: there was none, or there is none.",
    ),
    "tags": _object(
        {
            "immutable": _text("The tag that names the digest for ever; or empty."),
            "floating": _list({"type": "string"}, "Those that the run has put on the digest."),
        }
    ),
    "from": _text(
        "What goes behind FROM: REPOSITORY:TAG@DIGEST; empty: there is nothing, or not any more."
    ),
    "platforms": _map(
        _object({"digest": _DIGEST, "was_bytes": _BYTES, "now_bytes": _BYTES}),
        "Platform → its manifest, and the compressed size of its layers; null: not known.",
    ),
    "reasons": _list(
        _object(
            {
                **_REASON,
                "chain": _list(
                    {"type": "string"},
                    "The way down from the upstream or image that changed to this one.",
                ),
                "root": _list(
                    _object({"image": _text(), **_REASON}, optional=_REASON_MORE),
                    "Why the first image of the chain changed, at most 10 reasons; empty where "
                    "it is this one.",
                ),
            },
            optional=(*_REASON_MORE, "root"),
        ),
        "Why the run did something to the image, the most telling first; at most 100.",
    ),
    "lineage": _list(
        _object(
            {
                "name": _text("Image id, or the upstream's name."),
                "kind": _words(ParentKind),
                "reference": _text("Repository, with the tag of an upstream."),
                "digest": _DIGEST,
            }
        ),
        "Everything that it stands on as it was built on, the nearest first.",
    ),
    "lineage_unknown": _text("Why the lineage is not whole; empty: it is."),
    "change": _object(
        {
            "platforms": _map(_use("platform_change")),
            "packages": _maybe("boolean", "Whether packages changed; null: nobody can tell."),
            "security": _maybe(
                "boolean", "Whether known vulnerabilities were fixed; null: nobody can tell."
            ),
            "security_updates": _list(
                {"type": "string"},
                "Packages that were updated for security, in the image or one below it, as the "
                "package manager said before the build; at most 500.",
            ),
            "unknown": _text("Why it is not known what changed; empty: see the platforms."),
        },
        optional=("security_updates", "unknown"),
    ),
    "platform_change": _object(
        {
            "was_bytes": _BYTES,
            "now_bytes": _BYTES,
            "packages": {
                "type": ["array", "null"],
                "description": "null: nobody knows, and `unknown` says why.",
                "items": _object(
                    {
                        "name": _text(),
                        "type": _text("As syft calls it: deb, apk, rpm, python, …"),
                        "change": _words(PackageChange),
                        "was": _text("Version; empty: it was not there."),
                        "now": _text("Version; empty: it is gone."),
                    }
                ),
            },
            "unknown": _text("Why nobody knows the packages; or empty."),
            "settings": _list(
                _object(
                    {
                        "name": _text("user, entrypoint, environment, …"),
                        "what": _text("Which one, such as a variable's name; or empty."),
                        "was": _maybe("string"),
                        "now": _maybe("string"),
                    }
                ),
                "Of how it runs; values of variables are never told.",
            ),
            "fixed": _VULNERABILITIES,
            "introduced": _VULNERABILITIES,
            "unscanned": _text("Why the scanner knows nothing; or empty."),
            "left_out": _map(
                _COUNT, "List → how many entries it has no room for; a list has at most 500."
            ),
        },
        optional=("was_bytes", "now_bytes", "unscanned", "left_out"),
    ),
    "links": _object({"source": _text("The commit, for browsers.")}, optional=("source",)),
    "failure": _object(
        {
            "cause": _words(FailureCause, "The words of docs/reference/failures.md."),
            "what": _text("One sentence; may quote a program."),
            "hint": _text("A way out; or empty."),
            "log_tail": _list({"type": "string"}, "Last lines of the log, oldest first."),
        },
        optional=("log_tail",),
    ),
    "counts": _map(_COUNT),
}

_CONTENT = ("digest", "tags", "from", "platforms", "reasons", "lineage", "lineage_unknown")
#: Event → the parts of its data beside hierarchy and run.
_PARTS: Mapping[EventType, tuple[str, ...]] = {
    EventType.IMAGE_PUBLISHED: ("image", *_CONTENT, "change", "links"),
    EventType.IMAGE_HELD: ("image", "held", *_CONTENT, "change", "links"),
    EventType.TAG_MOVED: ("image", *_CONTENT, "change", "links"),
    EventType.TAG_ROLLED_BACK: ("image", *_CONTENT, "change", "links"),
    EventType.IMAGE_UNCHANGED: ("image", "digest", "outcome", "reasons"),
    EventType.IMAGE_FAILED: ("image", "digest", "failure", "tries", "reasons"),
    EventType.CHECK_REGRESSED: ("image", "digest", "failure", "tries", "reasons"),
    EventType.IMAGE_BLOCKED: ("image", "digest", "blocked_by", "failure", "reasons"),
    EventType.IMAGE_DEPRECATED: ("image", "deprecated", "eol", "replaced_by"),
    EventType.UPSTREAM_MOVED: ("upstream",),
    EventType.UPSTREAM_SOAKING: ("upstream",),
    EventType.RUN_STARTED: ("counts",),
    EventType.RUN_FINISHED: (
        "state", "counts", "failed", "moved", "started_at", "duration_s",
    ),
}  # fmt: skip

_INLINE: Schema = {
    "hierarchy": _text(least=1),
    "held": _object(
        {
            "by": _words(HeldBy, "The words of docs/reference/events.md."),
            "for": _text("The canary, the parent or what else did not pass; or empty."),
        }
    ),
    "outcome": _words((Outcome.UNCHANGED, Outcome.CUT_OFF), "cut-off: it was not even built."),
    "tries": {"type": "integer", "minimum": 1},
    "blocked_by": _text("The image that failed.", least=1),
    "deprecated": _words(("retired", "eol")),
    "eol": _text("YYYY-MM-DD of its last supported day; or empty."),
    "replaced_by": _text("Id of the image to stand on instead; or empty."),
    "upstream": _object(
        {
            "name": _text(least=1),
            "source": _text("Where it is looked up."),
            "was": _DIGEST,
            "now": _DIGEST,
            "first_seen": _time("When the content was seen for the first time."),
            "until": _text("From when it may be built on; empty: it may."),
            "images": _list({"type": "string"}, "Ids of what stands on it, parents first."),
        }
    ),
    "state": _words(RunState),
    "failed": _list({"type": "string"}, "Ids of the images that failed."),
    "moved": _COUNT,
    "started_at": _text(),
    "duration_s": {"type": "number", "minimum": 0},
}


def _data(type_: EventType) -> Schema:
    parts = ("hierarchy", "run", *_PARTS[type_])
    properties: Schema = {p: _INLINE[p] if p in _INLINE else _use(p) for p in parts}
    if type_ in (EventType.TAG_MOVED, EventType.TAG_ROLLED_BACK):
        tag = _object({"moved": _text("The tag that it is about.", least=1)})
        properties["tags"] = {"allOf": [_use("tags"), tag]}
    if type_ in (EventType.IMAGE_PUBLISHED, EventType.IMAGE_HELD, EventType.TAG_MOVED):
        properties["digest"] = {"allOf": [_use("digest"), {"properties": {"now": _DIGEST}}]}
    return _object(
        {**properties, "test": {"const": True, "description": "Of `orchestrate notify test`."}},
        optional=("test", "lineage_unknown"),
    )


def _cdevent() -> Schema:
    texts = ("id", "source")
    context = {
        "specversion": {"const": SPEC_VERSION},
        **{name: _text("As outside.", least=1) for name in texts},
        "type": {"const": CDEVENTS_TYPE},
        "timestamp": _time("As `time`."),
    }
    subject = {
        "id": _text("Package URL: pkg:oci/NAME@DIGEST?repository_url=REPOSITORY.", least=1),
        "source": _text(least=1),
        "content": {"type": "object", "maxProperties": 0},
    }
    return _object(
        {
            "context": {**_object(context), "additionalProperties": False},
            "subject": {**_object(subject), "additionalProperties": False},
            "customData": _data(EventType.IMAGE_PUBLISHED),
            "customDataContentType": {"const": "application/json"},
        }
    )


def _definitions(data: Schema) -> Schema:
    """Return the definitions that a schema uses, also through others."""
    found: Schema = {}
    waiting = [data]
    while waiting:
        said = json.dumps(waiting.pop())
        for name in _DEFINITIONS:
            if name not in found and f'"#/$defs/{name}"' in said:
                found[name] = _DEFINITIONS[name]
                waiting.append(_DEFINITIONS[name])
    return {name: found[name] for name in _DEFINITIONS if name in found}
