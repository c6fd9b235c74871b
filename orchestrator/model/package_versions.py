"""Which of two versions of a package is the newer one, as the package's own manager orders them.

Source: deb-version(7); rpm's rpmvercmp; apk-tools' version.c; PEP 440; semver.org 2.0.0
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

#: A number of any length, as something that sorts: a hostile one would be slow as an int.
Number = tuple[int, str]

_DEB_PIECE = re.compile(r"([^0-9]*)([0-9]*)")
_RPM_PIECE = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
_APK = re.compile(
    r"([0-9]+(?:\.[0-9]+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)"
    r"(?:~[0-9a-f]+)?(?:-r([0-9]+))?"
)
_APK_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")
_APK_BEFORE = ("alpha", "beta", "pre", "rc")
_APK_AFTER = ("cvs", "svn", "git", "hg", "p")
_SEMVER = re.compile(
    r"(?:v|go)?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_NUMBERS = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*)(?![0-9])")
#: Longer than any version; what is longer is compared by nobody.
_LONGEST = 1000


def order(package_type: str, first: str, second: str) -> int | None:
    """Return how two versions of one package stand to one another.

    Args:
        package_type: as syft calls it: ``deb``, ``apk``, ``rpm``, ``python``, ``npm``…
        first: a version.
        second: another one.

    Returns:
        Negative: the first is the older one; 0: they are equal; positive: it is the newer one.
        None: nobody can say, as with two commits.
    """
    if first == second:
        return 0
    if max(len(first), len(second)) > _LONGEST:
        return None
    compare = _ORDERS.get(package_type, _by_numbers)
    return compare(first, second)


def _compared(first: Any, second: Any) -> int:
    return int(first > second) - int(first < second)


def _number(digits: str) -> Number:
    plain = digits.lstrip("0")
    return len(plain), plain


def _deb(first: str, second: str) -> int:
    return _compared(_deb_key(first), _deb_key(second))


def _deb_key(version: str) -> object:
    epoch, colon, rest = version.partition(":")
    upstream, dash, revision = (rest if colon else version).rpartition("-")
    if not dash:
        upstream, revision = revision, "0"
    return _number(epoch if colon else ""), _deb_part(upstream), _deb_part(revision)


def _deb_part(text: str) -> tuple[tuple[tuple[int, ...], Number], ...]:
    """Return words and numbers by turns; letters before other signs, and ``~`` before the end."""
    pieces = (*_DEB_PIECE.findall(text), ("", ""))
    return tuple(((*map(_deb_sign, word), 0), _number(digits)) for word, digits in pieces)


def _deb_sign(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isascii() and sign.isalpha() else ord(sign) + 256


def _rpm(first: str, second: str) -> int:
    ours, theirs = _rpm_parts(first), _rpm_parts(second)
    if order := _compared(_number(ours[0]), _number(theirs[0])):
        return order
    return _rpm_part(ours[1], theirs[1]) or _rpm_part(ours[2], theirs[2])


def _rpm_parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    number, _, release = (rest if colon else version).partition("-")
    return epoch if colon else "", number, release


def _rpm_part(first: str, second: str) -> int:
    for one, other in zip_longest(_RPM_PIECE.findall(first), _RPM_PIECE.findall(second)):
        if one == other:
            continue
        if "~" in (one, other):
            return -1 if one == "~" else 1
        if one is None or other is None:
            return -1 if one is None else 1
        if "^" in (one, other):
            return -1 if one == "^" else 1
        if one[0].isdigit() != other[0].isdigit():
            return 1 if one[0].isdigit() else -1
        if one[0].isdigit():
            if order := _compared(_number(one), _number(other)):
                return order
            continue
        return _compared(one, other)
    return 0


def _apk(first: str, second: str) -> int | None:
    ours, theirs = _APK.fullmatch(first), _APK.fullmatch(second)
    if ours is None or theirs is None:
        return _by_numbers(first, second)
    return _compared(_apk_key(ours), _apk_key(theirs))


def _apk_key(found: re.Match[str]) -> object:
    """Return a list of (kind, value); where kinds differ, the one that may come earlier is newer.

    Suffixes such as ``_rc`` come before nothing at all.
    """
    numbers, letter, suffixes, revision = found.groups()
    head, *tail = numbers.split(".")
    key: list[tuple[int, object]] = [(6, (1, _number(head)))]
    # Behind the first dot, numbers that begin with a zero are fractions.
    key += [(6, (0, (0, digits)) if digits[0] == "0" else (1, _number(digits))) for digits in tail]
    if letter:
        key.append((5, letter))
    for word, digits in _APK_SUFFIX.findall(suffixes):
        if word in _APK_BEFORE:
            key.append((0, _APK_BEFORE.index(word)))
        else:
            key.append((4, _APK_AFTER.index(word)))
        if digits:
            key.append((3, _number(digits)))
    if revision is not None:
        key.append((2, _number(revision)))
    return [*key, (1, 0)]


def _python(first: str, second: str) -> int | None:
    from packaging.version import InvalidVersion, Version  # rare

    try:
        return _compared(Version(first), Version(second))
    except InvalidVersion:
        return _by_numbers(first, second)


def _semver(first: str, second: str) -> int | None:
    ours, theirs = _SEMVER.fullmatch(first), _SEMVER.fullmatch(second)
    if ours is None or theirs is None:
        return _by_numbers(first, second)
    return _compared(_semver_key(ours), _semver_key(theirs))


def _semver_key(found: re.Match[str]) -> object:
    *numbers, before = found.groups()
    words = (before or "").split(".") if before else []
    # A release comes after everything before it; numbers come before words.
    before_key = [(0, _number(w), "") if w.isdecimal() else (1, (0, ""), w) for w in words]
    return [_number(number or "") for number in numbers], not words, before_key


def _by_numbers(first: str, second: str) -> int | None:
    """Compare the numbers that versions begin with; None where these are equal, or there are none.

    What follows the numbers means something else everywhere.
    """
    ours, theirs = _NUMBERS.match(first), _NUMBERS.match(second)
    if ours is None or theirs is None:
        return None
    one, other = ([_number(n) for n in found[1].split(".")] for found in (ours, theirs))
    pairs = zip_longest(one, other, fillvalue=_number(""))
    return next((order for pair in pairs if (order := _compared(*pair))), None)


_ORDERS: dict[str, Callable[[str, str], int | None]] = {
    "deb": _deb,
    "rpm": _rpm,
    "apk": _apk,
    "python": _python,
    "npm": _semver,
    "go-module": _semver,
    "rust-crate": _semver,
}
