"""What a context may be: a directory, or ``URL#REFERENCE:DIRECTORY`` of a git repository."""

from __future__ import annotations

import re

from orchestrator.load.kinds import Complaint
from orchestrator.load.texts import check_inside, check_path
from orchestrator.model.address import Address, is_address

#: What git transports by itself; it would run a program of the address's choice for ``ext::``.
SCHEMES = ("https", "ssh", "http", "git", "file")

_EXAMPLE = "for example https://git.example/team/app.git#main:docker"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
#: Of a repository: more than slashes, and nothing that needs quoting.
_PATH = r"/[!-~]*[!-.0-~][!-~]*"
_URLS = {
    "ssh": re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?{_PATH}"),
    "file": re.compile(rf"file://{_PATH}"),
}
_OTHER_URL = re.compile(rf"(?:https?|git)://{_HOST}(?::[0-9]{{1,5}})?{_PATH}")
_SCP_URL = re.compile(rf"{_USER}@{_HOST}:[!-,.-~][!-~]*")
_LOOPBACK = re.compile(r"[a-z]+://(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]+)?/")


def check_context(text: str) -> Complaint | None:
    """Refuse what is neither a directory inside the tree nor an address of a git repository."""
    if text.startswith("github.com/"):
        return Complaint("BAD-VALUE", "is no path", f"did you mean https://{text[:200]}?")
    if not is_address(text):
        return check_path(text)
    url, _, rest = text.partition("#")
    reference, colon, directory = rest.partition(":")
    complaint = _check_url(url)
    if complaint is None and reference and not _is_reference(reference):
        what = f"has no branch, tag or commit behind `#`: {reference[:60]!r}"
        complaint = Complaint("BAD-VALUE", what, "#REFERENCE:DIRECTORY, both may be left out")
    if complaint is None and colon and directory:
        complaint = check_path(directory) or check_in_repository(directory)
        if complaint and directory.startswith("/"):
            hint = "behind the colon stands a directory, relative to the repository's root"
            complaint = complaint._replace(hint=hint)
    return complaint


def doubt_transport(address: Address) -> Complaint | None:
    """Return why what is fetched from an address could be somebody else's."""
    if not address.url.startswith(("http://", "git://")) or _LOOPBACK.match(address.url):
        return None
    what = "is fetched without encryption: anybody on the way can change what is built"
    return Complaint("PLAIN-TRANSPORT", what, "use https:// or ssh://")


def _check_url(url: str) -> Complaint | None:
    scheme = url.partition("://")[0] if "://" in url else ""
    if "::" in url and not re.match(rf"[a-z]+://|{_USER}@", url):
        what = "asks git to run a program, which is never done"
        return Complaint("BAD-VALUE", what, _EXAMPLE)
    if scheme and scheme not in SCHEMES:
        what = "is no address that files are fetched from"
        return Complaint("BAD-VALUE", what, f"{', '.join(SCHEMES)}: {_EXAMPLE}")
    user = url[len(scheme) + 3 :].partition("/")[0].rpartition("@")[0] if scheme else ""
    if user and (scheme != "ssh" or ":" in user):
        hint = (
            "git's own credential helper knows it on each machine, or an ssh key; and change the "
        )
        hint += "password that stood here"
        return Complaint("CREDENTIALS", "carries a user name or password", hint)
    if "?" in url:
        hint = "#REFERENCE:DIRECTORY says which branch and directory"
        return Complaint("BAD-VALUE", "has a query, which repositories have not", hint)
    if scheme == "file" and not url.startswith("file:///"):
        return Complaint(
            "BAD-VALUE", "names a host", "file:///PATH is a repository of this machine"
        )
    pattern = _URLS.get(scheme, _OTHER_URL) if scheme else _SCP_URL
    if not pattern.fullmatch(url):
        return Complaint("BAD-VALUE", "is no address of a git repository", _EXAMPLE)
    return None


def _is_reference(text: str) -> bool:
    """Say whether git allows a branch or a tag of this name."""
    return not (
        re.search(r"[\s~^:?*\[\\]|\.\.|@\{|//", text)
        or not text.isprintable()
        or text.startswith(("-", "/", "."))
        or text.endswith(("/", "."))
        or text == "@"
        or any(part.startswith(".") or part.endswith(".lock") for part in text.split("/"))
    )


def check_in_repository(path: str) -> Complaint | None:
    """Refuse a path, relative to its repository, that leaves it."""
    complaint = check_inside(path)
    if complaint is None:
        return None
    return complaint._replace(what="leaves the repository", hint="name what is in the repository")
