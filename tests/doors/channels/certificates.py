"""An authority and certificates of this machine, for receivers and relays with TLS."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class Authority:
    """Signs certificates; clients may trust it alone."""

    def __init__(self, where: Path) -> None:
        self._where = where
        _run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=authority", "-keyout", f"{where}/ca.key", "-out", f"{where}/ca.pem"),
        )

    def server(self, name: str) -> ssl.SSLContext:
        """Return what a server with that name uses: ``DNS:…`` or ``IP:…``."""
        stem = self._where / name.replace(":", "-")
        _run(
            *("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server"),
            *("-keyout", f"{stem}.key", "-out", f"{stem}.csr"),
        )
        Path(f"{stem}.ext").write_text(f"subjectAltName={name}\n")
        _run(
            *("openssl", "x509", "-req", "-in", f"{stem}.csr", "-CA", f"{self._where}/ca.pem"),
            *("-CAkey", f"{self._where}/ca.key", "-CAcreateserial", "-days", "2"),
            *("-extfile", f"{stem}.ext", "-out", f"{stem}.pem"),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
        return context

    def trust(self) -> ssl.SSLContext:
        """Return what a client uses that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=f"{self._where}/ca.pem")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
