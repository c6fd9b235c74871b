"""Why a text is not what its field takes."""

from __future__ import annotations

import re

from orchestrator.load.kinds import Complaint, Text
from orchestrator.load.problems import Problems, closest, shown
from orchestrator.load.yaml_nodes import CONTROL, Scalar


def complaint_of(kind: Text, text: str) -> Complaint | None:
    """Return why a text is not of its kind."""
    if len(text) > kind.longest:
        return Complaint("BAD-VALUE", f"is longer than {kind.longest} characters")
    if CONTROL.search(text):
        hint = "texts are made of what can be printed, tabs and line breaks"
        return Complaint("BAD-VALUE", "has a control character", hint)
    if kind.choices:
        if text in kind.choices:
            return None
        near = closest(text, kind.choices)
        known = ", ".join(kind.choices) + (f"; or {kind.or_else}" if kind.or_else else "")
        hint = f"did you mean {shown(near)}?" if near else f"one of: {known}"
        return Complaint("UNKNOWN-VALUE", "is not known", hint)
    if kind.pattern is not None and not re.fullmatch(kind.pattern, text):
        hint = ""
        if kind.code == "BAD-NAME" and (name := _name_like(text)):
            hint = f"for example {name}"
        elif kind.private:
            hint = "say where the secret is; and change one that stood here itself"
        return Complaint(kind.code, f"is not valid: it takes {kind.what}", hint)
    return kind.check(text) if kind.check else None


def refuse_text(
    kind: Text, text: Scalar, name: str, problems: Problems, *, once: bool = False
) -> bool:
    """Keep why a text is not of its kind; False when it is."""
    complaint = complaint_of(kind, text)
    if complaint is None:
        return False
    what = f"{name} {complaint.what}" if kind.private else f"{name}: {shown(text)} {complaint.what}"
    problems.error(complaint.code, text, what, complaint.hint, private=kind.private, once=once)
    return True


def refuse_axis(
    axis: str, axes: frozenset[str], spot: Scalar, name: str, problems: Problems
) -> None:
    """Keep that a text, or an exclusion, names no axis of its matrix."""
    hint = problems.did_you_mean(axis, sorted(axes))
    hint = hint or f"axes: {', '.join(sorted(axes))}"
    problems.error("UNKNOWN-AXIS", spot, f"{name}: {shown(axis)} is no axis of its `matrix`", hint)


def _name_like(text: str) -> str:
    """Return a name in lower case that keeps the letters and digits of a text; may be empty."""
    plain = re.sub("[^a-z0-9._]+", "-", text[:64].lower())
    return re.sub("[._-]*-[._-]*|[.]{2,}|_{3,}", "-", plain).strip("._-")
