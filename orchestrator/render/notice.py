"""How a message looks to people, wherever it is read."""

from __future__ import annotations

from orchestrator.model.message import Layouts
from orchestrator.render.notice_html import notice_html
from orchestrator.render.notice_slack import notice_blocks
from orchestrator.render.notice_text import notice_text

#: What channels are given.
LAYOUTS = Layouts(
    text=lambda message: notice_text(message.events),
    html=lambda message: notice_html(message.events),
    blocks=lambda message: notice_blocks(message.events),
)
