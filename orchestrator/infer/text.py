"""What was inferred → a commented ``hierarchy.yaml``."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator

from orchestrator.infer.found import FoundImage, Guess, Inferred, LeftOut
from orchestrator.model.hierarchy import ParentKind

_WIDTH = 100
#: Images up to which the tree is drawn at the top.
_DRAWN = 60
#: Things of one kind that the header lists before it only counts.
_LISTED = 200
_PLAIN = re.compile(r"^[A-Za-z_/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*$|^\.$")
_WORDS_OF_YAML = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def hierarchy_text(inferred: Inferred, *, schema: str = "") -> str:
    """Return the text of a hierarchy file, with what was guessed and what could not be known.

    Args:
        inferred: what to write.
        schema: where editors find the JSON Schema; empty: they are told nothing.
    """
    # The language server reads it: VS Code, JetBrains, Neovim, Emacs.
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines += _head(inferred)
    lines += ["version: 1", f"name: {_scalar(inferred.name)}", ""]
    lines += [
        "# Image NAME is published as <registry>/NAME; --registry overrides it for a while.",
        _guessed("registry: ", inferred.registry, quoted=False),
        "",
        "# Every image is built for all of them. With linux/arm64 beside it, every upstream must",
        "# have it too.",
        f"platforms: {_flow(inferred.platforms)}",
        "",
        "tags:",
        "  # Set once, never moved. {key} stands for all that went into the image.",
        '  immutable: "{version}-{date}-{key}"',
        "  # Moved to the new image at the end of a run that went well.",
        f"  floating: {_flow(inferred.floating)}",
    ]
    if inferred.secrets:
        lines += ["", "# What RUN mounts as a secret, and the variable that holds it: a guess."]
        lines += ["secrets:"]
        lines += [f"  {_scalar(s)}: {{env: {variable}}}  # ?" for s, variable in inferred.secrets]
    if inferred.upstreams:
        lines += ["", "# Images from outside, by the name that FROM lines use.", "upstreams:"]
        for name, source in inferred.upstreams:
            lines += [f"  {_scalar(name)}:", f"    source: {_scalar(source)}"]
    if inferred.images:
        lines += ["", "images:"]
        for image in inferred.images:
            lines += _image(image)
    if inferred.left_out:
        lines += ["", "# Left out; put them under `images:` when the reason is gone."]
        for left_out in inferred.left_out:
            lines += _left_out(left_out)
    return "\n".join(lines) + "\n"


def _head(inferred: Inferred) -> list[str]:
    count = len(inferred.images)
    lines = _comment(
        f"Made by `orchestrate init` from {count} Dockerfile{'' if count == 1 else 's'}. Who "
        "stands on whom is not written here: the FROM lines of the Dockerfiles say it. Lines that "
        "end in `# ?` are guesses that nothing supports: look at them first."
    )
    if 0 < count <= _DRAWN:
        lines += ["#", *(f"#   {line}" for line in _drawn(inferred))]
    if inferred.remarks:
        lines += ["#", "# What could not be known:"]
        for remark in inferred.remarks[:_LISTED]:
            where = f"{remark.file}:{remark.line}" if remark.line else remark.file
            hint = f"; {remark.hint}" if remark.hint else ""
            lines += _comment(f"{where}: {remark.what}{hint}", first="#   - ", then="#     ")
        if len(inferred.remarks) > _LISTED:
            lines.append(f"#   - and {len(inferred.remarks) - _LISTED} more")
    return lines


def _drawn(inferred: Inferred) -> Iterator[str]:
    """Yield the images as a tree, each below the first of its parents."""
    below: dict[str, list[str]] = {}
    roots: dict[str, None] = {}
    known = {image.id for image in inferred.images}
    for image in inferred.images:
        first = next((p.subject for p in image.parents), "scratch")
        below.setdefault(first, []).append(image.id)
        if first not in known:
            roots[first] = None
    for root in roots:
        yield _safe(root)
        yield from _branches(root, below)


def _branches(root: str, below: dict[str, list[str]]) -> Iterator[str]:
    # An explicit stack: what is drawn may be as deep as it has images.
    todo = [(child, "", child == below[root][-1]) for child in reversed(below[root])]
    while todo:
        image, indent, last = todo.pop()
        yield f"{indent}{'└─' if last else '├─'} {image}"
        children = below.get(image, [])
        inner = indent + ("   " if last else "│  ")
        todo += [(child, inner, child == children[-1]) for child in reversed(children)]


def _image(image: FoundImage) -> list[str]:
    lines = []
    inside = [parent for parent in image.parents if parent.kind is ParentKind.IMAGE]
    if inside and not all(parent.name == parent.subject for parent in inside):
        said = ", ".join(dict.fromkeys(parent.subject for parent in inside))
        lines += _comment(f"stands on {said}", first="  # ", then="  # ")
    lines.append(f"  {_scalar(image.id)}:")
    why = f"  # {_safe(image.context_why)}" if image.context_why else ""
    lines.append(f"    context: {_scalar(image.context)}{why}")
    if image.dockerfile != "Dockerfile":
        lines.append(f"    dockerfile: {_scalar(image.dockerfile)}")
    lines.append(_guessed("    version: ", image.version))
    if image.repository is not None:
        lines.append(f"    repository: {_scalar(image.repository)}")
    lines.append(f"    tier: {image.tier}")
    if image.platforms is not None:
        lines.append(f"    platforms: {_flow(image.platforms)}")
    if image.packages:
        lines.append(f"    packages: {image.packages}")
    if image.args:
        lines.append("    args:")
        lines += [_guessed(f"      {name}: ", guess) for name, guess in image.args]
    if image.secrets:
        lines.append(f"    secrets: {_flow(image.secrets)}")
    if image.aliases:
        lines.append(f"    aliases: {_flow(image.aliases)}")
    return lines


def _left_out(left_out: LeftOut) -> list[str]:
    where = f"{left_out.file}:{left_out.line}" if left_out.line else left_out.file
    hint = f"; {left_out.hint}" if left_out.hint else ""
    text = f"{left_out.id}: {where}: {left_out.what}{hint}"
    return _comment(text, first="#   ", then="#     ")


def _guessed(label: str, guess: Guess, *, quoted: bool = True) -> str:
    # Quotes tell that 3.10 is a text, and stay when somebody edits it.
    value = json.dumps(guess.value, ensure_ascii=False) if quoted else _scalar(guess.value)
    if not guess.sure:
        return f"{label}{value}  # ?{' ' + _safe(guess.why) if guess.why else ''}"
    return f"{label}{value}{'  # ' + _safe(guess.why) if guess.why else ''}"


def _flow(texts: Iterable[str]) -> str:
    said = ", ".join(
        text if "{" not in text and _is_plain(text) else json.dumps(text) for text in texts
    )
    return f"[{said}]"


def _scalar(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.match(text)) and text.lower() not in _WORDS_OF_YAML


def _comment(text: str, *, first: str = "# ", then: str = "# ") -> list[str]:
    return textwrap.wrap(
        _safe(text),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _safe(text: str) -> str:
    """Return text that cannot end a comment, nor do anything to a terminal."""
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "\ufffd" for c in text)
