"""`orchestrate build`: plan, show the plan, carry it out."""

from __future__ import annotations

from orchestrator.cli.command import command
from orchestrator.cli.planning import make_plan, nothing_to_do, preview, wish_options
from orchestrator.cli.running import follow, intent, intent_options, slots_option
from orchestrator.cli.session import Session
from orchestrator.cli.workplace import workplace


@command(
    "build",
    about="""Build, check and publish whatever changed, and what stands on it, in order.

    What failed blocks only what stands on it. Floating tags move at the end. Where nothing
    changed, nothing happens.
    """,
    examples=(
        ("orchestrate build", "whatever changed"),
        ("orchestrate build --because 'CVE-2026-1234'", "and say why, for the history"),
        ("orchestrate build --force base", "base whatever is there, and what stands on it"),
        ("orchestrate build --slots 4 --progress plain", "four at once; lines, for a log"),
        ("orchestrate build --trigger schedule -q", "for cron: silent unless it fails"),
    ),
)
@wish_options
@slots_option
@intent_options
def build(
    session: Session,
    force: tuple[str, ...],
    allow_dirty: bool,
    slots: int | None,
    because: str,
    trigger: str | None,
) -> int:
    """Plan, and run."""
    from orchestrator import flow

    with workplace(session) as place:
        made = make_plan(session, place, force, allow_dirty=allow_dirty)
        if not made.steps:
            return nothing_to_do(session, made, place)
        preview(session, made, place)
        wanted = intent(session, place, "build", because=because, trigger=trigger, slots=slots)
        return follow(session, place, flow.run(made, place.hierarchy, place.doors, wanted))
