"""The table of failures: words of buildx, BuildKit and what runs inside builds, and their meaning.

Of several rules the first one decides whose words are found. Whether a failure is transient is
one question only: may the same build pass a little later, though nobody did anything? Every rule
has a test on literal messages, and docs/reference/failures.md is written from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.model.run import FailureCause
from orchestrator.model.transient import TRANSIENT_STATUS_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A failure's words, and what they mean.

    Attributes:
        about: what happened, for people who read the table.
        words: how to know it; matched anywhere, in any case. Empty: it is known otherwise.
        cause: the kind.
        transient: whether trying again may help.
        hint: a way out; may be empty.
    """

    about: str
    words: re.Pattern[str]
    cause: FailureCause
    transient: bool
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBuilder:
    """Words that say that there is nothing to build with; the run needs it, exit 5.

    Attributes:
        words: how to know it; matched anywhere, in any case.
        what: what is wrong.
        hint: a way out.
    """

    words: re.Pattern[str]
    what: str
    hint: str


def _rule(
    about: str, words: str, cause: FailureCause, hint: str = "", *, transient: bool = False
) -> Rule:
    found = re.compile(words, re.IGNORECASE)
    return Rule(about=about, words=found, cause=cause, transient=transient, hint=hint)


def _no_builder(words: str, what: str, hint: str) -> NoBuilder:
    return NoBuilder(words=re.compile(words, re.IGNORECASE), what=what, hint=hint)


_STATUS = rf"(?:{TRANSIENT_STATUS_WORDS})\b"

NO_BUILDER = (
    _no_builder(
        r"is not a docker command|unknown command: docker buildx|^unknown flag: --",
        "buildx is missing or too old",
        "install the docker-buildx plugin, 0.13 or newer: on Debian the package docker-buildx",
    ),
    _no_builder(
        r"permission denied while trying to connect",
        "the engine's socket does not let this user in",
        "run as a member of the group `docker`, or set DOCKER_HOST to an engine of your own",
    ),
    _no_builder(
        r"cannot connect to the docker daemon|error during connect|failed to connect to the docker",
        "the container engine does not answer",
        "start the engine, or set DOCKER_HOST or DOCKER_CONTEXT to one that runs",
    ),
    _no_builder(
        r"no builder .* found|context not found|use `docker --context",
        "there is no such builder",
        "`docker buildx ls` and `docker context ls` list what is there; `builders:`, "
        "BUILDX_BUILDER or DOCKER_CONTEXT names another one",
    ),
    _no_builder(
        r"is not supported for the docker driver|currently not supported for docker driver|"
        r"attestations are not supported by",
        "the engine cannot build this way",
        "turn on the engine's containerd image store, or name another builder in `builders:`",
    ),
    _no_builder(
        r"http2: frame too large|malformed HTTP response|tls: failed to verify certificate: x509: "
        r"[^\n]*: driver not connecting",
        "what answers at the builder's address is no BuildKit that this client trusts",
        "look at the builder's port, and whether both sides want TLS: `docker buildx inspect NAME`",
    ),
)

_DISK_FULL = _rule(
    "The builder's disk is full, also where only a command in a `RUN` says so",
    r"no space left on device",
    FailureCause.DISK_FULL,
    "the engine's disk is full: `docker buildx prune` and `docker image prune` free some",
)
_ELSEWHERE = "something elsewhere that the command needs did not answer"

#: What a command wrote before it failed, and how it ended.
COMMAND_RULES = (
    _DISK_FULL,
    # Before all that may pass: what was killed may have complained of its network until then.
    _rule(
        "A command was killed, most likely for want of memory",
        r"exit code: 137|cannot allocate memory|signal: killed|out of memory",
        FailureCause.COMMAND,
        "it was killed, most likely for want of memory: give the builder more, or fewer `slots:`",
    ),
    _rule(
        "A program of another architecture, which the builder cannot run",
        r"exec format error",
        FailureCause.COMMAND,
        "the builder cannot run programs of this platform: `docker run --privileged --rm "
        "tonistiigi/binfmt --install all` lets its kernel emulate them",
    ),
    _rule(
        "A command finds no address for a name",
        r"temporary failure (?:in name resolution|resolving)|could(?: not|n't) resolve|"
        r"unable to resolve host|wget: bad address|name or service not known|no such host|"
        r"server misbehaving|\bEAI_AGAIN\b|\bENOTFOUND\b|dns lookup error|"
        r"transient error \(try again later\)|nodename nor servname",
        FailureCause.COMMAND,
        _ELSEWHERE + ": its name was not found",
        transient=True,
    ),
    _rule(
        "A command's server refuses, is silent, or breaks off",
        r"connection refused|could(?: not|n't) connect to|\bECONNREFUSED\b|connection failed \[IP|"
        r"connection timed out|operation timed out|read timed out|timeout was reached|i/o timeout|"
        r"\bETIMEDOUT\b|tls handshake timeout|connection (?:was )?reset|\bECONNRESET\b|"
        r"ConnectionResetError|empty reply from server|network is unreachable|no route to host|"
        r"\bE(?:NET|HOST)UNREACH\b|temporary error \(try again later\)|"
        r"network error \(check|early eof|hung up unexpectedly|rpc failed|"
        r"unexpected disconnect|stream error: stream id|goaway|spurious network error|"
        r"net::(?:open|read)timeout|transfer closed with|timed out after \d+ milliseconds",
        FailureCause.COMMAND,
        _ELSEWHERE,
        transient=True,
    ),
    _rule(
        f"A command's server answers {', '.join(TRANSIENT_STATUS_WORDS.split('|'))}",
        r"(?:http/\d(?:\.\d)?|http error|returned error:|\berror|status(?: code)?:?|\be)\s*"
        rf"{_STATUS}|\b{_STATUS}:?\s+(?:internal server error|bad gateway|service (?:temporarily )?"
        r"unavailable|gateway time-?out|too many requests|request time-?out|too early)",
        FailureCause.COMMAND,
        _ELSEWHERE + " as it should: it is overloaded or broken",
        transient=True,
    ),
    _rule(
        "A mirror of packages is being updated",
        r"hash sum mismatch|mirror sync in progress|file has unexpected size",
        FailureCause.COMMAND,
        "the mirror is between two states",
        transient=True,
    ),
    _rule(
        "What was downloaded has another checksum or signature than it should",
        r"do not match the hashes|\bEINTEGRITY\b|checksum mismatch|checksums? did not match|"
        r"bad signature|untrusted signature|\bNO_PUBKEY\b|signatures couldn't be verified|"
        r"signed file isn't valid|gpg error",
        FailureCause.COMMAND,
        "what was downloaded is not what was expected: is the checksum or the key that it is "
        "compared with an old one?",
    ),
    _rule(
        "A server wants credentials, or does not take them",
        r"(?:http/\d(?:\.\d)?|returned error:|\berror|status(?: code)?:?|\be)\s*40[13]\b|"
        r"\b40[13]:?\s+(?:unauthorized|forbidden)|terminal prompts disabled|authentication failed|"
        r"permission denied \(publickey",
        FailureCause.COMMAND,
        "credentials come in by `secrets:` and `RUN --mount=type=secret`",
    ),
    _rule(
        "A command does not trust a server's certificate",
        r"certificate problem|certificate verify failed|x509: |self[- ]signed certificate|"
        r"unable to get local issuer|certificate is not trusted",
        FailureCause.COMMAND,
        "add the certificate's authority to the image before the command",
    ),
    _rule(
        "There is no such package, version or file on the server",
        r"unable to locate package|has no installation candidate|version '[^']*' for '[^']*' was "
        r"not found|no matching distribution found|could not find a version that satisfies|"
        r"\bE404\b|unable to select packages|unsatisfiable constraints|unable to find a match|"
        r"no match for argument|no package \S+ available|"
        r"(?:http/\d(?:\.\d)?|returned error:|\berror|status(?: code)?:?)\s*404\b|"
        r"\b404:?\s+not found|repository '[^']*' not found",
        FailureCause.COMMAND,
        "is it spelled right? A list of packages from the build cache may be too old: with `ARG "
        "REFRESH_EPOCH` before it, `orchestrate build --force IMAGE` reads it again",
    ),
    _rule(
        "There is no such program in the image",
        r"exit code: 127|executable file not found|unable to start container process",
        FailureCause.COMMAND,
        "is the program in the image, and on its PATH?",
    ),
)
#: A command that failed for a reason of its own.
COMMAND = _rule("A command in a `RUN` failed for a reason of its own", r"", FailureCause.COMMAND)

#: What buildx says of everything else.
BUILD_RULES = (
    _DISK_FULL,
    _rule(
        "The Dockerfile is wrong",
        r"dockerfile parse error|target stage .* could not be found|failed to read dockerfile|"
        r"the Dockerfile cannot be empty|file with no instructions|should not be blank|"
        r"circular dependency|no build stage in current|invalid stage index|is not allowed|"
        r"message larger than max|not a directory$|failed to parse stage name|invalid reference "
        r"format",
        FailureCause.DOCKERFILE,
    ),
    _rule(
        "A secret that a `RUN` mounts is not given",
        r"secret .+: not found",
        FailureCause.MISSING_SECRET,
        "declare it under `secrets:` and name it in the image's `secrets:`",
    ),
    _rule(
        "A `RUN` mounts an SSH agent, and none is passed on",
        r"unset ssh forward key|no ssh handler for id",
        FailureCause.MISSING_SECRET,
        "no SSH agent is passed on: put a key under `secrets:`, and mount that",
    ),
    _rule(
        "A file that is copied is not there",
        r'"/[^"]*": not found',
        FailureCause.MISSING_FILE,
        "is the file in the context, and does .dockerignore let it through?",
    ),
    _rule(
        "What `ADD` fetches has another checksum than it should",
        r"digest mismatch ",
        FailureCause.COMMAND,
        "what was downloaded is not what was expected: is `--checksum` an old one?",
    ),
    _rule(
        "A server that `ADD` fetches from is not trusted",
        r"failed to load cache key: .*x509: ",
        FailureCause.COMMAND,
        "the builder does not trust the server's certificate",
    ),
    _rule(
        "A server that `ADD` fetches from answers 404 or the like",
        rf"invalid response status (?!{_STATUS})\d+",
        FailureCause.COMMAND,
        "is it still there, and may everybody read it?",
    ),
    _rule(
        "A server that `ADD` fetches from does not answer, or not now",
        r"failed to load cache key: (?:Get |read tcp |unexpected EOF)|invalid response status \d",
        FailureCause.COMMAND,
        "something elsewhere that the instruction needs did not answer",
        transient=True,
    ),
    _rule(
        "The builder lost the connection to its client",
        r"no active sessions?\b|no such job|missing lease requirement|lease \S* ?(?:does not exist|"
        r"not found)|lease \"[^\"]*\": not found",
        FailureCause.BUILDER,
        "the builder was too busy, or a clean-up came in between",
        transient=True,
    ),
    _rule(
        "The builder was lost while it worked",
        r"code = Unavailable|^Unavailable: |closing transport|error reading from server|"
        r"failed to list workers|database not open|transport is closing|failed to receive status",
        FailureCause.BUILDER,
        "the builder stopped answering; is the engine still running?",
        transient=True,
    ),
    _rule(
        "BuildKit stumbled over itself",
        r"failed to get state for index|inconsistent graph state|return leaving incoming open|"
        r"failed to get edge|unknown blob \S+ in history|failed to load ref|"
        r"^(?:content digest|blob) sha256:\S+ not found",
        FailureCause.BUILDER,
        "a fault of BuildKit's that passes by itself; `docker buildx prune` if it does not",
        transient=True,
    ),
    _rule(
        "A parent's registry wants a log-in, or does not take it",
        r"unexpected status.*: 40[13]\b|pull access denied|insufficient_scope|authorization failed|"
        r"no basic auth credentials|error getting credentials",
        FailureCause.ACCESS,
        "`docker login` on the registry, with an account that may pull",
    ),
    _rule(
        "The builder and a registry do not agree on TLS",
        r"x509: |server gave HTTP response to HTTPS client|first record does not look like a TLS",
        FailureCause.REGISTRY,
        "the engine does not trust the registry: see its `insecure-registries` and certificates",
    ),
    _rule(
        "The line `# syntax=` needs a registry that cannot be reached",
        r"docker\.io/docker/dockerfile",
        FailureCause.REGISTRY,
        "the line `# syntax=` needs Docker Hub: remove it, or name a copy the builder can reach",
        transient=True,
    ),
    _rule(
        "A parent is gone, damaged, or lacks the platform",
        r"failed to resolve source metadata.*: not found$|no match for platform in manifest|"
        r"could not fetch content descriptor .*: not found|content at \S+ not found",
        FailureCause.PARENT_MISSING,
        "the parent is not there, or lacks the platform: was it deleted since the plan?",
    ),
    _rule(
        "What answers in a registry's place is none, or refuses for good",
        rf"unexpected status.*: (?!{_STATUS})\d{{3}}\b|unknown type text/html",
        FailureCause.REGISTRY,
        "what answers there may be no registry",
    ),
    _rule(
        "A registry does not answer, answers "
        f"{', '.join(TRANSIENT_STATUS_WORDS.split('|'))}, or breaks off",
        r"failed to do request|unexpected status|failed to (?:copy|authorize|fetch \w+ token)|"
        r"httpReadSeeker|toomanyrequests|dial tcp|expected number of bytes|"
        r"unexpected commit digest|connection reset by peer|i/o timeout|tls handshake timeout",
        FailureCause.REGISTRY,
        "does the builder reach the registry, and is that overloaded?",
        transient=True,
    ),
    _rule(
        "The builder stopped what it did, and nobody here asked it to",
        r"context canceled|context deadline exceeded",
        FailureCause.BUILDER,
        "the builder stopped answering; is the engine still running?",
        transient=True,
    ),
)
#: The client ended by a signal that was not ours.
KILLED = _rule(
    "The docker client was killed",
    r"",
    FailureCause.BUILDER,
    "something on this machine killed it: is there enough memory?",
    transient=True,
)
#: An excerpt of the Dockerfile, and no step that failed: the instruction is wrong in itself.
WRONG_INSTRUCTION = _rule(
    "An instruction is wrong, whatever BuildKit says of it", r"", FailureCause.DOCKERFILE
)
UNKNOWN = _rule("Something that is not in this table", r"", FailureCause.UNKNOWN)
