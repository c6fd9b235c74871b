"""The registry door over HTTP.

`client` has the operations, `upload` sends blobs, `wire` says how things are asked for and read.
A `session` sends their calls: `auth` and `credentials` log in, `retry` says how long to try,
`limits` how often, `connections` are kept open, `addresses` says where to, and `answers` what it
means to people.
`cache` keeps what never changes.
"""

from orchestrator.doors.registry.client import HttpRegistry
from orchestrator.doors.registry.credentials import Credential, docker_credentials
from orchestrator.doors.registry.retry import Deadlines, Retries

__all__ = ["Credential", "Deadlines", "HttpRegistry", "Retries", "docker_credentials"]
