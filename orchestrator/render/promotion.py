"""What waits for its promotion, for people and for machines."""

from __future__ import annotations

from orchestrator.model.run import Waiting
from orchestrator.render.json import FORMAT, Object, move_object
from orchestrator.render.style import Style
from orchestrator.render.table import Cell, Row, table
from orchestrator.render.words import (
    counted,
    hold_words,
    listed,
    minute_words,
    short,
    way_out_words,
)

#: Runs whose commands are spelled out.
_MOST_RUNS = 5


def waiting_text(waits: tuple[Waiting, ...], style: Style) -> str:
    """Return a table of what waits, and the commands that promote it, the oldest run first."""
    if not waits:
        text = "Nothing waits for its promotion, as far as the history knows."
        return "\n".join(style.wrap(text)) + "\n"
    rows = [
        Row(
            cells=(
                Cell(text=each.moves[0].image, paint=style.bold),
                Cell(text=short(each.moves[0].now or "")),
                Cell(text=minute_words(each.started_at), paint=style.dim),
                Cell(text=each.run),
            ),
            below=(Cell(text=_why(each), paint=style.dim),),
        )
        for each in waits
    ]
    lines = table(("IMAGE", "CANDIDATE", "SINCE (UTC)", "RUN"), rows, style, whole=frozenset({3}))
    runs = list(dict.fromkeys(each.run for each in waits))
    lines += ["", *map(style.bold, style.wrap(f"{counted(len(waits), 'image')} held."))]
    for run in runs[:_MOST_RUNS]:
        moves = [move for each in waits if each.run == run for move in each.moves]
        for sentence in way_out_words(run, moves):
            lines += map(style.note, style.wrap(sentence))
    return "\n".join(lines) + "\n"


def _why(waits: Waiting) -> str:
    return f"{listed(move.tag for move in waits.moves)}: {hold_words(waits.moves[0])}"


def waiting_json(waits: tuple[Waiting, ...]) -> Object:
    """Return what waits for its promotion, the oldest run first."""
    return {
        "format": FORMAT,
        "kind": "waiting",
        "images": [
            {
                "image": each.moves[0].image,
                "run": each.run,
                "started_at": each.started_at,
                "digest": each.moves[0].now,
                "moves": [move_object(move) for move in each.moves],
            }
            for each in waits
        ],
    }
