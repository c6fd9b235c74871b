"""Credentials from Docker's own configuration: what `docker login` left."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import RegistryUnavailable

#: A registry's name → how to log in there; None for nothing known.
CredentialSource = Callable[[str], "Credential | None"]

_AUTH_KEYS = ("auths", "credsStore", "credHelpers")
_CONFIG_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Credential:
    """How to log in to one registry.

    Attributes:
        username: empty for an identity token.
        secret: password or identity token; not in the representation.
        is_identity_token: the secret is an OAuth2 refresh token.
    """

    username: str
    secret: str = field(repr=False)
    is_identity_token: bool = False


def docker_credentials(
    registry: str, config_dir: Path | None = None, *, helper_timeout_s: float = 60.0
) -> Credential | None:
    """Return what Docker's configuration knows of a registry.

    A configuration or helper that is there but broken is an error and not "nothing known":
    a registry may answer 404 to strangers, and a failed log-in must not read as "absent".

    Args:
        registry: as references name it; ``docker.io`` for Docker Hub.
        config_dir: None for ``$DOCKER_CONFIG``, else ``~/.docker``.
        helper_timeout_s: a helper that waits for a person to unlock a key ring would hold up a
            nightly run for ever.

    Raises:
        RegistryUnavailable: the configuration is damaged, or a credential helper failed.
    """
    path = (config_dir or _default_dir()) / "config.json"
    config = _read(path, registry)
    if not any(config.get(key) for key in _AUTH_KEYS):
        return None
    found: list[Credential | None] = []
    failed: list[BaseException] = []

    def look_up() -> None:
        try:
            found.append(_look_up(registry, config))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=look_up, name="docker-credentials", daemon=True)
    thread.start()
    thread.join(helper_timeout_s)
    if failed:
        raise _broken(registry, path, str(failed[0])) from failed[0]
    if not found:
        raise _broken(registry, path, f"its helper did not answer within {helper_timeout_s:g} s")
    return found[0]


def credentials_source(registry: str, config_dir: Path | None = None) -> str:
    """Return where Docker's configuration has a registry's credentials; no helper is asked.

    Returns:
        ``docker-credential-NAME`` for a helper, the configuration's path for an entry in it, empty
        for neither. A helper for every registry may have none for this one.

    Raises:
        RegistryUnavailable: the configuration is damaged.
    """
    from docker import auth

    path = (config_dir or _default_dir()) / "config.json"
    config = _read(path, registry)
    helpers, entries = config.get("credHelpers"), config.get("auths")
    key = auth.INDEX_URL if registry == auth.INDEX_NAME else registry
    helper = helpers.get(key) if isinstance(helpers, dict) else None
    if helper or config.get("credsStore"):
        return f"docker-credential-{helper or config['credsStore']}"
    names = entries if isinstance(entries, dict) else {}
    known = {auth.resolve_index_name(auth.convert_to_hostname(str(name))) for name in names}
    return str(path) if registry in known else ""


def _default_dir() -> Path:
    named = os.environ.get("DOCKER_CONFIG")
    return Path(named) if named else Path(os.path.expanduser("~")) / ".docker"


def _read(path: Path, registry: str) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(_CONFIG_LIMIT_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(registry, path, str(error)) from error
    if not isinstance(value, dict):
        raise _broken(registry, path, "it is not a JSON object")
    return value


def _look_up(registry: str, config: Mapping[str, object]) -> Credential | None:
    from docker import auth  # 150 ms, and most commands need no credentials

    relevant: dict[str, object] = {key: config[key] for key in _AUTH_KEYS if config.get(key)}
    entries = config.get("auths")
    if isinstance(entries, dict):
        # Only ours: another registry's damaged entry is none of our business. An entry
        # without anything in it says that a helper has it.
        relevant["auths"] = {
            name: entry if entry.get("auth") or entry.get("identitytoken") else {}
            for name, entry in entries.items()
            if isinstance(entry, dict)
            and auth.resolve_index_name(auth.convert_to_hostname(name)) == registry
        }
    if not any(relevant.values()):
        return None
    known = auth.AuthConfig.load_config(None, relevant)
    store = known.get_credential_store(registry)
    if store and not shutil.which(f"docker-credential-{store}"):
        # Said here: docker's own library warns on standard error besides.
        raise LookupError(f"docker-credential-{store} is not on PATH")
    return _credential_from(known.resolve_authconfig(registry) or {})


def _credential_from(found: Mapping[str, str]) -> Credential | None:
    token = found.get("IdentityToken")
    if token:
        return Credential("", token, is_identity_token=True)
    username = found.get("Username") or found.get("username")
    password = found.get("Password") or found.get("password")
    return Credential(username, password) if username and password else None


def _broken(registry: str, path: Path, why: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"registry {registry}: cannot read its credentials from {path}: {' '.join(why.split())}",
        hint="mend the file, or log in again with `docker login`, or set DOCKER_CONFIG",
    )
