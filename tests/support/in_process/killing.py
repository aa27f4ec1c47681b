"""Commands that are killed as the kernel does it, and what the rerun has to come to."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from pools import Pool, read_pool

from sandbox.local import local_client
from sandbox.server import Sandbox

WRITES = ("CreateGroup", "AdminCreateUser", "AdminDisableUser", "AdminSetUserPassword", "AdminAddUserToGroup")


def kill_when(condition: Callable[[], bool], moving, *words: str) -> None:
    """Start a command and kill it, as the kernel does, once the condition holds; it must not have ended before."""
    with moving.start(*words) as process:
        while not condition() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said


def assert_once_and_alike(server: Sandbox, target: str, undisturbed: Pool) -> None:
    """The pool is like the undisturbed one; every user was created once and given a password once."""
    with local_client() as client:
        there = read_pool(client, target)
    assert there == undisturbed
    creations = {name: count for (pool, name), count in server.created.items() if pool == target}
    assert creations == dict.fromkeys((user.username for user in there.users.values()), 1)
    assert server.succeeded["AdminSetUserPassword"] == len(there.users)
