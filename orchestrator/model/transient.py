"""Which answers over HTTP may be others after a while: one list for everybody who asks somebody.

The registry's client goes by the number of the answer it got, the reader of what buildx says by
the number in its words, and both mean the same.
"""

from __future__ import annotations

#: Worth another try: the server was busy, gave up waiting, or stumbled. Not 507 and 413: somebody
#: has to make room first; not 501: it will not learn; not 401, 403, 404: those are answers.
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

#: The same as a part of a regular expression.
TRANSIENT_STATUS_WORDS = "|".join(map(str, sorted(TRANSIENT_STATUSES)))
