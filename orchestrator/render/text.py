"""Everything that people read, under one name; nothing in it ends without a newline."""

from __future__ import annotations

from orchestrator.render.text_blast import blast_text
from orchestrator.render.text_error import error_text, problems_text
from orchestrator.render.text_graph import graph_text
from orchestrator.render.text_patch import patched_text
from orchestrator.render.text_plan import plan_text
from orchestrator.render.text_run import finished_text, history_text, show_text, troubles_text
from orchestrator.render.text_status import status_text, why_text

__all__ = [
    "blast_text",
    "error_text",
    "finished_text",
    "graph_text",
    "history_text",
    "patched_text",
    "plan_text",
    "problems_text",
    "show_text",
    "status_text",
    "troubles_text",
    "why_text",
]
