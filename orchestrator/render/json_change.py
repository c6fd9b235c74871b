"""What is different between two published images, as machines read it."""

from __future__ import annotations

from orchestrator.model.change import ImageChange, PlatformChange, Vulnerability

FORMAT = 1


def change_json(image: str, found: ImageChange) -> dict[str, object]:
    """Return what is different, platform by platform; sizes in bytes.

    Form: orchestrator/schema/diff.json
    """
    return {
        "format": FORMAT,
        "kind": "diff",
        "image": image,
        "was": found.was,
        "now": found.now,
        "platforms": {
            platform: platform_json(change) for platform, change in found.platforms.items()
        },
    }


def platform_json(change: PlatformChange) -> dict[str, object]:
    """Return what is different on one platform."""
    return {
        "was_bytes": change.was_bytes,
        "now_bytes": change.now_bytes,
        "packages": None
        if change.packages is None
        else [
            {
                "type": package.type,
                "name": package.name,
                "change": str(package.change),
                "was": package.was,
                "now": package.now,
            }
            for package in change.packages
        ],
        "unknown": change.unknown,
        "settings": [
            {"name": one.name, "what": one.what, "was": one.was, "now": one.now}
            for one in change.settings
        ],
        "fixed": _vulnerabilities(change.fixed),
        "introduced": _vulnerabilities(change.introduced),
        "unscanned": change.unscanned,
        "files": None
        if change.files is None
        else [
            {"path": f"/{file.path}", "was_bytes": file.was_bytes, "now_bytes": file.now_bytes}
            for file in change.files
        ],
        "unread": change.unread,
    }


def _vulnerabilities(found: tuple[Vulnerability, ...] | None) -> list[dict[str, str]] | None:
    if found is None:
        return None
    return [{"id": each.id, "severity": each.severity, "package": each.package} for each in found]
