"""A WSGI application that says hello, and on which processor."""

import platform


def application(environ, start_response):
    """Answer / and /healthz, and 404 elsewhere."""
    pages = {"/": f"hello from {platform.machine()}\n", "/healthz": "ok\n"}
    text = pages.get(environ["PATH_INFO"])
    body = (text or "not found\n").encode()
    start_response(
        "200 OK" if text else "404 Not Found",
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]
