"""What is safe to show, and what fits."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.cells import cell_width, cut, pad, take, window, wrap
from orchestrator.render.style import Style, terminal_text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[\x1b[31m31mx", "\\x1b[31mx"),
        ("\x1bc", "\\x1bc"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\rc\td", "a\\nb\\rc    d"),
        ("\x00\x08\x7f", "\\x00\\x08\\x7f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 3 + "\\u0301" * 2),
        ("❤\ufe0f", "❤"),
        ("名前 é ok", "名前 é ok"),
    ],
)
def test_hostile_text_is_only_read(hostile: str, shown: str) -> None:
    """Colours and titles go, whatever else could act is shown as an escape."""
    assert terminal_text(hostile) == shown


@given(st.text())
def test_safe_text_stays_safe(text: str) -> None:
    """Nothing that acts survives, and to make it safe again changes nothing."""
    safe = terminal_text(text)
    assert {unicodedata.category(c) for c in safe}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert terminal_text(safe) == safe


@given(st.text())
def test_ascii_means_ascii(text: str) -> None:
    """A terminal that takes ASCII only gets nothing else."""
    assert Style(color=False, width=80, unicode=False).clean(text).isascii()


def test_colors_only_where_they_are_wanted() -> None:
    """An empty text gets no code, so nothing invisible is written."""
    color, plain = Style(color=True, width=80), Style(color=False, width=80)
    for paint in ("bad", "good", "warn", "note", "dim", "bold"):
        painted = getattr(color, paint)("x")
        assert painted.startswith("\x1b[")
        assert painted.endswith("mx\x1b[0m")
        assert getattr(color, paint)("") == ""
        assert getattr(plain, paint)("x") == "x"


def test_widths() -> None:
    """Wide characters take two columns, marks none; what is ambiguous takes one."""
    texts = ("abc", "名前", "e\u0301", "…→│", "\uff46", "")
    assert [cell_width(text) for text in texts] == [3, 4, 1, 3, 2, 0]


def test_no_limit() -> None:
    """Width 0, for pipes and files, wraps and cuts nothing."""
    style = Style(color=False, width=0)
    assert style.wrap("word " * 5000) == ["word " * 5000]


clean_text = st.text().map(terminal_text)


@given(clean_text, st.integers(2, 60))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    """Every line fits; without spaces, all of the text is there, in order."""
    lines = wrap(text, width)
    assert lines
    assert all(cell_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_was_and_now_stay_on_one_line() -> None:
    """A line is broken before `was → now`, not inside, unless it is wider than the terminal."""
    assert wrap("moved aaaa → bbbb", 12) == ["moved", "aaaa → bbbb"]
    assert wrap("moved aaaa → bbbb", 6) == ["moved", "aaaa →", "bbbb"]


@given(clean_text, st.integers(1, 60))
def test_cut_text_fits(text: str, width: int) -> None:
    """What fits stays as it is; what does not ends in an ellipsis."""
    shown = cut(text, width)
    assert cell_width(shown) <= width
    assert shown == text or shown.endswith("…")
    assert cell_width(pad(shown, width)) == width


@given(clean_text, st.integers(0, 60))
def test_the_start_of_a_text(text: str, width: int) -> None:
    """The longest start that fits, with the marks that belong to its last character."""
    start = take(text, width)
    assert text.startswith(start)
    assert cell_width(start) <= width
    rest = text[len(start) :]
    assert not rest or cell_width(start + rest[0]) > width


@given(clean_text, st.integers(8, 60), st.data())
def test_a_window_shows_its_column(text: str, width: int, data: st.DataObject) -> None:
    """The window fits, and the column in it names the same character as before."""
    at = data.draw(st.integers(0, len(text)))
    shown, column = window(text, cell_width(text[:at]), width)
    assert cell_width(shown) <= width
    assert 0 <= column < width
    rest = [shown[n:] for n in range(len(shown) + 1) if cell_width(shown[:n]) == column]
    following = text[at:].lstrip()
    assert any(
        not r.strip("… ") or not following or following.startswith(r.lstrip()[:1]) for r in rest
    )
