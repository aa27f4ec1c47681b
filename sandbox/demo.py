"""A whole migration on this machine, in under a minute: a made-up old pool, a new one, and every command in turn."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import make_target, seed_source
from sandbox.server import Sandbox

Command = Callable[[list[str]], object]

# Several times AWS's defaults, so that a minute is enough; the categories keep their proportions.
_LIMITS = {
    "UserCreation": 250,
    "UserAccountRecovery": 150,
    "UserUpdate": 125,
    "UserList": 150,
    "UserResourceRead": 250,
    "UserRead": 600,
    "UserPoolRead": 75,
    "UserPoolResourceRead": 100,
    "UserPoolResourceUpdate": 75,
}
_WRITES = ("AdminCreateUser", "AdminSetUserPassword", "AdminDisableUser", "AdminAddUserToGroup", "CreateGroup")
_SEED = 7


def run_demo(users: int, command: Command) -> int:
    """Show scan, plan, run and verify on made-up users, then that a rerun does nothing twice.

    `users` is how many to make up, `command` runs the command line on a list of words.
    Returns an exit code.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-demo-") as folder, Sandbox() as sandbox:
        _say(f"A local Cognito is at {sandbox.endpoint_url}; nothing leaves this machine. Making up {users} users …")
        _prepared(Path(folder), users, sandbox.endpoint_url)
        show = _Show(command, sandbox)
        with chdir(folder):  # so that the lines that the commands print are those of a guide, without --config
            show.command("Read the old pool", "scan")
            show.command("See what would happen", "plan")
            show.command("Bring everybody over", "run", "--yes")
            writes = show.writes()
            show.command("Compare the two pools", "verify")
            show.command("Run again: nothing is done twice", "run", "--yes")
            repeated = show.writes() - writes
        _say(
            f"\nIn {time.monotonic() - began:.0f} s: {writes} writing calls in the first run, {repeated} in the second."
        )
    if show.worst or repeated:
        _say("Something is not as it should be; see above.")
        return show.worst or 1
    _say(
        "Every user the plan creates is in the new pool, with attributes, groups and flags; who was disabled still is."
    )
    _say('Users in collisions wait for a person. Next: README, "First migration".')
    return 0


def _prepared(folder: Path, users: int, endpoint_url: str) -> None:
    with local_client() as client:
        source = seed_source(client, users=users, random=random.Random(_SEED), add_federated=add_federated)  # noqa: S311 -- made-up people
        target = make_target(client, kind="plain")
    settings = {
        "source": {"user_pool_id": source.pool_id, "endpoint_url": endpoint_url},
        "target": {"user_pool_id": target, "endpoint_url": endpoint_url},
        "rate": {"share": 1.0, "limits": _LIMITS},
    }
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML, and needs no library


@dataclass
class _Show:
    """Runs commands as a person would, and remembers the worst exit code."""

    run: Command
    sandbox: Sandbox
    worst: int = 0

    def command(self, what: str, *words: str) -> None:
        _say(f"\n── {what}: cognito-migrate {' '.join(words)}")
        try:
            self.run([*words])
        except SystemExit as end:
            self.worst = max(self.worst, int(end.code or 0))

    def writes(self) -> int:
        calls = self.sandbox.calls
        # Seeding goes past the server, so these are the migration's own.
        return sum(calls[operation] for operation in _WRITES)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
