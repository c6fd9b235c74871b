"""What the nightly run needs of the package managers inside images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer


class PackageManagers(Protocol):
    """The package managers inside published images, asked in containers of which nothing stays."""

    def ask(
        self, repository: Repository, digest: str, platform: str, manager: str
    ) -> PackageAnswer:
        """Return the updates that are pending in one platform of an image; never raises.

        What cannot be known (no shell, no network, an architecture that does not run here, a
        damaged database) is the answer's ``problem``.

        Args:
            repository: where the image is.
            digest: of its index.
            platform: ``os/arch``.
            manager: ``apt``, ``apk`` or ``dnf``.
        """

    def installed(
        self, repository: Repository, digest: str, platform: str, manager: str
    ) -> Mapping[str, str]:
        """Return package → version of what is installed; without network.

        Args:
            repository: where the image is.
            digest: of its index, or of the platform's manifest.
            platform: ``os/arch``.
            manager: ``apt``, ``apk`` or ``dnf``.

        Raises:
            Unavailable: it cannot be read here, and the reason.
        """
