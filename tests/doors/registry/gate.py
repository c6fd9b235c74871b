"""Who may do what in the registry over HTTP: passwords and tokens."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.doors.registry.messages import Reply, Seen, error_reply

if TYPE_CHECKING:
    from tests.doors.registry.server import RegistryServer


def refusal(
    server: RegistryServer, seen: Seen, path: str, query: Mapping[str, str]
) -> Reply | None:
    """Return why somebody may not do what they ask for; None: they may."""
    shown = seen.headers.get("authorization", "")
    if server.login == "basic" and shown not in _basic_headers(server):
        return error_reply(401, "UNAUTHORIZED", www_authenticate='Basic realm="a registry"')
    if server.login != "bearer":
        return None
    action = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(seen.method, "push")
    if "/uploads/" in seen.target and seen.method == "DELETE":
        action = "push"
    # The root is for whoever has any token.
    if not path and shown.removeprefix("Bearer ") in server.tokens:
        return None
    needed = {f"repository:{path}:{action}"}
    if "from" in query:
        needed.add(f"repository:{query['from']}:pull")
    granted = server.tokens.get(shown.removeprefix("Bearer "), frozenset())
    if needed <= granted:
        return None
    realm = server.realm or f"http://{server.address}/token"
    scope = " ".join(sorted(needed))
    challenge = f'Bearer realm="{realm}",service="a registry",scope="{scope}"'
    return error_reply(401, "UNAUTHORIZED", "authentication required", www_authenticate=challenge)


def _basic_headers(server: RegistryServer) -> set[str]:
    return {
        "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        for user, password in server.users.items()
        if user
    }


def token(server: RegistryServer, seen: Seen, query: Mapping[str, list[str]]) -> Reply:
    """Do what is asked of the place where tokens are given out."""
    if seen.method == "POST":
        query = parse_qs(seen.body.decode())
        known = query.get("refresh_token") == [server.users.get("")]
    else:
        known = seen.headers.get("authorization") in _basic_headers(server)
    if not known and not (server.open_to_read and "authorization" not in seen.headers):
        return Reply(401, {}, json.dumps({"details": "incorrect username or password"}).encode())
    granted = set()
    for scope in " ".join(query.get("scope", [])).split():
        kind, name, actions = scope.split(":")
        allowed = [a for a in actions.split(",") if known or a == "pull"]
        granted |= {f"{kind}:{name}:{action}" for action in allowed}
    given = f"token-{uuid.uuid4().hex}"
    server.tokens[given] = frozenset(granted)
    value: dict[str, object] = {"token": given}
    if server.token_lifetime_s is not None:
        value["expires_in"] = server.token_lifetime_s
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(value).encode())
