"""Dockerfiles that are wrong."""

from __future__ import annotations

from tests.bad_input.row import SCRATCH, dockerfile, tree

BASE = '  base: {context: base, version: "12"}\n'

ROWS = (
    dockerfile("a Dockerfile with nothing in it", "\n\n"),
    dockerfile("a Dockerfile of comments", "# FROM debian:12\n"),
    dockerfile("a Dockerfile in UTF-16", "FROM scratch\n".encode("utf-16")),
    dockerfile("a Dockerfile in Latin-1", b"FROM scratch\nLABEL a=caf\xe9\n"),
    dockerfile("a Dockerfile with NUL", b"FROM scratch\nRUN a\0b\n"),
    dockerfile("a Dockerfile with an escape sequence in FROM", b"FROM \x1b[31mdebian\x1b[0m\n"),
    dockerfile("a Dockerfile of more than 1 MiB", "FROM scratch\n" + "#" * (1 << 20)),
    dockerfile("a line of 65,536 bytes in a Dockerfile",
               f"FROM scratch\nRUN echo {'x' * 65_536}\nFORM debian\n"),
    dockerfile("a Dockerfile of more lines than anybody reads",
               "FROM scratch\n" + "RUN a\n" * 20_000),
    dockerfile("1,001 stages", "FROM scratch\n" * 1001),
    dockerfile("no FROM", "RUN true\n"),
    dockerfile("FROM inside a heredoc only", "RUN <<EOF\nFROM debian:12\nEOF\n"),
    dockerfile("FROM inside a heredoc and one outside",
               "FROM nowhere:1\nRUN <<EOF\nFROM debian:12\nEOF\n"),
    dockerfile("a heredoc that nobody closes", "FROM scratch\nCOPY <<EOF /a\nhello\n"),
    dockerfile("FROM without a name", "FROM\n"),
    dockerfile("FROM with too many words", "FROM debian:12 as build stage\n"),
    dockerfile("FROM with a flag that does not exist", "FROM --platfrom=linux/amd64 scratch\n"),
    dockerfile("FROM in capitals", "FROM Debian:12\n"),
    dockerfile("FROM an address", "FROM https://registry.example/debian:12\n"),
    dockerfile("FROM with `//`", "FROM registry.example//debian:12\n"),
    dockerfile("FROM a port that no one has", "FROM registry.example:99999/debian:12\n"),
    dockerfile("FROM a digest cut short", "FROM debian@sha256:123abc\n"),
    dockerfile("FROM --push", "FROM --push\n"),
    dockerfile("FROM a variable that nobody set", "FROM $BASE\n"),
    dockerfile("FROM a variable that is set too late", "FROM ${BASE} AS a\nARG BASE=debian:12\n"),
    dockerfile("FROM an argument without a value", "ARG TAG\nFROM debian:$TAG\n"),
    dockerfile("FROM another image on every platform", "FROM base-$TARGETARCH\n"),
    dockerfile("FROM a variable in a form that shells only know",
               "ARG A=b\nFROM ${A^^}\n"),
    dockerfile("an upstream that nobody declared", "# syntax\nFROM debian:12\n"),
    dockerfile("an image misspelt", "FROM bas\n", extra=BASE),
    dockerfile("an image by its digest",
               f"FROM localhost:5000/gold/app@sha256:{'0' * 64}\n"),
    dockerfile("an image on itself", "FROM app\n"),
    dockerfile("COPY from a variable", "ARG A=app\nFROM scratch\nCOPY --from=$A / /\n"),
    dockerfile("COPY from a stage that is not there", "FROM scratch\nCOPY --from=7 / /\n"),
    dockerfile("COPY from a stage that copies from it",
               "FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n"),
    dockerfile("a stage with an impossible name", "FROM scratch AS --push\n"),
    dockerfile("a stage named like its image", "FROM base AS base\nRUN true\n", extra=BASE),
    dockerfile("an instruction misspelt", "FROM scratch\nRUNN true\n"),
    dockerfile("an instruction of 60,000 characters", "FROM scratch\nFROM" + "0x1" * 20_000 + "\n"),
    dockerfile("an instruction before FROM", "ENV a=b\nFROM scratch\n"),
    dockerfile("a fixed platform", "FROM --platform=linux/amd64 base\n", extra=BASE),
    dockerfile("a target that is not there", "FROM scratch AS build\n", "target: biuld"),
    dockerfile("an argument that nobody takes", "ARG VERSION=1\nFROM nowhere:$VERSION\n",
               "args: {VERSOIN: 2}"),
    dockerfile("parents that disagree", "FROM base\n", "parents: [scratch, bas]", BASE),
    dockerfile("a secret that is not given",
               "FROM nowhere\nRUN --mount=type=secret,id=token cat /run/secrets/token\n"),
    dockerfile("several mistakes in a Dockerfile",
               "FROM Debian AS a\nFROM nowhere:1 AS b\nCOPY --from=$X / /\nFROM a AS c d\n"),
    tree("two Dockerfiles that stand on one another", {
        "hierarchy.yaml": b'version: 1\nname: gold\nregistry: localhost:5000/gold\n'
        b'platforms: [linux/amd64]\nimages:\n  a: {context: a, version: "1"}\n'
        b'  b: {context: b, version: "1"}\n',
        "a/Dockerfile": b"FROM b\n",
        "b/Dockerfile": b"# on a\nFROM a\n",
    }),
    tree("an ignore file with a pattern that is none", {
        "app/Dockerfile": SCRATCH, "app/.dockerignore": b"*.pyc\n[a-\n!\n",
    }, "plan"),
    tree("an ignore file in UTF-16", {
        "app/Dockerfile": SCRATCH, "app/.dockerignore": "*.pyc\n".encode("utf-16"),
    }, "plan"),
)  # fmt: skip
