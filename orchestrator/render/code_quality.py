"""What is wrong as GitLab's Code Quality report, which shows it in a merge request's changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from orchestrator.errors import Problem
from orchestrator.model.fingerprint import sha256
from orchestrator.model.run import StepResult
from orchestrator.render.annotations import Place
from orchestrator.render.style import terminal_text

_SEVERITIES = {"error": "critical", "warning": "minor"}


def problems_quality(
    problems: tuple[Problem, ...], path: Callable[[str], str]
) -> list[dict[str, object]]:
    """Return what is wrong in files.

    Args:
        problems: in any order.
        path: a file as the user would write it → from the repository's top.
    """
    found = [
        _issue(
            p.code,
            "; ".join(filter(None, (p.what, p.hint))),
            _SEVERITIES.get(p.severity, "major"),
            Place(file=path(p.file), line=p.line),
        )
        for p in problems
    ]
    return _numbered(found)


def failures_quality(failed: list[tuple[StepResult, Place]]) -> list[dict[str, object]]:
    """Return failed images, each at the line of its Dockerfile that failed."""
    found = []
    for result, place in failed:
        failure = result.failure
        what = failure.what if failure else "failed"
        cause = str(failure.cause).upper() if failure else "UNKNOWN"
        found.append(_issue(f"BUILD-{cause}", f"{result.image}: {what}", "blocker", place))
    return _numbered(found)


def _issue(name: str, description: str, severity: str, place: Place) -> dict[str, object]:
    return {
        "description": terminal_text(description),
        "check_name": name,
        "severity": severity,
        "location": {"path": place.file, "lines": {"begin": max(place.line, 1)}},
    }


def _numbered(issues: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return issues with fingerprints: the same for the same thing, wherever its line is now."""
    seen: Counter[str] = Counter()
    for issue in issues:
        location = issue["location"]
        assert isinstance(location, dict)  # made above
        about = f"{issue['check_name']}\n{location['path']}\n{issue['description']}"
        seen[about] += 1
        issue["fingerprint"] = sha256(f"{about}\n{seen[about]}".encode()).partition(":")[2]
    return issues
