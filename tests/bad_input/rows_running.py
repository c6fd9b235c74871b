"""Builders, limits of a build, promotion and canaries that are wrong."""

from __future__ import annotations

from tests.bad_input.row import HEAD, Row, file, image, more, tree

APP = "images:\n  app: {context: app, version: '1', builder_labels: "
FAMILY = (
    HEAD
    + """\
images:
  base: {context: base, version: "1", canaries: CANARIES}
  web: {context: web, version: "1"}
  tools: {context: tools, version: "1"}
  old: {retired: true}
"""
)


def canaries(name: str, named: str, web: str = "") -> Row:
    """Return a row about the canaries of `base`, on which only `web` stands."""
    text = FAMILY.replace("CANARIES", named).replace('web, version: "1"', f'web, version: "1"{web}')
    return tree(
        name,
        {
            "hierarchy.yaml": text.encode(),
            "base/Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n",
            "web/Dockerfile": b"FROM base\n",
            "tools/Dockerfile": b"FROM scratch\nCOPY Dockerfile /\n",
        },
    )


ROWS = (
    more("two builders of one name", "builders: [{name: amd64}, {name: AMD64, slots: 8}]"),
    more("two builders without a name", "builders:\n  - {slots: 2}\n  - {slots: 8}"),
    more("a builder's name that is an address", "builders: [{name: 'tcp://10.0.0.7:1234'}]"),
    more("more slots of a builder than anybody has", "builders: [{slots: 4096}]"),
    more("a builder's platform that does not exist", "builders: [{platforms: [arm64]}]"),
    more("a builder's platform in two spellings",
         "builders: [{platforms: [linux/amd64, linux/arm64, linux/arm64/v8]}]"),
    more("a builder's label with a space", "builders: [{labels: {disk: very fast}}]"),
    more("a builder's labels as a list", "builders: [{labels: [fast]}]"),
    image("a label, and no builders", "builder_labels: {disk: fast}"),
    file("a label that no builder has",
         f"{HEAD}builders: [{{name: a, labels: {{disk: slow}}}}]\n{APP}{{disc: slow}}}}\n"),
    file("a value of a label that no builder has",
         f"{HEAD}builders: [{{name: a, labels: {{disk: slow}}}}]\n{APP}{{disk: fast}}}}\n"),
    file("labels that no builder has together",
         f"{HEAD}builders: [{{labels: {{disk: fast}}}}, {{name: b, labels: {{zone: x}}}}]\n"
         f"{APP}{{disk: fast, zone: x}}}}\n"),
    file("a platform that has to be emulated",
         f"{HEAD}builders: [{{name: a, platforms: [linux/amd64]}}]\n"
         "images:\n  app: {context: app, version: '1'}\n"),
    image("no time to build", "timeout: 0"),
    image("a time without a unit", "timeout: 90"),
    image("longer than anybody waits", "timeout: 100w"),
    image("more tries than anybody wants", "retries: 100"),
    image("no number of tries", "retries: never"),
    image("a cache that does not exist", "cache: regisrty"),
    image("a cache that is nothing", "cache: null"),
    image("a program that lists packages and does not exist", "sbom: trivy"),
    more("promotion that does not exist", "promote: pased"),
    more("promotion of nothing", "promote: none"),
    more("canaries for all", "defaults: {canaries: [app]}"),
    image("a text for canaries", "canaries: app"),
    canaries("a canary that is no image", "[wbe]"),
    canaries("an image as its own canary", "[base]"),
    canaries("a canary that stands elsewhere", "[tools]"),
    canaries("a canary that is retired", "[old]"),
    canaries("a canary named twice", "[web, web]"),
    canaries("a canary named twice, once as it was", "[web, www]", ", formerly: www"),
    canaries("a canary named as it was", "[www]", ", formerly: www"),
    canaries("a canary that does not follow", "[web]", ", on_parent_change: notify"),
    file("canaries of a retired image",
         f"{HEAD}images:\n  app: {{context: app, version: '1'}}\n"
         "  old: {retired: true, canaries: [app]}\n"),
)  # fmt: skip
