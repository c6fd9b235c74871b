"""``.dockerignore``: what it keeps, what is refused, and that buildx agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.doors.context import ADDED_DOCKERFILE
from orchestrator.doors.files import RealFiles
from orchestrator.doors.memory.files import Directory, Entry, MemoryFiles, Special, Symlink
from orchestrator.doors.tree import Kind
from orchestrator.errors import InvalidInput
from tests.doors.trees import DOCKERFILE, built, context_of, names


def kept(ignore: str, paths: list[str]) -> list[str]:
    """Return the files of a context that a .dockerignore keeps."""
    entries: dict[str, Entry] = {f"app/{path}": b"" for path in paths}
    entries["Dockerfile"] = DOCKERFILE
    entries["Dockerfile.dockerignore"] = ignore.encode()
    context = MemoryFiles(entries).context("app", "Dockerfile")
    return [name for name in names(context) if name in paths]


def test_directory_left_out_is_there_only_for_what_it_holds() -> None:
    """Of an ignored directory its path to what an exception keeps is sent, and nothing else."""
    context = context_of(
        {
            "app/.dockerignore": b"*\n!a/b/kept\n!c/*\n",
            "app/a/b/kept": b"",
            "app/a/b/other": b"",
            "app/a/empty": Directory(),
            "app/c/empty": Directory(),
            "app/d/empty": Directory(),
        }
    )
    assert names(context) == ["a", "a/b", "a/b/kept", "c", "c/empty"]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("a\n[b\n", 2),
        ("!\n", 1),
        ("!/\n", 1),
        ("# fine\n\na[]b\n", 3),
        ("x\\\r\n", 1),
        ("fine\n\\d\n", 2),
        ("a|b*\n", 1),
        ("a{2}*\n", 1),
        ("x^*\n", 1),
        ("[*]\n", 1),
        ("[[:alpha:]]\n", 1),
        ("/!/a\n", 1),
    ],
)
def test_bad_pattern_is_named_with_its_line(line: str, number: int) -> None:
    """What docker build refuses, or reads as something else than it says, is named, not guessed."""
    with pytest.raises(InvalidInput) as caught:
        context_of({"app/.dockerignore": line.encode()})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.code) == (
        "app/.dockerignore", number, "BAD-DOCKERIGNORE",
    )  # fmt: skip
    assert problem.source_line == line.splitlines()[number - 1]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (Directory(), "is a directory, not a file"),
        (Special(kind=Kind.FIFO), "is a FIFO, not a file"),
        (Symlink(target="../shared"), "is a symlink that leaves app's directory"),
        (Symlink(target="gone"), "is a symlink to something that does not exist"),
        ("*.pyc\n".encode("utf-16"), "there is a NUL byte in the file"),
    ],
)
def test_ignore_file_that_docker_build_would_silently_skip_is_refused(
    entry: Entry, what: str
) -> None:
    """What docker build takes for "ignore nothing" is an error: secrets would be sent."""
    with pytest.raises(InvalidInput) as caught:
        context_of({"app/.dockerignore": entry, "shared": b"*\n"})
    (problem,) = caught.value.problems
    assert (problem.file, problem.what) == ("app/.dockerignore", what)


PATHS = [
    "a",
    "a.txt",
    "b/a",
    "b/c/a",
    "b/c/d/a",
    "B/a",
    "x y",
    "é/a",
    ".hidden",
    "b.d/a",
    "[z]",
    "#a",
]
IGNORES = {
    "nothing": "",
    "everything": "*",
    "everything, deep": "**",
    "a name at the top": "a",
    "a name anywhere": "**/a",
    "trailing slash": "b/",
    "leading slash": "/b/c",
    "leading dot": "./b",
    "a dot": ".",
    "slashes": "b//c",
    "parent": "b/../a",
    "out of the tree": "../a",
    "comment, blank, spaces": "# a\n\n   b/c   \n #a",
    "byte order mark, CRLF": "\ufeffa\r\nb\r\n",
    "exception inside": "*\n!b/c/d",
    "exception overruled": "*\n!b\nb/c",
    "exception first": "!b\n*",
    "exception by name": "*\n!**/a",
    "exception, star": "b/*\n!b/c/*",
    "exception, two stars": "b\n!b/c/**",
    "exception of nothing": "b\n!b/nothing",
    "exception, space": "*\n! a",
    "exception, twice": "*\n!!a",
    "question mark": "?",
    "class": "[a-c]*",
    "class, negated": "[^a]*",
    "class with a slash inside": "b\n!b[^x]c/a",
    "literal bracket": "\\[z]",
    "escape": "\\.hidden\n\\#a\n\\?",
    "braces are plain": "*.{txt,md}\n!{a}",
    "an exception by its second look": "*\n/!a",
    "case": "A\nB",
    "space inside": "x y",
    "unicode": "é",
    "hidden": ".*",
    "dot in a regex": "a.*",
    "star in the middle": "b/*/d",
    "two stars in the middle": "b/**/a",
    "two stars glued": "b**",
    "suffix": "**.txt",
    "directory only by content": "b/c/d/a",
    "exclude, include, exclude": "b/*\n!b/c\nb/c/d\n!b/c/d/a",
}


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ("*\n!b/c/d", ["b/c/d/a"]),
        ("**/a", ["#a", ".hidden", "[z]", "a.txt", "x y"]),
        ("*\n!b[^x]c/a", ["b/c/a"]),
        ("# a\n /b/ \n?*\n!a", ["a"]),
        ("\ufeff*\r\n!a\r\n", ["a"]),
        ("*\n!a\n!#a\n #a\n#*", ["a"]),
        ("*\n!?a\n#*", ["#a"]),
    ],
)
def test_ignore_examples(ignore: str, expected: list[str]) -> None:
    """A few readable cases; the whole table is compared with buildx below."""
    assert kept(ignore, PATHS) == expected


def lay_out(root: Path, ignore: str) -> None:
    for path in PATHS:
        at = root / "ctx" / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(path)
    (root / "ctx/a").chmod(0o700)
    (root / "ctx/b/empty").mkdir()
    (root / "ctx/b/link").symlink_to("../../outside")
    (root / "ctx/absolute").symlink_to("/etc/hostname")
    (root / "ctx/.dockerignore").write_text(ignore, encoding="utf-8")
    (root / "docker").mkdir()
    (root / "docker/file").write_bytes(DOCKERFILE)


@pytest.mark.engine
@pytest.mark.parametrize("case", IGNORES)
def test_buildx_gets_from_us_what_it_would_send_itself(
    engine: None, case: str, tmp_path: Path
) -> None:
    """From the directory and from our tar, BuildKit builds the same files, types and modes."""
    lay_out(tmp_path, IGNORES[case])
    directory = built(["--file", tmp_path / "docker/file", tmp_path / "ctx"])
    context = RealFiles(tmp_path / "hierarchy.yaml").context("ctx", "docker/file")
    ours = built(["--file", context.dockerfile, "-"], b"".join(context.archive()))
    assert ours.pop(ADDED_DOCKERFILE)[3] == DOCKERFILE
    assert ours == directory


@pytest.mark.engine
@pytest.mark.parametrize("own", ["", "a\n"])
def test_buildx_prefers_the_dockerfiles_own_ignore_file_too(
    engine: None, own: str, tmp_path: Path
) -> None:
    """An empty one wins as well."""
    lay_out(tmp_path, "*\n")
    (tmp_path / "docker/file.dockerignore").write_text(own)
    directory = built(["--file", tmp_path / "docker/file", tmp_path / "ctx"])
    context = RealFiles(tmp_path / "hierarchy.yaml").context("ctx", "docker/file")
    ours = built(["--file", context.dockerfile, "-"], b"".join(context.archive()))
    del ours[ADDED_DOCKERFILE]
    assert ours == directory
    assert "b/a" in ours
