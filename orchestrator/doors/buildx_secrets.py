"""The values of build secrets, known only in order to check that they exist and to hide them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.errors import BuildFailed
from orchestrator.model.hierarchy import Secret
from orchestrator.model.run import FailureCause

_MAX_SECRET_BYTES = 1 << 20
#: Anything shorter is in half of all words.
_MIN_REDACTED = 4


def secret_values(
    secrets: tuple[Secret, ...], environment: Mapping[str, str], directory: str
) -> tuple[str, ...]:
    """Return the values, so that the log can leave them out.

    Raises:
        BuildFailed: one is not there. buildx would take an empty one, and the build would fail
            later, or not at all.
    """
    values = []
    for secret in secrets:
        try:
            if secret.env is not None:
                values.append(environment[secret.env])
            else:
                with (Path(directory) / (secret.file or "")).open("rb") as file:
                    values.append(file.read(_MAX_SECRET_BYTES).decode("utf-8", "replace"))
        except KeyError as error:
            raise BuildFailed(
                f"secret {secret.name}: the environment variable {secret.env} is not set",
                cause=FailureCause.MISSING_SECRET,
                hint=f"export {secret.env}, or change the secret in the hierarchy file",
            ) from error
        except OSError as error:
            raise BuildFailed(
                f"secret {secret.name}: cannot read {secret.file}: {error.strerror}",
                cause=FailureCause.MISSING_SECRET,
                hint="make the file readable, or change the secret in the hierarchy file",
            ) from error
    return tuple(values)


def redactor(values: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that replaces every line of every value by ``***``."""
    hidden = {line.strip() for value in values for line in value.splitlines()}
    longest_first = sorted((h for h in hidden if len(h) >= _MIN_REDACTED), key=len, reverse=True)

    def redact(text: str) -> str:
        for value in longest_first:
            text = text.replace(value, "***")
        return text

    return redact
