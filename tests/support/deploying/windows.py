"""Windows that open or close now, and waiting for what a command does in them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LONG = 60  # seconds after which a test gives up; nothing is timed


def window(opens, closes):
    """A window given by hours from now, whatever the time is."""
    now = datetime.now(ZoneInfo("UTC"))
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (opens, closes))
    return {"start": start, "end": end, "timezone": "UTC"}


def eventually(happened) -> bool:
    """Wait until something happened in another process."""
    for _ in range(LONG * 20):
        if happened():
            return True
        time.sleep(0.05)
    return False
