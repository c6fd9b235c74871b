"""Dockerfile text → instructions, and what their flags say; a hint for who misspelt one."""

from __future__ import annotations

from functools import lru_cache

from e2b_dockerfile_utils import parse_dockerfile_ast
from e2b_dockerfile_utils.syntax import DockerfileAst

INSTRUCTIONS = (
    "FROM", "ARG", "RUN", "COPY", "ADD", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD", "EXPOSE",
    "LABEL", "VOLUME", "SHELL", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "MAINTAINER",
)  # fmt: skip


@lru_cache(maxsize=1)
def syntax_of(text: str) -> DockerfileAst:
    """Return a Dockerfile's syntax tree, for reading only: variants of an image share one.

    Raises:
        DockerfileSyntaxError: BuildKit would refuse a line.
        ValueError: it cannot be parsed for another reason.
        RecursionError: likewise.
    """
    return parse_dockerfile_ast(text)


def way_out(what: str) -> str:
    """Return a hint for what the syntax library says of a line; empty where there is none."""
    if "heredoc" in what:
        return "end it with a line that has its word and nothing else"
    before, found, word = what.partition("unknown instruction: ")
    if not found or before:
        return ""
    import difflib  # only once something is wrong

    near = difflib.get_close_matches(word[:40].upper(), INSTRUCTIONS, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"instructions: {', '.join(INSTRUCTIONS)}"


def mount_fields(value: str) -> dict[str, str]:
    """Return what ``RUN --mount=`` says, key → value; keys in lower case."""
    words = value.split(",")
    if '"' in value:
        import csv  # rare, and not worth loading for everybody

        words = next(csv.reader([value]), [])
    pairs = (word.partition("=") for word in words)
    return {key.strip().lower(): text for key, _, text in pairs}
