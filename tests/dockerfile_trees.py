"""Trees of Dockerfiles as people have them: path → text."""

from __future__ import annotations

#: Everything is named by the registry it is published in; the reference is put together from ARGs.
MONOREPO = {
    "images/base/Dockerfile": """\
FROM debian:bookworm-slim
LABEL org.opencontainers.image.version="9.9"
RUN apt-get update \\
 && apt-get install -y --no-install-recommends ca-certificates
COPY rootfs/ /
""",
    "images/base/rootfs/etc/motd": "hello\n",
    "images/java/17/Dockerfile": """\
ARG REGISTRY=registry.corp/platform
FROM ${REGISTRY}/base:12.4
RUN apt-get -qq -y install openjdk-17-jre-headless
""",
    "images/java/21/Dockerfile": """\
ARG REGISTRY=registry.corp/platform
FROM ${REGISTRY}/base:12.4
RUN apt-get install -y openjdk-21-jre-headless
""",
    "images/tomcat/Dockerfile": """\
ARG REGISTRY=registry.corp/platform
ARG JAVA=17
FROM ${REGISTRY}/java:${JAVA}
ARG TOMCAT_VERSION=10.1.19
COPY conf /srv/conf
""",
    "images/tomcat/conf/server.xml": "<x/>\n",
    "services/shop/Dockerfile": """\
ARG REGISTRY
ARG TOMCAT_VERSION
FROM ${REGISTRY}/tomcat:${TOMCAT_VERSION}
COPY target/shop.war /srv/
""",
    "services/legacy/Dockerfile": """\
ARG BASE
ARG PARENT
FROM $PARENT
""",
}

#: Several Dockerfiles in one directory, contexts above them, other people's sources.
SEVERAL = {
    "Dockerfile.base": "FROM alpine:3.20\nRUN apk add --no-cache tini\n",
    "Dockerfile.base.dockerignore": "*\n",
    "backend/Dockerfile": "FROM base\nCOPY app.py /\n",
    "backend/Dockerfile.worker": "FROM backend\nCOPY worker.py /\n",
    "backend/migrate.dockerfile": "FROM backend\n",
    "backend/app.py": "",
    "backend/worker.py": "",
    "frontend/docker/Containerfile": "FROM base:latest\nCOPY src /src\nCOPY package*.json /\n",
    "frontend/src/index.js": "",
    "frontend/package.json": "{}",
    "tools/cli/Dockerfile": "FROM base\nCOPY go.mod tools/cli/main.go /src/\n",
    "tools/cli/main.go": "",
    "go.mod": "",
    "tools/Dockerfile.j2": "FROM {{ base }}\n",
    "vendor/thing/Dockerfile": "FROM thing\n",
    "node_modules/x/Dockerfile": "FROM x\n",
    "docs/Dockerfile.md": "# how we write them\n",
}

#: Build stages, files copied from other images, secrets.
STAGES = {
    "base/Dockerfile": "FROM docker.io/library/debian:12\n",
    "builder/Dockerfile": "FROM base\nRUN dnf -y install gcc\n",
    "assets/Dockerfile": "FROM node:22 AS build\nRUN apt-get install -y git\n"
    "FROM scratch\nCOPY --from=build /out /assets\n",
    "app/Dockerfile": """\
# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM builder AS compile
RUN --mount=type=secret,id=pip-index \\
    --mount=type=bind,from=ghcr.io/astral-sh/uv:0.5,source=/uv,target=/bin/uv \\
    uv sync
RUN --mount=type=ssh git clone git@github.com:corp/x
FROM base
ARG VERSION=3.4.1
COPY --from=compile /out /srv
COPY --from=assets /assets /srv/assets
COPY --from=busybox@sha256:%s /bin/busybox /bin/
"""
    % ("a" * 64),
}

#: Names that are like those here, and mean something else.
NAMESAKES = {
    "python/Dockerfile": "FROM python:3.12-slim\n",
    "app/Dockerfile": "FROM python:3.12-slim\n",
    "web/Dockerfile": "FROM registry.corp/team/python:3.12\n",
    "uv/Dockerfile": "FROM ghcr.io/astral-sh/uv:0.5\n",
    "java/base/Dockerfile": "FROM eclipse-temurin:21\n",
    "node/base/Dockerfile": "FROM node:22\n",
    "shop/Dockerfile": "FROM registry.corp/team/java/base:21\n",
    "ui/Dockerfile": "FROM registry.corp/team/base:22\n",
    "distro/Dockerfile": "FROM gcr.io/distroless/base\n",
    "redis/Dockerfile": "FROM redis\n",
}
