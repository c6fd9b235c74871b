"""Plans, runs, events and errors as text, JSON, Markdown and Mermaid.

Pure: data in, text out; no clock, no environment. Only :mod:`orchestrator.render.live` writes, to
the stream it is given.
"""
