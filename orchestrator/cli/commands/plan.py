"""`orchestrate plan`: what a run would do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.command import Duration, command
from orchestrator.cli.planning import complain, make_plan, parents_of, wish_options
from orchestrator.cli.saved_plan import save_plan
from orchestrator.cli.selecting import ABOUT_SELECTORS, selection_options
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_out
from orchestrator.cli.what_if import require_alone, what_if
from orchestrator.cli.whole_file import require_replaceable
from orchestrator.cli.workplace import workplace

if TYPE_CHECKING:
    from orchestrator.decide.select import Selection
    from orchestrator.model.hierarchy import Hierarchy
    from orchestrator.model.plan import Plan
    from orchestrator.render.style import Style

#: Exit code of --detailed-exitcode where there is something to do.
SOMETHING_TO_DO = 10


@command(
    "plan",
    forms=("text", "json", "markdown"),
    about=f"""Show what a run would do to images, and every reason for it.

    Reads the files, the registry and the upstreams; writes nothing but FILE.

    {ABOUT_SELECTORS}
    """,
    examples=(
        ("orchestrate plan", "what would be built now, and why"),
        ("orchestrate plan python+ --exclude docs", "python and what stands on it, but not docs"),
        ("orchestrate plan --since origin/main", "what a pull request changes"),
        ("orchestrate plan --out plan.json", "keep it, for `orchestrate apply plan.json`"),
        ("orchestrate plan --out plan.json --max-age 24h", "and for no longer than a day"),
        ("orchestrate plan -o markdown", "for a comment on a pull request"),
        ("orchestrate plan --detailed-exitcode -q", "exit 10 when there is something to do"),
        ("orchestrate plan --what-if base", "how far a change of base would reach, and how long"),
        ("orchestrate plan --what-if debian:12", "or of an upstream"),
        ("orchestrate plan --force python --force nginx", "as if these two had changed"),
    ),
)
@click.option("--out", metavar="FILE", help="Save the plan as JSON, for `orchestrate apply`.")
@click.option(
    "--max-age",
    metavar="DURATION",
    type=Duration(),
    help="With --out: the plan may be applied for so long, e.g. 24h.",
)
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 10 when there is something to do, 0 when not."
)
@click.option(
    "--what-if",
    "asked",
    metavar="IMAGE|UPSTREAM[,…]",
    help="Plan nothing: estimate what a change of these would rebuild; an upstream is named as "
    "Dockerfiles do. Asks no registry.",
)
@click.option("--all", "every", is_flag=True, help="List every image, however many there are.")
@wish_options
@selection_options
def plan(
    session: Session,
    selection: Selection,
    out: str | None,
    max_age: float | None,
    detailed_exitcode: bool,
    force: tuple[str, ...],
    no_soak: tuple[str, ...],
    allow_dirty: bool,
    asked: str | None,
    every: bool,
) -> int:
    """Plan, show, save; or estimate."""
    if asked is not None:
        require_alone(
            {
                "--out": out is not None,
                "--max-age": max_age is not None,
                "--detailed-exitcode": detailed_exitcode,
                "--force": bool(force),
                "--no-soak": bool(no_soak),
                "--allow-dirty": allow_dirty,
                "a selector, --exclude or --since": bool(selection.terms),
            }
        )
        return what_if(session, asked, every=every)
    if out is not None:
        require_replaceable("--out", session.settings.path(out), out)
    with workplace(session) as place:
        made, _ = make_plan(
            session,
            place,
            force,
            selection,
            allow_dirty=allow_dirty,
            max_age_s=max_age,
            no_soak=no_soak,
            remember=False,
        )
    if out is not None:
        save_plan(made, session.settings.path(out))
    from orchestrator.decide.select import quoted

    wishes = [quoted(term) for term in made.selection]
    wishes += [f"--force {image}" for image in force] + ["--allow-dirty"] * allow_dirty
    wishes += [f"--no-soak {quoted(name)}" for name in no_soak]
    code = _show(session, made, place.hierarchy, None if out else wishes, every=every)
    if out is not None:
        session.say(f"saved to {out}; `orchestrate apply {out}` carries it out")
    code = code or complain(session, made)
    return code or (SOMETHING_TO_DO if detailed_exitcode and not made.is_empty else 0)


def _show(
    session: Session,
    made: Plan,
    hierarchy: Hierarchy,
    wishes: list[str] | None,
    *,
    every: bool,
) -> int:
    """Write the plan.

    Args:
        session: says in which form.
        made: the plan.
        hierarchy: what it is for.
        wishes: the selectors and options that a build needs to do the same; None: how to go on
            is said elsewhere.
        every: list every image.
    """
    from orchestrator.plan.file import plan_json

    if session.settings.output == "markdown":
        from orchestrator.render.markdown import plan_markdown

        tiers = {image.id: image.tier or "" for image in hierarchy.images.values()}
        return write_out(plan_markdown(made, parents_of(hierarchy), tiers))
    if session.settings.quiet and not session.json:
        return 0
    from orchestrator.render.text import plan_text

    def text(style: Style) -> str:
        verbose = session.settings.verbose
        usual = wishes == []
        shown = plan_text(
            made,
            parents_of(hierarchy),
            style,
            verbose=verbose,
            every=every,
            next_steps=usual,
        )
        if wishes and not made.is_empty:
            # What `orchestrate build` alone would do is less.
            again = " ".join(wishes)
            shown += f"  {style.dim('carry it out:')}  {style.note(f'orchestrate build {again}')}\n"
        return shown

    return session.answer(text, lambda: plan_json(made))
