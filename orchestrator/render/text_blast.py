"""What a change would set in motion, for people: on a terminal, and as a comment."""

from __future__ import annotations

from collections import Counter

from orchestrator.model.blast import Blast, Rebuild
from orchestrator.render.fold import MOST_LINES
from orchestrator.render.markdown import escaped
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import counted, duration_words, listed_up_to, told_words

_STEP, _MOST_LEVELS = 2, 6
_MOST_NAMES = 8
_MOST_MARKDOWN_ROWS = 200


def blast_text(blast: Blast, style: Style, *, every: bool = False) -> str:
    """Return how far a change would reach: a sentence, the times, the teams, the images.

    Args:
        blast: how far.
        style: how it may look.
        every: a row for every image, however many.
    """
    lines = [style.bold(line) for line in style.wrap(_sentence(blast))]
    for name, text in _facts(blast):
        lead = f"  {name:<15}"
        first, *more = style.wrap(text, first=" " * len(lead))
        lines += [style.dim(lead) + first[len(lead) :], *more]
    shown = blast.rebuilds if every else blast.rebuilds[:MOST_LINES]
    rows = [*_upstream_rows(blast, style), *_rows(shown, style)]
    lines += ["", *table(("IMAGE", "TIER", "TAKES"), rows, style)]
    if len(shown) < len(blast.rebuilds):
        text = f"and {len(blast.rebuilds) - len(shown)} more; --all lists every image."
        lines += map(style.dim, style.wrap(text))
    return "\n".join(lines) + "\n"


def _sentence(blast: Blast) -> str:
    upstreams = (f"upstream {name}" for name in blast.upstreams)
    changed = listed_up_to((*upstreams, *blast.changed), _MOST_NAMES)
    number = len(blast.rebuilds)
    return (
        f"If {changed} changed, {number} of {counted(blast.of, 'image')} would be rebuilt, at the "
        f"most."
    )


def _facts(blast: Blast) -> list[tuple[str, str]]:
    run = f"about {duration_words(blast.run_s)} with {counted(blast.slots, 'image')} at once"
    chain = f"{duration_words(blast.chain_s)} over {counted(len(blast.chain), 'image')}: "
    if len(blast.chain) > _MOST_NAMES:
        chain += " → ".join((*blast.chain[: _MOST_NAMES - 1], "…", blast.chain[-1]))
    else:
        chain += " → ".join(blast.chain)
    facts = [
        ("a run takes", f"{run}, {duration_words(blast.total_s)} of building in all"),
        ("longest chain", chain),
    ]
    if blast.unknown:
        names = listed_up_to(blast.unknown, _MOST_NAMES)
        every = len(blast.unknown) == len(blast.rebuilds)
        text = f"{duration_words(blast.guess_s)} is taken for each: " + (
            "nothing of it was ever built here" if every else f"never built here: {names}"
        )
        facts.append(("estimated", text))
    tiers = Counter(rebuild.tier for rebuild in blast.rebuilds if rebuild.tier)
    if tiers:
        facts.append(("tiers", ", ".join(f"{number} {tier}" for tier, number in tiers.items())))
    facts.append(("subscribed", told_words(blast.told) or "no team"))
    return facts


def _upstream_rows(blast: Blast, style: Style) -> list[Row]:
    return [
        Row(
            cells=(
                Cell(text=style.clean(name), paint=style.bold),
                Cell(text="upstream", paint=style.dim),
                Cell(text=""),
            )
        )
        for name in blast.upstreams
    ]


def _rows(rebuilds: tuple[Rebuild, ...], style: Style) -> list[Row]:
    return [
        Row(
            cells=(
                Cell(
                    text=" " * (_STEP * min(rebuild.depth, _MOST_LEVELS))
                    + style.clean(rebuild.image),
                    paint=style.plain if rebuild.depth else style.bold,
                ),
                Cell(text=rebuild.tier, paint=style.dim),
                Cell(
                    text=duration_words(rebuild.lasts_s) + ("" if rebuild.known else " estimated"),
                    paint=style.plain if rebuild.known else style.dim,
                ),
            )
        )
        for rebuild in rebuilds
    ]


def blast_markdown(blast: Blast) -> str:
    """Return how far a change would reach, as a comment on a pull request."""
    facts = "\n".join(f"| {name} | {escaped(text)} |" for name, text in _facts(blast))
    rows = [
        f"| {escaped(rebuild.image)} | {escaped(rebuild.tier)} "
        f"| {duration_words(rebuild.lasts_s)}{'' if rebuild.known else ' (estimated)'} |"
        for rebuild in blast.rebuilds
    ]
    more = len(rows) - _MOST_MARKDOWN_ROWS
    rows = rows[:_MOST_MARKDOWN_ROWS] + ([f"| … and {more} more | | |"] if more > 0 else [])
    head = "| Image | Tier | Takes |\n|---|---|---|"
    return (
        "\n".join(
            (
                f"### {escaped(_sentence(blast))}\n",
                f"|  |  |\n|---|---|\n{facts}\n",
                f"<details><summary>{counted(len(blast.rebuilds), 'image')}</summary>\n",
                *(head, *rows),
                "\n</details>",
            )
        )
        + "\n"
    )
