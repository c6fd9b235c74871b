"""What comes from outside, and what a parent's change means: what can be wrong there."""

from __future__ import annotations

from tests.bad_input.row import HEAD, IMAGES, Row, dockerfile, file, image

_DIGEST = f"sha256:{'1' * 64}"
_BASE = '  base: {context: base, version: "1"}\n'
_HOLD = "{hold: {until: 2020-01-31, because: the vendor certifies 12.4 only}}"


def upstream(name: str, fields: str, key: str = "debian:12") -> Row:
    """Return a row about an upstream, which the only image stands on."""
    given = f'{HEAD}{IMAGES}upstreams:\n  "{key}": {{{fields}}}\n'
    files = {"hierarchy.yaml": given.encode(), "app/Dockerfile": f"FROM {key}\n".encode()}
    return Row(name=name, files=files)


def child(name: str, fields: str, extra: str = _BASE) -> Row:
    """Return a row about an image that stands on another one, and has these fields."""
    return dockerfile(name, "FROM base\n", fields, extra)


ROWS = (
    upstream("a track that does not exist", "track: tags"),
    upstream("a track that is a list", "track: [semver, ^1.27]"),
    upstream("semver without a range", "track: semver"),
    upstream("a range that is none", "track: semver 12 and up", "nginx:1.27"),
    upstream("a range of nothing", "track: 'semver \"\"'", "nginx:1.27"),
    upstream("semver on a tag without a version", "track: semver ^12", "debian:bookworm"),
    upstream("semver on a tag of four numbers", "track: semver ^12", "tools:1.2.3.4"),
    upstream("semver without a tag", "track: semver ^1.27", "nginx"),
    upstream("semver of a digest", "track: semver ^1.27", f"nginx:1.27@{_DIGEST}"),
    upstream("a track of digests without one", "track: digest"),
    upstream("a track of tags on a digest", "track: tag", f"debian@{_DIGEST}"),
    upstream("a pin that is no digest", "pin: '12.4'"),
    upstream("a pin with its repository", f"pin: debian@{_DIGEST}"),
    upstream("a pin of a digest", f"pin: {_DIGEST}, source: 'debian@sha256:{'2' * 64}'"),
    upstream("a soak that is no duration", "soak: one day"),
    upstream("a soak of years", "soak: 520w"),
    upstream("a soak in words of YAML", "soak: {hours: 24}"),
    upstream("urgent in other words", "urgent: yes"),
    upstream("urgent without a soak", "urgent: true"),
    upstream("a soak of a digest", "soak: 24h", f"debian@{_DIGEST}"),
    upstream("a mirror with an address", "mirror: registry.example/copies"),
    upstream("a mirror whose path is too long", "mirror: true", f"a.example/{'b/' * 120}c"),
    Row(
        name="a mirror where an image is",
        files={
            "hierarchy.yaml": (
                f"{HEAD}images:\n"
                "  app: {context: app, version: '1', repository: mirror/docker.io/library/debian}\n"
                "upstreams: {'debian:12': {mirror: true}}\n"
            ).encode(),
            "app/Dockerfile": b"FROM debian:12\n",
        },
    ),
    file("undeclared upstreams by another word", f"{HEAD}undeclared_upstreams: ignore\n{IMAGES}"),
    file("undeclared upstreams by a flag", f"{HEAD}undeclared_upstreams: true\n{IMAGES}"),
    image("a policy that does not exist", "on_parent_change: rebuld"),
    image("a policy that is a flag", "on_change: true"),
    image("a policy that is a list", "on_parent_change: [rebuild]"),
    image("a policy that is nothing", "on_parent_change: {}"),
    image("a hold without a day", "on_parent_change: hold"),
    image("a hold by a day alone", "on_change: {hold: 2027-06-30}"),
    image("a hold without a reason", "on_change: {hold: {until: 2027-06-30}}"),
    image("a hold for an empty reason", "on_change: {hold: {until: 2027-06-30, because: ' '}}"),
    image("a hold until a day that no calendar has",
          "on_parent_change: {hold: {until: 2027-02-30, because: slow}}"),
    image("a hold without its word", "on_change: {until: 2027-06-30, because: slow}"),
    image("a hold of all parents without its word", "on_parent_change: {until: 2027-06-30}"),
    image("a hold that is a list", "on_parent_change: {hold: [2027-06-30]}"),
    child("a hold beside a parent", "on_parent_change: {base: rebuild, hold: {until: 2027-06-30}}"),
    child("a policy for what is no parent", "on_parent_change: {bse: notify}"),
    child("a policy for an image that is no parent", "on_parent_change: {app: notify}"),
    child("a policy for one parent twice",
          "on_parent_change: {base: notify, 'localhost:5000/gold/base': rebuild}"),
    child("a policy for an axis that does not exist",
          "matrix: {v: ['1']}, on_parent_change: {'base-{w}': notify}"),
    child("an inherited policy for what does not exist", "tier: web",
          f"{_BASE}tiers: {{web: {{on_parent_change: {{bse: notify}}}}}}\n"),
    child("an inherited policy for what is nobody's parent", "tier: web",
          f"{_BASE}tiers: {{web: {{on_parent_change: {{app: notify}}}}}}\n"),
    child("a policy that nobody heeds", "on_parent_change: notify",
          _BASE.replace("}", ", on_change: final-only}")),
    child("a hold that has ended", f"on_parent_change: {{base: {_HOLD}}}"),
    child("a hold that has ended, of all children", "",
          _BASE.replace("}", f", on_change: {_HOLD}}}")),
)  # fmt: skip
