"""Credentials from Docker's own configuration."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.doors.registry import Credential, docker_credentials
from orchestrator.errors import RegistryUnavailable


def _config(folder: Path, value: object) -> Path:
    (folder / "config.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def _auth(pair: str) -> dict[str, str]:
    return {"auth": base64.b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("registry", "config", "expected"),
    [
        ("r.example", {"auths": {"r.example": _auth("me:p:w")}}, Credential("me", "p:w")),
        ("r.example", {"auths": {"https://r.example/v2/": _auth("me:pw")}}, Credential("me", "pw")),
        ("r.example:5000", {"auths": {"r.example": _auth("me:pw")}}, None),
        ("r.example", {"auths": {"r.example": {}}}, None),
        ("r.example", {"auths": {"r.example": {"auth": ""}}}, None),
        ("r.example", {"auths": {"broken.example": {"auth": "%%%"}}}, None),
        ("r.example", {"auths": {}, "HttpHeaders": {"User-Agent": "x"}}, None),
        ("r.example", {"HttpHeaders": {}}, None),
        (
            "docker.io",
            {"auths": {"https://index.docker.io/v1/": _auth("me:pw")}},
            Credential("me", "pw"),
        ),
        (
            "r.example",
            {"auths": {"r.example": {"identitytoken": "idt"}}},
            Credential("", "idt", is_identity_token=True),
        ),
    ],
)
def test_docker_configuration(
    tmp_path: Path, registry: str, config: object, expected: Credential | None
) -> None:
    """What `docker login` left is found, under each of the names it uses."""
    assert docker_credentials(registry, _config(tmp_path, config)) == expected


def test_no_docker_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody logged in: no credentials, no error; DOCKER_CONFIG says where to look."""
    assert docker_credentials("r.example", tmp_path / "missing") is None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    assert docker_credentials("r.example") is None
    (tmp_path / "elsewhere").mkdir()
    _config(tmp_path / "elsewhere", {"auths": {"r.example": _auth("me:pw")}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "elsewhere"))
    assert docker_credentials("r.example") == Credential("me", "pw")


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        "[" * 100_000,
        {"auths": {"r.example": {"auth": "%%%"}}},
        {"auths": {"r.example": {"auth": "bm9jb2xvbg=="}}},
        {"auths": {"r.example": {"auth": 7}}},
        {"credsStore": "missing-helper"},
        {"credHelpers": {"r.example": "missing-helper"}},
    ],
)
def test_broken_docker_configuration(tmp_path: Path, config: object) -> None:
    """It is an error, not "nobody": a registry may answer 404 to strangers."""
    folder = _config(tmp_path, config)
    with pytest.raises(RegistryUnavailable, match="cannot read its credentials") as caught:
        docker_credentials("r.example", folder)
    assert str(folder / "config.json") in caught.value.what
    assert "\n" not in caught.value.what


def test_directory_in_place_of_the_configuration(tmp_path: Path) -> None:
    """What cannot be read is an error as well."""
    (tmp_path / "config.json").mkdir()
    with pytest.raises(RegistryUnavailable):
        docker_credentials("r.example", tmp_path)


def _helper(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_credential_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry's own helper before the store; an identity token by its user name; none."""
    answer = """read server; case $server in
        r.example) echo '{"Username":"me","Secret":"from-'$0'"}' ;;
        token.example) echo '{"Username":"<token>","Secret":"idt"}' ;;
        *) echo 'credentials not found in native keychain'; exit 1 ;;
    esac"""
    _helper(tmp_path, "store", answer, monkeypatch)
    _helper(tmp_path, "own", answer, monkeypatch)
    _config(tmp_path, {"credsStore": "store", "credHelpers": {"r.example": "own"}})
    found = docker_credentials("r.example", tmp_path)
    assert found == Credential("me", f"from-{tmp_path}/docker-credential-own")
    assert docker_credentials("token.example", tmp_path) == Credential(
        "", "idt", is_identity_token=True
    )
    assert docker_credentials("other.example", tmp_path) is None


@pytest.mark.parametrize("script", ["echo no key ring; exit 1", "echo nonsense", "echo '{}'"])
def test_broken_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A helper that fails is an error, not "nobody"."""
    _helper(tmp_path, "broken", script, monkeypatch)
    _config(tmp_path, {"credsStore": "broken"})
    with pytest.raises(RegistryUnavailable, match="cannot read its credentials"):
        docker_credentials("r.example", tmp_path)


def test_helper_that_waits_for_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked key ring does not hold up a nightly run for ever."""
    _helper(tmp_path, "slow", "exec sleep 1", monkeypatch)
    _config(tmp_path, {"credsStore": "slow"})
    with pytest.raises(RegistryUnavailable, match=r"within 0\.2 s"):
        docker_credentials("r.example", tmp_path, helper_timeout_s=0.2)
    for thread in threading.enumerate():
        if thread.name == "docker-credentials":
            thread.join()


def test_docker_library_is_not_loaded_without_need(tmp_path: Path) -> None:
    """150 ms that most commands need not pay: the door itself does without it."""
    _config(tmp_path, {"HttpHeaders": {}})
    script = (
        "import sys; from pathlib import Path\n"
        "from orchestrator.doors.registry import HttpRegistry, docker_credentials\n"
        "HttpRegistry().close(); docker_credentials('r.example', Path(sys.argv[1]))\n"
        "print(sorted({'docker', 'structlog', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
