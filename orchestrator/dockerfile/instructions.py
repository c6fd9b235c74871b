"""Dockerfile text → instructions; and a hint for who misspelt one."""

from __future__ import annotations

from functools import lru_cache

from e2b_dockerfile_utils import parse_dockerfile_ast
from e2b_dockerfile_utils.syntax import DockerfileAst

#: Characters of a Dockerfile whose syntax tree is kept for the next image.
_REMEMBERED = 64 << 10

INSTRUCTIONS = (
    "FROM", "ARG", "RUN", "COPY", "ADD", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD", "EXPOSE",
    "LABEL", "VOLUME", "SHELL", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "MAINTAINER",
)  # fmt: skip


def syntax_of(text: str) -> DockerfileAst:
    """Return a Dockerfile's syntax tree, for reading only: variants of an image share one.

    Raises:
        DockerfileSyntaxError: BuildKit would refuse a line.
        ValueError: it cannot be parsed for another reason.
        RecursionError: likewise.
    """
    return _remembered(text) if len(text) <= _REMEMBERED else parse_dockerfile_ast(text)


@lru_cache(maxsize=1)
def _remembered(text: str) -> DockerfileAst:
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
