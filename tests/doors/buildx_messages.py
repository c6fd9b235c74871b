"""Real messages: what buildx and BuildKit say, what it means, and where it is from.

Literal, but for digests that are shortened to zeros. HERE was provoked with an engine 26.1.5,
buildx 0.13.1 and docker-registry 2.8.2 or a server that answers as asked; the rest was read.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.run import FailureCause as Cause

HERE = "provoked"
#: Engines that were killed or stopped while they built.
KILLED = "provoked: kill -9 and SIGTERM of an engine at work"
BUILDX = "https://github.com/docker/buildx/issues"
BUILDKIT = "https://github.com/moby/buildkit/issues"
DIGEST = "sha256:" + "0" * 64
META = "failed to resolve source metadata for"
LAYER = "failed to compute cache key: failed to copy: httpReadSeeker: failed open:"
SAID = "https://localhost:5990/v2/x/y/blobs/" + DIGEST
HUB = "https://registry-1.docker.io/v2/library"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One failure.

    Attributes:
        text: of ERROR, after ``failed to solve: ``; of a command: a line that it wrote.
        cause: what it means.
        transient: whether trying again may help.
        source: where it is from.
        ended: how the command ended.
    """

    text: str
    cause: Cause
    transient: bool
    source: str
    ended: str = "exit code: 1"


def messages(
    cause: Cause, transient: bool, source: str, *texts: str, ended: str = "exit code: 1"
) -> tuple[Message, ...]:
    """Return several messages that mean the same."""
    return tuple(
        Message(text=text, cause=cause, transient=transient, source=source, ended=ended)
        for text in texts
    )


def _head(status: str) -> str:
    name = f"localhost:5990/head-{status[:3]}/x"
    where = f"http://localhost:5990/v2/head-{status[:3]}/x/manifests/1"
    return f"{name}:1: {META} {name}:1: unexpected status from HEAD request to {where}: {status}"


#: What buildx and BuildKit say.
MESSAGES = (
    *messages(
        Cause.DOCKERFILE,
        False,
        HERE,
        "dockerfile parse error on line 5: unknown instruction: COPPY (did you mean COPY?)",
        "dockerfile parse error on line 5: unknown flag: foo (did you mean from?)",
        "dockerfile parse error on line 5: unknown flag: security",
        'target stage "nope" could not be found',
        "failed to load LLB: network.host is not allowed",
        "failed to read dockerfile: open nope: no such file or directory",
        "the Dockerfile cannot be empty",
        "file with no instructions",
        "base name ($X) should not be blank",
        "circular dependency detected on stage: a",
        "no build stage in current context",
        "invalid stage index 7",
        "lstat /var/lib/docker/buildkit/containerd-overlayfs/cachemounts/buildkit487363729/a/b: "
        "not a directory",
    ),
    *messages(
        Cause.DOCKERFILE,
        False,
        f"{BUILDKIT}/6097",
        "failed to receive status: rpc error: code = ResourceExhausted desc = trying to send "
        "message larger than max (22482550 vs. 16777216)",
    ),
    *messages(
        Cause.MISSING_FILE,
        False,
        HERE,
        "failed to compute cache key: failed to calculate checksum of ref sql75cmjg57ztus6vko3rhkb5"
        '::p21go962wsnx00pyc9b6zuc4i: "/nosuchfile": not found',
    ),
    *messages(
        Cause.MISSING_SECRET,
        False,
        HERE,
        "secret nosuch: not found",
        "unset ssh forward key default",
    ),
    # A parent that is gone, damaged, or not for the platform.
    *messages(
        Cause.PARENT_MISSING,
        False,
        HERE,
        f"localhost:5000/nosuch/x:1: {META} localhost:5000/nosuch/x:1: localhost:5000/nosuch/x:1: "
        "not found",
        f"{META} localhost:5000/nosuch/x@{DIGEST}: localhost:5000/nosuch/x@{DIGEST}: not found",
        f"localhost:5990/ok-s390x/84b40a:1: {META} localhost:5990/ok-s390x/84b40a:1: no match for "
        "platform in manifest: not found",
        f"localhost:5990/x/y:1: {META} localhost:5990/x/y:1: failed to copy: httpReadSeeker: "
        f"failed open: content at https://localhost:5990/v2/x/y/manifests/{DIGEST} not found: not "
        "found",
        f"localhost:5990/x/y:1: {META} localhost:5990/x/y:1: failed to copy: httpReadSeeker: "
        f"failed open: could not fetch content descriptor {DIGEST} "
        "(application/vnd.oci.image.config.v1+json) from remote: not found",
        f"{LAYER} could not fetch content descriptor {DIGEST} "
        "(application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found",
    ),
    # Registries, by the status of a parent's manifest, of a layer, and of a cache that is written.
    *messages(
        Cause.REGISTRY,
        True,
        HERE,
        *map(
            _head,
            (
                "408 Request Timeout",
                "425 Too Early",
                "429 Too Many Requests",
                "500 Internal Server Error",
                "502 Bad Gateway",
                "503 Service Unavailable",
                "504 Gateway Timeout",
            ),
        ),
        *(
            f"{LAYER} unexpected status code {SAID}: {status} - Server message: unknown: said so"
            for status in ("429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway")
        ),
        "error writing layer blob: unexpected status from HEAD request to http://localhost:5990/v2/"
        f"put-503/c/blobs/{DIGEST}: 503 Service Unavailable",
    ),
    *messages(
        Cause.REGISTRY,
        False,
        HERE,
        *map(
            _head,
            (
                "400 Bad Request",
                "413 Request Entity Too Large",
                "418 I'm a Teapot",
                "501 Not Implemented",
                "507 Insufficient Storage",
            ),
        ),
        f"localhost:5990/head-405/x:1: {META} localhost:5990/head-405/x:1: unexpected status from "
        "GET request to http://localhost:5990/v2/head-405/x/manifests/1: 405 Method Not Allowed",
        f"{LAYER} unexpected status code {SAID}: 416 Requested Range Not Satisfiable - Server "
        "message: unknown: said so",
        f"localhost:5990/head-html/x:1: {META} localhost:5990/head-html/x:1: encountered unknown "
        "type text/html; children may not be fetched",
        "error writing layer blob: unexpected status from POST request to http://localhost:5990/v2/"
        "put-404/c/blobs/uploads/: 404 Not Found",
    ),
    *messages(
        Cause.REGISTRY,
        False,
        "https://github.com/docker/hub-feedback/issues/2322",
        f'error writing manifest blob: failed commit on ref "{DIGEST}": unexpected status: 400 Bad '
        "Request",
    ),
    *messages(
        Cause.ACCESS,
        False,
        HERE,
        _head("401 Unauthorized"),
        _head("403 Forbidden"),
        f"{LAYER} unexpected status code {SAID}: 403 Forbidden - Server message: denied: said so",
        "error writing layer blob: unexpected status from HEAD request to http://localhost:5990/v2/"
        f"put-401/c/blobs/{DIGEST}: 401 Unauthorized",
        f"{META} x: pull access denied, repository does not exist or may require authorization: "
        "server message: insufficient_scope: authorization failed",
    ),
    *messages(
        Cause.REGISTRY,
        True,
        "https://github.com/docker/build-push-action/pull/1539",
        f"failed to copy: httpReadSeeker: failed open: unexpected status from GET request to "
        f"{HUB}/alpine/manifests/{DIGEST}: 429 Too Many Requests",
    ),
    *messages(
        Cause.REGISTRY,
        True,
        "https://github.com/elastic/golang-crossbuild/issues/659",
        "arm64v8/debian:12: failed to copy: httpReadSeeker: failed open: unexpected status code "
        f"{HUB}/debian/manifests/{DIGEST}: 429 Too Many Requests - Server message: "
        "toomanyrequests: You have reached your unauthenticated pull rate limit. "
        "https://www.docker.com/increase-rate-limit",
    ),
    # Registries that do not answer, or not to the end.
    *messages(
        Cause.REGISTRY,
        True,
        HERE,
        f"localhost:5999/x:1: {META} localhost:5999/x:1: failed to do request: Head "
        '"https://localhost:5999/v2/x/manifests/1": dial tcp 127.0.0.1:5999: connect: connection '
        "refused",
        f"nosuch-registry.invalid:5000/x:1: {META} nosuch-registry.invalid:5000/x:1: failed to do "
        'request: Head "https://nosuch-registry.invalid:5000/v2/x/manifests/1": dial tcp: lookup '
        "nosuch-registry.invalid on 192.0.2.53:53: no such host",
        f"x:1: {META} localhost:5990/head-eof/x:1: failed to do request: Head "
        '"https://localhost:5990/v2/head-eof/x/manifests/1": EOF',
        f'{LAYER} failed to do request: Get "{SAID}": read tcp 127.0.0.1:49700->127.0.0.1:5990: '
        "read: connection reset by peer",
        f"{LAYER} failed to discard to offset: read tcp 127.0.0.1:46788->127.0.0.1:5990: read: "
        "connection reset by peer",
        "failed to compute cache key: failed to read expected number of bytes: unexpected EOF",
        f'failed to compute cache key: failed commit on ref "layer-{DIGEST}": commit failed: '
        f"unexpected commit digest sha256:{'1' * 64}, expected {DIGEST}: failed precondition",
        f"{META} docker.io/docker/dockerfile:1: failed to do request: Head "
        '"https://registry-1.docker.io/v2/docker/dockerfile/manifests/1": dial tcp: lookup '
        "registry-1.docker.io on 192.0.2.53:53: no such host",
        "error writing layer blob: failed to do request: Head "
        f'"https://localhost:5999/v2/c/blobs/{DIGEST}": dial tcp 127.0.0.1:5999: connect: '
        "connection refused",
    ),
    *messages(
        Cause.REGISTRY,
        False,
        HERE,
        f"192.0.2.2:5991/x/y:1: {META} 192.0.2.2:5991/x/y:1: failed to do request: Head "
        '"https://192.0.2.2:5991/v2/x/y/manifests/1": tls: failed to verify certificate: x509: '
        "cannot validate certificate for 192.0.2.2 because it doesn't contain any IP SANs",
        f"192.0.2.2:5990/ok/y:1: {META} 192.0.2.2:5990/ok/y:1: failed to do request: Head "
        '"https://192.0.2.2:5990/v2/ok/y/manifests/1": http: server gave HTTP response to HTTPS '
        "client",
        f"x:1: {META} localhost:5990/x/y:1: failed to do request: Head "
        '"https://localhost:5990/v2/x/y/manifests/1": tls: first record does not look like a TLS '
        "handshake",
    ),
    # ADD of something elsewhere.
    *messages(
        Cause.COMMAND,
        True,
        HERE,
        "failed to load cache key: invalid response status 500",
        "failed to load cache key: invalid response status 503",
        'failed to load cache key: Get "http://localhost:5999/x": dial tcp 127.0.0.1:5999: '
        "connect: connection refused",
        'failed to load cache key: Get "http://nosuch.invalid/x": dial tcp: lookup nosuch.invalid '
        "on 192.0.2.53:53: no such host",
        "failed to load cache key: read tcp 172.17.0.1:37130->172.17.0.1:5990: read: connection "
        "reset by peer",
    ),
    *messages(
        Cause.COMMAND,
        False,
        HERE,
        "failed to load cache key: invalid response status 404",
        f"digest mismatch sha256:{'1' * 64}: {DIGEST}",
        'failed to load cache key: Get "https://192.0.2.2:5991/x": tls: failed to verify '
        "certificate: x509: certificate signed by unknown authority",
    ),
    *messages(
        Cause.DISK_FULL,
        False,
        "shared facts: an engine on a small disk",
        "failed to compute cache key: write /var/lib/docker/tmp/x: no space left on device",
    ),
    # Builders that are lost, or fall over themselves.
    *messages(
        Cause.BUILDER,
        True,
        HERE,
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: "
        "EOF",
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: "
        "read tcp 127.0.0.1:51804->127.0.0.1:5993: read: connection reset by peer",
        "Canceled: context canceled",
        'closing transport due to: connection error: desc = "EOF"',
    ),
    *messages(
        Cause.BUILDER,
        True,
        KILLED,
        "Unavailable: error reading from server: EOF",
        "listing workers for Build: failed to list workers: Unavailable: error reading from "
        "server: EOF",
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: "
        "read unix @->/run/docker.sock: read: connection reset by peer",
        "error reading from server: read unix @->/run/docker/containerd/containerd.sock: read: "
        "connection reset by peer: unavailable",
        "database not open",
    ),
    *messages(
        Cause.BUILDER,
        True,
        f"{BUILDKIT}/4327",
        "DeadlineExceeded: context deadline exceeded",
    ),
    *messages(
        Cause.BUILDER,
        True,
        f"{BUILDKIT}/6422",
        "failed to copy: httpReadSeeker: failed open: failed to authorize: no active session for "
        "946l7u9cqtl3kkur5pifuipi4: context deadline exceeded",
    ),
    *messages(
        Cause.BUILDER,
        True,
        "https://github.com/containerd/nerdctl/issues/2464",
        'lease "k9b85fmmnhy2hyeacrb7sx1du": not found',
    ),
    *messages(
        Cause.BUILDER,
        True,
        f"{BUILDKIT}/1937",
        "rpc error: code = Unknown desc = failed to get record sfx1jm9owmoa8mzgmae6likt2 by "
        'blobchainid: failed to remove sfx1jm9owmoa8mzgmae6likt2: lease "sfx1jm9owmoa8mzgmae6likt2"'
        ": not found",
    ),
    *messages(
        Cause.BUILDER,
        True,
        f"{BUILDKIT}/4419",
        "missing lease requirement for setBlob",
    ),
    *messages(
        Cause.BUILDER,
        True,
        f"{BUILDKIT}/2303",
        "failed to get edge: inconsistent graph state",
    ),
    *messages(
        Cause.BUILDER,
        True,
        f"{BUILDKIT}/3635",
        "failed to get state for index 0 on [stage-0 2/3] COPY x /",
    ),
    *messages(Cause.BUILDER, True, f"{BUILDX}/3374", f"blob {DIGEST} not found"),
    *messages(Cause.UNKNOWN, False, "made up", "something nobody has seen before"),
)
