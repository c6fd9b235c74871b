"""The state database on a server: whether it has connections left, and lets this user write."""

from __future__ import annotations

from orchestrator.model.finding import Code, Finding, Level
from orchestrator.model.health import StateFacts

#: Free connections under which the next few runs may get none.
_FEW = 3


def connections_finding(url: str, facts: StateFacts) -> Finding:
    """Return whether the server has connections left."""
    used, most = facts.connections_used, facts.connections_most
    few = most - used < _FEW
    return Finding(
        code=Code.DATABASE_CONNECTIONS,
        level=Level.WARNING if few else Level.OK,
        what=f"the server of {url} has {max(0, most - used)} of {most} connections left",
        hint="a run needs one: raise its max_connections, or end what is idle" if few else "",
        facts={"path": url, "used": used, "most": most},
    )


def writable_finding(url: str, facts: StateFacts) -> Finding:
    """Return whether this user may write there now."""
    if not facts.refusal:
        return Finding(
            code=Code.DATABASE_WRITE,
            level=Level.OK,
            what="database can be written",
            facts={"path": url},
        )
    locked = "locked" in facts.refusal
    return Finding(
        code=Code.DATABASE_WRITE,
        level=Level.WARNING if locked else Level.ERROR,
        what=f"database {url} cannot be written: {facts.refusal}",
        hint="another orchestrate writes to it; try again"
        if locked
        else "name its primary, let this user own the schema, or name another place with --state",
        facts={"path": url},
    )
