"""Commands at a terminal, where a person can be asked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import contextmanager

LONG = 60  # seconds after which a test gives up; nothing is timed


@contextmanager
def at_a_terminal(moving, *words):
    """A command whose stdin is a terminal; gives the process and where a person types."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "batch", "--config", str(moving.config), *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        os.close(ours)
        process.kill()
        process.communicate()
