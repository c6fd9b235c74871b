"""A hierarchy file that was read but not yet compared with the Dockerfiles it names."""

from __future__ import annotations

import posixpath

from orchestrator.errors import Problem
from orchestrator.load.addresses import check_in_repository, doubt_transport
from orchestrator.load.inherit import Shared
from orchestrator.load.problems import Problems, shown
from orchestrator.load.read import Items, Values
from orchestrator.load.texts import check_inside
from orchestrator.load.yaml_nodes import Scalar
from orchestrator.model.address import address_of
from orchestrator.model.names import normal_platform

DEFAULT_IMMUTABLE = "{version}-{date}-{key}"
DEFAULT_FLOATING = ("{version}",)


class DraftImage:
    """One image as the files state it, with what it inherits filled in.

    Every text still knows its place (:class:`Scalar`), except where it is a default.

    Attributes:
        id: its key, which is also where problems of the whole image are shown.
        own: the fields that its own entry says.
        said: these, and what it has from its tier and from `defaults`.
        broken: its fields are not all there; only its name counts.
        retired: it is not built, and its files are not looked at.
        address: of the context, where that is in a repository elsewhere.
        context: normalised, relative to the hierarchy file's directory, or the address as text;
            empty when retired.
        dockerfile: normalised, relative to the hierarchy file's directory, or to the repository's
            root; empty when retired.
        platforms: normalised and sorted.
        immutable: tag template.
        floating: tag templates.
        repository: path below the registry.
        formerly: ids it had before.
    """

    __slots__ = (
        "address",
        "broken",
        "context",
        "dockerfile",
        "floating",
        "formerly",
        "id",
        "immutable",
        "own",
        "platforms",
        "repository",
        "retired",
        "said",
    )

    def __init__(
        self, image: Scalar, own: Values, shared: Shared, top: Values, problems: Problems
    ) -> None:
        self.id = image
        self.own = own
        self.said = said = shared.for_image(own)
        self.broken = said.broken
        self.retired: bool = said.get("retired", False)
        self.repository: str = said.get("repository", image)
        self.formerly: tuple[Scalar, ...] = tuple(said.get("formerly", ()))
        self.immutable: str = DEFAULT_IMMUTABLE
        self.floating: tuple[str, ...] = DEFAULT_FLOATING
        for tags in (top.get("tags"), said.get("tags")):
            if tags is not None:
                self.immutable = tags.get("immutable", self.immutable)
                self.floating = tuple(tags.get("floating", self.floating))
        platforms = said.get("platforms", top.get("platforms", ()))
        self.platforms = tuple(sorted({normal_platform(str(platform)) for platform in platforms}))
        if not self.platforms:
            # Only after a problem with them was kept: the Dockerfile can still be read.
            self.platforms = ("linux/amd64",)
        self.context = self.dockerfile = ""
        self.address = None
        if self.retired:
            return
        self.context = root = str(said.get("context", "."))
        self.address = address_of(self.context)
        if self.address is None:
            self.context = root = posixpath.normpath(self.context)
        else:
            self.context, root = str(self.address), self.address.directory
            self._doubt_address(problems)
        self.dockerfile = posixpath.normpath(
            posixpath.join(root, str(said.get("dockerfile", "Dockerfile")))
        )
        inside = check_inside if self.address is None else check_in_repository
        for key, path in (("context", root), ("dockerfile", self.dockerfile)):
            complaint = inside(path) if key in said else None
            if complaint:
                self.broken = True
                what = f"`{key}` of image {shown(image)}: {shown(said[key])} {complaint.what}"
                problems.error(complaint.code, said[key], what, complaint.hint, once=True)

    def _doubt_address(self, problems: Problems) -> None:
        doubt = doubt_transport(self.address) if self.address else None
        if doubt:
            what = f"`context` of image {shown(self.id)} {doubt.what}"
            problems.warn(doubt.code, self.said["context"], what, doubt.hint, once=True)

    @property
    def version(self) -> str:
        """The version; empty for a retired image that states none."""
        return str(self.said.get("version", ""))

    def place(self, key: str) -> Scalar | Items:
        """Return where one of its fields stands, or the image where it does not."""
        value = self.said.get(key)
        return value if isinstance(value, Scalar | Items) else self.said.places.get(key, self.id)


class Draft:
    """What :func:`orchestrator.load.parse` returns.

    Attributes:
        file: path of the hierarchy file as the user would write it.
        top: the file's fields as read, with the `subscriptions` of the files that it includes;
            empty when it is not even a map.
        names: every id of every file, also of images that are no map → where it stands.
        images: by id, in the files' order; broken ones too.
        former: id that an image had before → that image.
        shared: what images inherit.
        found: what is wrong so far, to go on from.
    """

    def __init__(
        self, file: str, top: Values, declared: dict[Scalar, Values | None], found: Problems
    ) -> None:
        self.file = file
        self.top = top
        self.found = found
        self.names = {image: image for image in declared}
        self.shared = Shared(top)
        self.images = {
            str(image): DraftImage(image, said, self.shared, top, found)
            for image, said in declared.items()
            if said is not None
        }
        self.former: dict[str, DraftImage] = {}
        for image in self.images.values():
            for name in image.formerly:
                self.former.setdefault(str(name), image)

    @property
    def registries(self) -> tuple[str, ...]:
        """Where images are published by the file: the first is built to."""
        return tuple(map(str, self.top.get("registry", ())))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong so far, sorted; warnings too."""
        return self.found.sorted()

    @property
    def wanted(self) -> tuple[tuple[str, str, str], ...]:
        """What to look at before :func:`resolve`: (image id, context, Dockerfile).

        Paths are normalised and relative to the hierarchy file's directory, or to the root of the
        repository that the context is in. Images whose own fields are wrong, and retired ones, are
        left out.
        """
        return tuple(
            (name, image.context, image.dockerfile)
            for name, image in self.images.items()
            if not image.broken and not image.retired
        )
