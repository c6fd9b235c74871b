"""The world that simulated nights are played in: drawn work as a hierarchy on twins."""

from __future__ import annotations

import random

from simulate_work import FAST, Work

from tests.world import World, put_image

PLATFORMS = ("linux/amd64", "linux/arm64")


def world_of(work: Work, upstreams: list[str], luck: random.Random) -> World:
    """Return the world of some work: Dockerfiles, builders, upstreams."""
    parents = work.parents
    dockerfiles: dict[str, str] = {}
    extra: dict[str, str] = {}
    for image, above in parents.items():
        final, *others = above or (luck.choice(upstreams),)
        stages = "".join(f"FROM {other} AS s{n}\nRUN make\n" for n, other in enumerate(others))
        copies = "".join(f"COPY --from=s{n} /out{n} /\n" for n in range(len(others)))
        dockerfiles[image] = f"{stages}FROM {final}\nRUN install {image}\n{copies}COPY content /\n"
        mine = [platform for platform in work.platforms[image] if platform in PLATFORMS]
        said = "" if len(mine) == len(PLATFORMS) else f", platforms: [{', '.join(mine)}]"
        labels = ", builder_labels: {disk: fast}" if work.labels[image] == FAST else ""
        extra[image] = said + labels
    soaking = {upstream: luck.choice(("", "", ", soak: 36h")) for upstream in upstreams}
    head = [
        "version: 1",
        "name: gold",
        "registry: localhost:5000/gold",
        f"platforms: [{', '.join(PLATFORMS)}]",
        'tags: {immutable: "{version}-{date}-{key}", floating: ["{version}", stable]}',
        "builders:",
        *(
            f"  - {{name: {b.name}, slots: {b.slots}, platforms: [{', '.join(b.platforms)}]"
            f"{', labels: {disk: fast}' if b.labels else ''}}}"
            for b in work.builders
        ),
        "upstreams:",
        *(f"  {u}: {{source: '{source_of(u)}'{soaking[u]}}}" for u in upstreams),
        "images:\n",
    ]
    content = {f"{image}/content": b"at first\n" for image in parents}
    world = World(dockerfiles, extra=extra, head="\n".join(head), others=content)
    for builder in work.builders:
        world.builder.fleet.add(
            builder.name or "",
            native=builder.platforms,
            emulated=tuple(set(PLATFORMS) - set(builder.platforms)),
            slots=builder.slots,
        )
    for upstream in upstreams:
        put_image(world.registry, source_of(upstream), upstream)
    return world


def source_of(upstream: str) -> str:
    """Return where an upstream comes from."""
    return f"localhost:5000/upstream/{upstream}"
