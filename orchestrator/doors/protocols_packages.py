"""What the nightly run needs of the package managers inside images."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from orchestrator.model.names import Repository
from orchestrator.model.packages import PackageAnswer


class PackageManagers(Protocol):
    """The package managers inside published images, asked in containers of which nothing stays."""

    def ask(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> PackageAnswer:
        """Return the updates that are pending in one platform of an image; never raises.

        What cannot be known (no shell, no network, an architecture that does not run here, a
        damaged database) is the answer's ``problem``.

        Args:
            repository: where the image is.
            digest: of its index, or better of the platform's manifest: then the platforms of an
                image, asked side by side, are an image each to the engine. The answer names it.
            platform: ``os/arch``.
            manager: ``apt``, ``apk`` or ``dnf``.
            cancelled: when set, the container is stopped, and the answer says so.
        """

    def installed(
        self,
        repository: Repository,
        digest: str,
        platform: str,
        manager: str,
        *,
        cancelled: threading.Event,
    ) -> Mapping[str, str]:
        """Return package → version of what is installed; without network.

        Args:
            repository: where the image is.
            digest: of its index, or of the platform's manifest.
            platform: ``os/arch``.
            manager: ``apt``, ``apk`` or ``dnf``.
            cancelled: when set, the container is stopped.

        Raises:
            Unavailable: it cannot be read here, and the reason.
        """
