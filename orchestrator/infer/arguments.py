"""Values for ARGs that have no default and that FROM lines need."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.infer.facts import Facts
from orchestrator.infer.found import Guess
from orchestrator.infer.ids import Named, sanitised

_WHOLE = re.compile(r"^\$\{?(\w+)\}?$")
_REGISTRY = re.compile(r"^\$\{?(\w+)\}?/(.+)$")
_TAG = re.compile(r"^(.+):\$\{?(\w+)\}?$")
#: What an argument's name says beside which image it stands for.
_SAID_OF_ARGUMENTS = {"img", "image", "from", "name", "parent", "ref", "tag"}


class Called:
    """Finds images by what they are called.

    Args:
        names: what images are called, by their Dockerfiles.
    """

    def __init__(self, names: Mapping[str, Named]) -> None:
        self._names = names
        self._by_id = {named.id: path for path, named in names.items()}
        self._by_word: dict[str, list[str]] = {}
        for path, named in names.items():
            for word in named.words:
                self._by_word.setdefault(word, []).append(path)

    def one(self, word: str, path: str) -> str:
        """Return the one image, not that of ``path``, that is called so; empty for none."""
        found = [self._by_id[word]] if word in self._by_id else self._by_word.get(word, [])
        return found[0] if len(found) == 1 and found[0] != path else ""

    def named(self, repository: str, path: str) -> str:
        """Return the one image, not that of ``path``, that a repository's path ends like.

        Where several directories share their name, the one above tells them apart.
        """
        parts = [sanitised(part) for part in repository.split("/")]
        tails = ("-".join(parts[-depth:]) for depth in range(1, len(parts) + 1))
        return next(filter(None, (self.one(tail, path) for tail in tails)), "")

    def id_of(self, path: str) -> str:
        """Return an image's id."""
        return self._names[path].id


def arguments(
    path: str,
    facts: Facts,
    called: Called,
    versions: Mapping[str, str],
    registry: str,
) -> dict[str, Guess]:
    """Return values with which FROM lines name images of the same tree.

    Args:
        path: the Dockerfile.
        facts: what it says.
        called: what images are called.
        versions: Dockerfile → its image's version.
        registry: where they are published.

    Returns:
        Argument → value; only of arguments whose FROM line says enough.
    """
    found: dict[str, Guess] = {}
    for word, line in facts.variable_froms:
        where = f"so that line {line} names"
        whole, in_registry, tagged = _WHOLE.match(word), _REGISTRY.match(word), _TAG.match(word)
        if whole and whole[1] in facts.unset:
            meant = called.one(_stem(whole[1]), path)
            if meant:
                value = called.id_of(meant)
                found.setdefault(whole[1], Guess(value=value, why=f"{where} {value}", sure=False))
            continue
        if in_registry and in_registry[1] in facts.unset:
            meant = called.named(_repository(in_registry[2]), path)
            if meant:
                guess = Guess(value=registry, why=f"{where} {called.id_of(meant)}")
                found.setdefault(in_registry[1], guess)
        if tagged and tagged[2] in facts.unset:
            meant = called.named(_repository(tagged[1]), path)
            if meant:
                guess = Guess(value=versions[meant], why=f"{where} {called.id_of(meant)}")
                found.setdefault(tagged[2], guess)
    return found


def _repository(text: str) -> str:
    """Return a reference, or the end of one, without its tag."""
    path, slash, name = text.rpartition("/")
    return path + slash + name.partition(":")[0]


def _stem(argument: str) -> str:
    """Return what an argument's name says of the image: PYTHON_BASE_IMAGE is python-base."""
    said = [word for word in argument.lower().split("_") if word not in _SAID_OF_ARGUMENTS]
    return "-".join(filter(None, said))
