"""What the generated reference pages say beyond what is in the code."""

from __future__ import annotations

#: Title of a section of the hierarchy file's page → an example; a test reads them.
EXAMPLES = {
    "The file": """
version: 1
name: gold
registry: registry.example/gold
platforms: [linux/amd64, linux/arm64]
images:
  base: {context: images/base, version: "12"}
""",
    "tags": """
tags:
  immutable: "{version}-{date}-{key}"
  floating: ["{version}", stable]
""",
    "secrets / NAME": """
secrets:
  pip-index: {env: PIP_INDEX_URL}
  license: {file: secrets/license.txt}
""",
    "upstreams / NAME": """
upstreams:
  debian:bookworm-slim: {source: docker.io/library/debian:bookworm-slim, soak: 24h, mirror: true}
  nginx:1.27: {track: semver ^1.27, urgent: true, soak: 7d}
""",
    "hold": """
images:
  hello:
    context: images/hello
    version: "1.4"
    on_parent_change:
      nginx:1.27: {hold: {until: "2027-06-30", because: the vendor certifies 1.27 only}}
      "*": final-only
""",
    "defaults": """
defaults:
  labels: {vendor: Example}
""",
    "tiers / NAME": """
tiers:
  application: {platforms: [linux/amd64]}
""",
    "images / NAME": """
images:
  python:
    context: images/python
    version: "3.11"
    tier: runtime
    args: {DEBUG: "0"}
    labels: {team: platform}
  app:
    matrix: {python: ["3.11", "3.12"]}
    context: images/app
    repository: app
    version: "1.0"
    target: "py{python}"
    tags: {floating: ["{version}-py{python}"]}
""",
    "options": """
images:
  base:
    context: images/base
    version: "12"
    options: {network: none, ulimits: [nofile=1024:4096], shm_size: 128m}
""",
    "builders": """
builders:
  - {name: amd64, platforms: [linux/amd64], labels: {disk: fast}, slots: 8}
  - {name: arm64, platforms: [linux/arm64], labels: {disk: fast}}
images:
  base: {context: images/base, version: "12", builder_labels: {disk: fast}, timeout: 30m}
""",
    "subscriptions": """
subscriptions:
  - team: payments
    images: [base, "python-*", "+checkout"]
    events: [image.published, image.failed]
    change: security
    webhook: {url: "https://ci.example/hooks/gold", secret: "env:PAYMENTS_HOOK_SECRET"}
    email: {to: [payments@example.org]}
    feed: team
""",
    "mail": """
mail: {host: mail.example.org, port: 587, from: gold@example.org, user: gold, password: "env:SMTP"}
""",
    "feeds": """
feeds: {directory: public/feeds, base_url: "https://feeds.example/gold", entries: 50}
""",
    "scanner": """
scanner: {command: [grype, "sbom:{sbom}", -o, json]}
""",
}

#: Title of such a section → what this version does not do with it yet.
NOT_YET: dict[str, str] = {}

#: `kind` of an answer in JSON → (commands, what it has).
ANSWERS = {
    "plan": ("plan", "every step with its verdict, reasons, key and tags; also what `--out` saves"),
    "what-if": ("plan --what-if", "how far a change reaches, how long, who subscribed"),
    "status": (
        "status",
        "per image: state, digest, age, reasons, how long behind what; orphans; who is at work",
    ),
    "why": ("why", "every part of the build key, as it was and as it is"),
    "command": ("why --command", "per platform the build's command line, as a list"),
    "graph": ("graph", "nodes and edges"),
    "subscribe": ("subscribe", "the file, whether it was written, and what it means now"),
    "subscriptions": ("subscriptions", "who hears of what, which images that is now; references"),
    "deliveries": ("notify", "notices that wait or were given up, with tries and why; receivers"),
    "drain": ("notify drain, notify replay", "who was told, who waits, what was given up"),
    "notice-test": ("notify test", "per receiver whether it has the test message, else why not"),
    "doctor": ("doctor", "findings, each with code, level, hint, command and facts"),
    "run": (
        "build, patch, apply, resume, promote, rollback, show",
        "the run, results per image, moves of tags and why some are held; `joined`; `notices`",
    ),
    "waiting": ("promote", "per image what a run held and somebody may still promote"),
    "local-build": ("build --no-publish", "names and digests in this machine's engine"),
    "reproduction": ("reproduce", "per platform: layers, files and values that differ"),
    "adoption": ("adopt", "per image whether it was adopted, or why not"),
    "digests": ("digests", "per repository every digest, its tags, and what protects it"),
    "diff": ("diff", "per platform: packages, settings, sizes, files that differ"),
    "history": ("history", "runs, newest first"),
    "saved": ("history --saved", "per image builds and seconds that cut-off and key spared"),
    "slo": ("history --slo", "percentiles per upstream, every change that arrived, and the others"),
    "config": (
        "config show",
        "every value with its type, and with `--origin` its source, file and line",
    ),
    "init": ("init", "the file's text, and what was found and guessed"),
    "version": ("version", "versions"),
    "problems": ("check", "problems with code, file, line and column; of all commands that load"),
    "error": ("every command", "a failure: code, exit code, what and hint"),
    "event": ("build --events", "one line of the [event stream](events.md)"),
}

#: Tag → (what it says, whether it moves).
OWN_TAGS = {
    "tags.immutable": ("this build; what deployments name", "never"),
    "tags.floating": ("what was promoted last", "at the end of a run, and by a rollback"),
    "key-<build key>": (
        "the digest that this key led to; it alone decides what is built already",
        "never",
    ),
    "current-<image id>": (
        "what was promoted last, where there are no floating tags",
        "as floating tags",
    ),
    "cache-<image id>-<platform>": (
        "the build cache of one platform, under `cache: registry`",
        "with every build",
    ),
    "rejected-<hex of a digest>": (
        "that digest was rolled back, while this tag names it",
        "when it is asked for again",
    ),
    "sha256-<hex of a digest>": (
        "signatures and what else refers to a digest: cosign's scheme, and OCI's fallback",
        "as others write it",
    ),
}

#: Placeholder of a template → what it becomes.
FILLED_IN = {
    "version": "the image's `version`",
    "date": "the day of the plan, `YYYYMMDD`, UTC",
    "key": "12 hex digits of the build key; an immutable template must have it",
    "commit": "12 hex digits of the commit",
    "run": "the id of the run",
    "label.NAME": "the image's label of that name",
}

#: Annotation → its value.
ANNOTATIONS = {
    "org.opencontainers.image.created": "when it was built, RFC 3339, UTC",
    "org.opencontainers.image.version": "the image's version",
    "org.opencontainers.image.title": "the image's id",
    "org.opencontainers.image.revision": "the commit, with `-dirty` where the tree had changes",
    "org.opencontainers.image.source": "address of the git repository",
    "org.opencontainers.image.base.name": "the parent in the final FROM",
    "org.opencontainers.image.base.digest": "its index digest",
    "io.gold-orchestrator.hierarchy": "name of the hierarchy that published it",
    "io.gold-orchestrator.image": "the image's id",
    "io.gold-orchestrator.key": "the build key that led to it first",
    "io.gold-orchestrator.parts": "JSON: part of the key → its hash",
    "io.gold-orchestrator.parents": "JSON: parent → `digest` built on, and `effective`, the hash "
    "of its manifests for the platforms built",
    "io.gold-orchestrator.epoch": "the refresh epoch; may be empty",
    "io.gold-orchestrator.source-date-epoch": "`SOURCE_DATE_EPOCH` of the build, in seconds",
    "io.gold-orchestrator.run": "id of the run that published it",
}
