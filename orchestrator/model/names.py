"""The names of the field: references, repositories, tags, digests, platforms.

Source: the OCI distribution specification's grammar, and the normalisation that Docker applies
(`python` is `docker.io/library/python:latest`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DOMAIN_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"^(?:{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*|\[[0-9a-fA-F:]+\])(?::(\d+))?$")
_PATH_PART = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_PLATFORM = re.compile(r"^[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9]+)?$")
_IMAGE_ID = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$")

DOCKER_HUB = "docker.io"
MAX_PATH = 255
MAX_IMAGE_ID = 64


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """Where the manifests and blobs of one image live: ``registry/path``.

    Attributes:
        registry: host, or host:port; ``docker.io`` for Docker Hub.
        path: lower-case path inside the registry, e.g. ``library/debian``.
    """

    registry: str
    path: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A repository with a tag, a digest, both or neither."""

    repository: Repository
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Return what an image name in a Dockerfile or in ``hierarchy.yaml`` means.

    Args:
        text: ``[HOST[:PORT]/]PATH[:TAG][@sha256:…]``.

    Returns:
        The normalised reference. A missing tag stays None: it is not turned into ``latest``.

    Raises:
        ValueError: the text breaks the grammar; the message says what and where.
    """
    rest, _, digest = text.partition("@")
    if digest and not _DIGEST.match(digest):
        raise ValueError(f"{digest!r} is not a sha256 digest of 64 hexadecimal digits")
    if "@" in text and not digest:
        raise ValueError("a digest must follow the @")
    head, slash, tail = rest.rpartition("/")
    last, colon, tag = tail.partition(":")
    if colon and not _TAG.match(tag):
        raise ValueError(f"{tag!r} is not a tag: letters, digits, '_', '.', '-', at most 128")
    repository = parse_repository(f"{head}{slash}{last}")
    return Reference(repository, tag or None, digest or None)


def parse_repository(text: str) -> Repository:
    """Return the repository a name without tag and digest means.

    Raises:
        ValueError: the text breaks the grammar; the message says what.
    """
    if not text:
        raise ValueError("the name is empty")
    if "://" in text:
        raise ValueError("a repository has no scheme: leave out 'https://'")
    first, slash, rest = text.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        registry, path = first, rest
        _check_registry(registry)
    else:
        registry, path = DOCKER_HUB, text
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = DOCKER_HUB
    _check_path(path)
    if registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
        _check_length(path)
    return Repository(registry, path)


def mended(text: str) -> str:
    """Return the reference that a text without one was probably meant to be; empty if none is."""
    plain = re.sub(r"^[a-z]+://", "", text.lower())
    plain = re.sub("/{2,}", "/", plain).strip("/")
    try:
        parse_reference(plain)
    except ValueError:
        return ""
    return plain


def _check_registry(registry: str) -> None:
    if "@" in registry:
        raise ValueError("a registry address must not carry credentials: use `docker login`")
    found = _DOMAIN.match(registry)
    if not found:
        raise ValueError(f"{registry!r} is not a registry address (host or host:port)")
    if found[1] and not 0 < int(found[1]) < 65536:
        raise ValueError(f"port {found[1]} of {registry!r} is out of range")


def _check_path(path: str) -> None:
    if path != path.lower():
        raise ValueError(f"{path!r} has upper-case letters; repositories are lower case")
    _check_length(path)
    if "" in path.split("/"):
        raise ValueError(f"{path!r} has an empty part before, between or behind its slashes")
    for part in path.split("/"):
        if not _PATH_PART.match(part):
            raise ValueError(
                f"{path!r} is not a repository: {part!r} must be lower-case letters and digits, "
                "separated by '.', '_', '__' or '-'"
            )


def _check_length(path: str) -> None:
    if len(path) > MAX_PATH:
        raise ValueError(f"{path[:20]!r}… is longer than {MAX_PATH} characters")


def is_digest(text: str) -> bool:
    """Say whether the text is a sha256 digest."""
    return bool(_DIGEST.match(text))


def is_tag(text: str) -> bool:
    """Say whether a registry takes the text as a tag."""
    return bool(_TAG.match(text))


def is_platform(text: str) -> bool:
    """Say whether the text is ``os/architecture`` or ``os/architecture/variant``."""
    return bool(_PLATFORM.match(text))


def is_image_id(text: str) -> bool:
    """Say whether the text can be an image id: a path part of at most 64 characters."""
    return len(text) <= MAX_IMAGE_ID and bool(_IMAGE_ID.match(text))


def normal_platform(text: str) -> str:
    """Return the platform as indexes spell it: ``linux/arm64/v8`` is ``linux/arm64``."""
    return "linux/arm64" if text == "linux/arm64/v8" else text


def short_digest(digest: str) -> str:
    """Return the first 12 hexadecimal digits, for people."""
    return digest.removeprefix("sha256:")[:12]
