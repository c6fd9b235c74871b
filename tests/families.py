"""A hierarchy of a few images that stand on one another, said in one line."""

from __future__ import annotations

from orchestrator.model.hierarchy import Hierarchy
from tests.drafts import HEAD, load, places

FAST = "builders: [{labels: {disk: fast}}]\n"
#: A parent, what stands on it, and what stands beside it.
DOCKERFILES = {
    "web": "FROM base\n",
    "shop": "FROM web\n",
    "copy": "FROM scratch\nCOPY --from=base / /\n",
}


def family(base: str = "", *, web: str = "", shop: str = "", more: str = "") -> str:
    """`shop` on `web` on `base`, `copy` of `base`, `other` on nothing."""
    return (
        f"{HEAD}images:\n  base: {{context: base, version: 1, {base}}}\n"
        f"  web: {{context: web, version: 1, {web}}}\n"
        f"  shop: {{context: shop, version: 1, {shop}}}\n"
        "  copy: {context: copy, version: 1}\n"
        f"  other: {{context: other, version: 1}}\n{more}"
    )


def loaded(text: str, dockerfiles: dict[str, str] | None = None) -> Hierarchy:
    return load(text, {**DOCKERFILES, **(dockerfiles or {})})


def wrong(text: str, dockerfiles: dict[str, str] | None = None) -> list[str]:
    return places(text.replace("¦", ""), {**DOCKERFILES, **(dockerfiles or {})})


def at(marked: str, code: str) -> list[str]:
    """Return what is expected of a file with one mistake, at the mark."""
    before = marked.partition("¦")[0]
    return [f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))} {code}"]
