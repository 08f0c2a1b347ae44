"""Trace context as W3C writes it: what ties a mail to the fact that caused it, weeks apart. Ids only, no person in it.

A fact that comes without one begins a trace that follows from its name: whoever hears it, however often, begins the
same one, and a replay leaves the same ids.
"""

import re
from hashlib import blake2b

TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""Version 00: trace id, span id, flags; 55 characters. Any other form is ignored, never a reason to refuse a fact."""


def begun(*parts: str) -> str:
    """Return the context of the trace, and of its first span, that these parts always begin."""
    ids = blake2b("\x1f".join(parts).encode(), digest_size=24).hexdigest()
    return f"00-{ids[:32]}-{ids[32:]}-01"


def trace_id(traceparent: str) -> str:
    """Return the trace's id, 32 hexadecimal characters, or "" where no trace is known."""
    return traceparent[3:35]
