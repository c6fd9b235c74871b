"""Published images in the words of CDEvents, and links that are safe to click on."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.model.announcement import EventType
from orchestrator.model.source import Revision
from orchestrator.notify.match import deliveries_of
from orchestrator.notify.of_image import commit_url
from tests.notify.events import composed, data_of, tell
from tests.notify.worlds import (
    DOCKERFILES,
    PUBLISHED,
    upgraded,
    world,
)
from tests.world import HEAD, World

SUBSCRIPTION = """\
subscriptions:
  - {{team: web, images: [base], events: [artifact.published], change: {change},
     command: {{run: [tell]}}}}
images:
"""


def test_cdevents_has_a_package_url_and_everything_of_ours() -> None:
    """Tools that know CDEvents find the image; what they do not know is in its own place."""
    made = upgraded()
    done = composed(made)
    ours = data_of(done, PUBLISHED, "base")
    (event,) = (
        e.event for e in done if (e.type, e.subject) == (EventType.ARTIFACT_PUBLISHED, "base")
    )
    data: Any = event["data"]
    now = str(made.tag("base")).replace(":", "%3A")
    place = f"pkg:oci/base@{now}?repository_url=localhost%3A5000/gold/base"
    assert (event["type"], event["subject"]) == ("dev.cdevents.artifact.published.0.3.0", place)
    assert data["subject"]["id"] == place
    assert data["customData"] == ours
    assert data["context"]["id"] == event["id"]


def test_cdevents_are_told_by_what_changed_too() -> None:
    """Who wants to hear of packages alone hears of neither form when none changed."""
    made = world()
    tell(made)
    made.edit("base", "RUN echo more")
    made.build()
    artifacts = [e for e in composed(made) if e.type is EventType.ARTIFACT_PUBLISHED]
    for change, told in (("any", 1), ("packages", 0)):
        made.head = HEAD.replace("images:\n", SUBSCRIPTION.format(change=change))
        made.write()
        day = {"run_id": "r", "at": "2023-11-14T00:00:00Z", "today": "2023-11-14"}
        assert len(deliveries_of(artifacts, made.hierarchy(), **day)) == told


def test_the_commit_is_linked() -> None:
    """Where browsers can see it; the annotation is of whoever published."""
    made = World({"base": DOCKERFILES["base"]}, others={})
    source = "https://git.example/gold/images"
    made.git.current = Revision(commit="c0ffee", dirty=False, committed_at_s=1, source=source)
    made.build()
    data = data_of(composed(made), PUBLISHED, "base")
    assert data["links"] == {"source": f"{source}/commit/c0ffee"}


@pytest.mark.parametrize(
    ("source", "revision", "link"),
    [
        ("https://github.com/o/r.git", "abc", "https://github.com/o/r/commit/abc"),
        ("https://gitlab.example:8443/o/r", "abc", "https://gitlab.example:8443/o/r/-/commit/abc"),
        ("https://bitbucket.org/o/r/", "abc", "https://bitbucket.org/o/r/commits/abc"),
        ("https://git.example/o/r", "abc-dirty", ""),
        ("https://git.example/o/r", "", ""),
        ("ssh://git@git.example/o/r", "abc", ""),
        ("javascript:alert(1)", "abc", ""),
        ("https://user:secret@git.example/o/r", "abc", ""),
        ("https://git.example/o?r", "abc", ""),
        ("https://git.example/\"><script>", "abc", ""),
        ("https://git.example/o\n/r", "abc", ""),
        ("https://git.example/o/r", "../../x", ""),
    ],
)  # fmt: skip
def test_links_are_made_of_plain_addresses_alone(source: str, revision: str, link: str) -> None:
    """What is a link in a notice is clicked on."""
    assert commit_url(source, revision) == link
