"""Ways in which a registry, or the network before it, goes wrong."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import replace

from tests.doors.registry.messages import Reply
from tests.doors.registry.server import Handler, Misbehaviour, Work


def answers(status: int, body: bytes = b"", /, **headers: str) -> Misbehaviour:
    """Answer something else, without doing the work; ``retry_after`` is ``retry-after``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, work: handler.reply(Reply(status, named, body))


def changes(change: Callable[[Reply], Reply]) -> Misbehaviour:
    """Do the work and answer something made of its answer."""
    return lambda handler, work: handler.reply(change(work()))


def resets(handler: Handler, work: Work) -> None:
    """Cut the connection without doing the work."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def loses_answer(handler: Handler, work: Work) -> None:
    """Do the work, then cut the connection."""
    work()
    resets(handler, work)


def stalls(handler: Handler, work: Work) -> None:
    """Say nothing until the server stops."""
    handler.owner.released.wait(20)
    handler.close_connection = True


def stops_short(handler: Handler, work: Work) -> None:
    """Send half of the body and close."""
    reply = work()
    half = Reply(reply.status, reply.headers, reply.body[: len(reply.body) // 2])
    handler.reply(half, length=len(reply.body))
    handler.close_connection = True


def drips(handler: Handler, work: Work) -> None:
    """Send a byte of the body every 50 ms: never silent, never done."""
    reply = work()
    handler.reply(Reply(reply.status, reply.headers), length=len(reply.body))
    for byte in reply.body:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if handler.owner.released.wait(0.05):
            break
    handler.close_connection = True


def with_body(body: bytes) -> Misbehaviour:
    return changes(lambda reply: replace(reply, body=body))


def with_headers(**headers: str) -> Misbehaviour:
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return changes(lambda reply: replace(reply, headers={**reply.headers, **named}))
