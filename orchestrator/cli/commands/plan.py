"""`orchestrate plan`: what a run would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import command
from orchestrator.cli.planning import make_plan, parents_of, wish_options
from orchestrator.cli.saved_plan import save_plan
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.cli.workplace import workplace

if TYPE_CHECKING:
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.plan import Plan
    from orchestrator.render.style import Style

#: Exit code of --detailed-exitcode where there is something to do.
SOMETHING_TO_DO = 10


@command(
    "plan",
    forms=("text", "json", "markdown"),
    about="""Show what a run would do to every image, and every reason for it.

    Reads the files, the registry and the upstreams; writes nothing but FILE.
    """,
    examples=(
        ("orchestrate plan", "what would be built now, and why"),
        ("orchestrate plan --out plan.json", "keep it, for `orchestrate apply plan.json`"),
        ("orchestrate plan -o markdown", "for a comment on a pull request"),
        ("orchestrate plan --detailed-exitcode -q", "exit 10 when there is something to do"),
        ("orchestrate plan --force python --force nginx", "as if these two had changed"),
    ),
)
@click.option("--out", metavar="FILE", help="Save the plan as JSON, for `orchestrate apply`.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 10 when there is something to do, 0 when not."
)
@wish_options
def plan(
    session: Session,
    out: str | None,
    detailed_exitcode: bool,
    force: tuple[str, ...],
    allow_dirty: bool,
) -> int:
    """Plan, show, save."""
    with workplace(session) as place:
        made = make_plan(session, place, force, allow_dirty=allow_dirty)
    if out is not None:
        save_plan(made, session.settings.path(out))
    wishes = [f"--force {image}" for image in force] + ["--allow-dirty"] * allow_dirty
    code = _show(session, made, place.hierarchy, None if out else wishes)
    if out is not None:
        session.say(f"saved to {out}; `orchestrate apply {out}` carries it out")
    return code or (SOMETHING_TO_DO if detailed_exitcode and made.steps else 0)


def _show(session: Session, made: Plan, hierarchy: Hierarchy, wishes: list[str] | None) -> int:
    """Write the plan.

    Args:
        session: says in which form.
        made: the plan.
        hierarchy: what it is for.
        wishes: the options that a build needs to do the same; None: how to go on is said
            elsewhere.
    """
    from orchestrator.plan import plan_json

    if session.settings.output == "markdown":
        from orchestrator.render.markdown import plan_markdown

        return write_out(plan_markdown(made, parents_of(hierarchy)))
    if session.settings.quiet and not session.json:
        return 0
    from orchestrator.render.text import plan_text

    def text(style: Style) -> str:
        verbose = session.settings.verbose
        usual = wishes == []
        shown = plan_text(made, parents_of(hierarchy), style, verbose=verbose, next_steps=usual)
        if wishes and made.steps:
            # What `orchestrate build` alone would do is less.
            again = " ".join(wishes)
            shown += f"  {style.dim('carry it out:')}  {style.note(f'orchestrate build {again}')}\n"
        return shown

    return session.answer(text, lambda: plan_json(made))
