"""Whose an update is, what it makes of a build key, and which platform lags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.decide.pending import (
    digests_that_count,
    epoch_of,
    lags_of,
    package_states,
    updates_of,
    version_order,
)
from orchestrator.model.hierarchy import Hierarchy
from orchestrator.model.observation import Found
from orchestrator.model.packages import Lag, PackageAnswer, PackageState, Update
from orchestrator.model.publication import ParentRecord, Publication
from orchestrator.observe.load_files import load_files
from tests.world import World

AMD64, ARM64 = "linux/amd64", "linux/arm64"
OPENSSL = Update(package="openssl", was="3.0.17-1", now="3.0.18-1")
CHAIN = {"base": "FROM debian:12\n", "python": "FROM base\n", "app": "FROM python\n"}


def hierarchy(*without: str) -> Hierarchy:
    """Return a chain of images that all say ``packages: apt``, but some."""
    extra = {image: ", packages: apt" for image in CHAIN if image not in without}
    return load_files(World(dockerfiles=dict(CHAIN), extra=extra).files)


def published(image: str, **parents: str) -> Found:
    """Return what is current of an image: its digest is its name."""
    return Found(
        digest=image,
        publication=Publication(
            digest=image,
            manifests={AMD64: f"{image}-amd64", ARM64: f"{image}-arm64"},
            hierarchy="gold",
            image=image,
            version="1",
            key="k1-0",
            parts={},
            parents={p: ParentRecord(digest=d, effective="") for p, d in parents.items()},
            epoch="",
            source_epoch_s=0,
            created="2026-11-22T00:00:00Z",
            revision="",
            run="",
        ),
    )


CURRENTS = {
    "base": published("base"),
    "python": published("python", base="base"),
    "app": published("app", python="python"),
}


def said(digest: str, *updates: Update, platform: str = AMD64, **more: str) -> PackageAnswer:
    """Return what an index answered: it has what is to be updated, and what else is named."""
    problem, at = more.pop("problem", ""), more.pop("at", "2026-11-22T02:00:00Z")
    return PackageAnswer(
        digest=digest,
        platform=platform,
        manager="apt",
        asked_at=at,
        installed={update.package: update.was for update in updates} | more,
        updates=updates,
        problem=problem,
    )


def states(*answers: PackageAnswer, without: tuple[str, ...] = ()) -> dict[str, PackageState]:
    return package_states(hierarchy(*without), CURRENTS, answers)


def test_the_same_list_is_the_same_epoch() -> None:
    """Whatever its order, and whatever was there before; another version is another epoch."""
    other = Update(package="curl", was="1", now="2", security=True)
    assert epoch_of((OPENSSL, other)) == epoch_of((other, OPENSSL))
    assert epoch_of((OPENSSL,)) == "pkg-" + epoch_of((OPENSSL,))[4:]
    assert len(epoch_of((OPENSSL,))) == 20
    newer = Update(package="openssl", was="3.0.17-1", now="3.0.19-1")
    assert epoch_of((OPENSSL,)) != epoch_of((newer,))


def test_a_list_that_was_built_for_in_vain_has_one_other_epoch() -> None:
    """One: what cannot be proved anywhere is not built every night."""
    first = epoch_of((OPENSSL,))
    again = epoch_of((OPENSSL,), first)
    assert again != first
    assert epoch_of((OPENSSL,), again) == again
    assert epoch_of((OPENSSL,), "pkg-0000000000000000") == first


def test_an_image_on_an_upstream_owns_what_is_pending() -> None:
    """Nobody else in the hierarchy could bring it."""
    assert updates_of(states(said("base", OPENSSL))) == {"base": (OPENSSL,)}


def test_what_a_parent_carries_is_the_parents() -> None:
    """At the same version; the one nearest the root, and those above it wait."""
    found = states(*(said(image, OPENSSL) for image in CHAIN))
    assert updates_of(found) == {"base": (OPENSSL,)}
    assert found["python"].waits == {"base": (OPENSSL,)}
    assert found["app"].waits == {"base": (OPENSSL,)}


def test_another_version_is_the_childs_own() -> None:
    """The child replaced what its parent had, so it must do it again."""
    found = states(said("base", openssl="1.1"), said("python", OPENSSL))
    assert updates_of(found) == {"python": (OPENSSL,)}


def test_a_parent_without_packages_owns_nothing() -> None:
    """Nobody looks inside it, so nothing would ever ask for its rebuild."""
    found = states(said("base", OPENSSL), said("python", OPENSSL), without=("base",))
    assert updates_of(found) == {"python": (OPENSSL,)}


def test_a_parent_that_could_not_be_read_owns_nothing() -> None:
    """Else the update would wait for somebody who does not know of it."""
    found = states(said("base", problem="no shell"), said("python", OPENSSL))
    assert updates_of(found) == {"python": (OPENSSL,)}


def test_a_parent_whose_mirror_is_away_still_owns_what_it_has() -> None:
    """What it carries is known, so it is its to bring when the mirror is back."""
    base = said("base", problem="its package sources cannot be read", openssl="3.0.17-1")
    found = states(base, said("python", OPENSSL))
    assert updates_of(found) == {}
    assert found["python"].waits == {"base": (OPENSSL,)}
    assert found["base"].unknown[AMD64] == "its package sources cannot be read"


def test_the_platform_that_could_be_asked_speaks_for_the_other() -> None:
    """A parent that is readable on one platform carries the package on all of them."""
    found = states(said("base", openssl="3.0.17-1"), said("python", OPENSSL, platform=ARM64))
    assert found["python"].waits == {"base": (OPENSSL,)}


def test_each_platform_speaks_for_itself_where_it_can() -> None:
    """A parent that has the new version there already does not own the child's old one."""
    base = (said("base", openssl="3.0.18-1"), said("base", openssl="3.0.17-1", platform=ARM64))
    assert updates_of(states(*base, said("python", OPENSSL))) == {"python": (OPENSSL,)}


def test_a_platform_that_is_not_published_yet_is_not_unknown() -> None:
    """There is nothing that could be asked."""
    only = published("base")
    assert only.publication is not None
    publication = replace(only.publication, manifests={AMD64: "base-amd64"})
    currents = {"base": replace(only, publication=publication)}
    found = package_states(hierarchy(), currents, (said("base"),))
    assert found["base"].unknown == {}


def test_a_platform_lags_also_where_its_mirror_is_away() -> None:
    """What it has was read."""
    older = said("base", platform=ARM64, problem="its mirror is away", openssl="3.0.17-1")
    found = states(said("base", openssl="3.0.18-1"), older)
    assert [lag.platform for lag in found["base"].lags] == [ARM64]


def test_a_parent_that_was_rebuilt_since_is_asked_as_the_child_has_it() -> None:
    """The child stands on the old one still: its update comes with the new parent."""
    currents = {**CURRENTS, "base": published("base2")}
    answers = (said("base", OPENSSL), said("python", OPENSSL))
    found = package_states(hierarchy(), currents, answers)
    assert updates_of(found) == {}
    assert found["python"].waits == {"base": (OPENSSL,)}
    assert digests_that_count(hierarchy(), currents) == ("base2", "base", "python", "app")


def test_platforms_are_told_together() -> None:
    """The same update on two platforms is one, and it is urgent if one of them says so."""
    urgent = Update(package="openssl", was="3.0.17-1", now="3.0.18-1", security=True)
    found = states(said("base", OPENSSL), said("base", urgent, platform=ARM64))
    assert found["base"].updates == (urgent,)
    found = states(said("base", urgent), said("base", OPENSSL, platform=ARM64))
    assert found["base"].updates == (urgent,)


def test_nobody_was_asked() -> None:
    """That is not the same as nothing being pending."""
    found = states(said("base", problem="no network"))["base"]
    assert found.unknown == {AMD64: "no network", ARM64: "not asked yet"}
    assert found.asked_at == ""


def test_what_was_pending_stays_when_the_mirror_is_away() -> None:
    """The problem is told, and the update is built for."""
    found = states(said("base", OPENSSL, problem="no network"))["base"]
    assert found.updates == (OPENSSL,)
    assert found.unknown[AMD64] == "no network"


def test_the_age_is_that_of_the_oldest_answer() -> None:
    """Of those that stand."""
    found = states(
        said("base", OPENSSL, at="2026-11-22T02:00:00Z"),
        said("base", OPENSSL, at="2026-11-20T02:00:00Z", platform=ARM64),
    )
    assert found["base"].asked_at == "2026-11-20T02:00:00Z"


def test_images_that_nothing_is_published_of_have_no_state() -> None:
    """Nor those that are not looked at."""
    found = package_states(hierarchy(), {"base": None, "python": CURRENTS["python"]}, ())
    assert set(found) == {"python"}


def test_a_platform_that_lags() -> None:
    """Only of packages that several platforms have; compiled again is not newer."""
    assert lags_of(
        {
            AMD64: {"openssl": "3.0.18-1", "dash": "0.5-1+b1", "grub": "2"},
            ARM64: {"openssl": "3.0.9-1", "dash": "0.5-1"},
        }
    ) == (Lag(package="openssl", platform=ARM64, version="3.0.9-1", newest="3.0.18-1"),)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.0~rc1-1", "1.0-1"),
        ("2:1.0", "3:0.1"),
        ("9.9", "1:0.1"),
        ("1.0-1", "1.0-1+deb12u1"),
        ("1.0-1", "1.0.1-1"),
        ("1.36.1-r5", "1.36.1-r15"),
        ("1.0a", "1.0+"),
        ("1.0-2~bpo12+1", "1.0-2"),
    ],
)
def test_the_order_of_versions(older: str, newer: str) -> None:
    """As Debian sorts them, which dpkg --compare-versions confirms."""
    assert version_order(older) < version_order(newer)
