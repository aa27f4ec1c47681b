"""A local Cognito that notes when it was called, for `bench.run`: `python -m bench.timed_sandbox USERS MEMBERSHIPS`.

It enforces AWS's default quotas. It says on one line of JSON where it is and, when stdin closes, on another what the
target was asked and what is in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from typing import Any

from bench.figures import say
from sandbox.cognito import Cognito
from sandbox.in_process import client
from sandbox.made_up.seed import make_target
from sandbox.server import Sandbox
from sandbox.world import REGION


class Timed(Cognito):
    """A Cognito that notes the first and the last call of each operation of its target, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.target = ""
        self.calls: Counter[str] = Counter()
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._noting = threading.Lock()

    def call(self, operation: str, parameters: dict[str, Any], region: str = REGION) -> dict[str, Any]:
        """Carry out an operation, as a Cognito does."""
        if parameters.get("UserPoolId") == self.target:
            now = time.monotonic()
            with self._noting:
                self.calls[operation] += 1
                self._first.setdefault(operation, now)
                self._last[operation] = now
        return super().call(operation, parameters, region)

    def seconds(self) -> float:
        """Return the time from the first to the last call of the target, but for what connecting asks."""
        work = [operation for operation in self._first if operation != "DescribeUserPool"]
        return max(self._last[name] for name in work) - min(self._first[name] for name in work) if work else 0.0


def main() -> int:
    """Fill an old pool, serve until stdin closes, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", type=int)
    parser.add_argument("memberships", type=int, help="of each user")
    parser.add_argument("--latency-ms", type=float, default=40.0)
    options = parser.parse_args()
    cognito = Timed()
    source = _fill(client(cognito), options.users, options.memberships)
    cognito.target = make_target(client(cognito), kind="plain")
    with Sandbox(cognito=cognito, quotas=True, latency=options.latency_ms / 1000) as server:
        say(json.dumps({"endpoint_url": server.endpoint_url, "source": source, "target": cognito.target}))
        before = time.process_time()
        sys.stdin.read()
        say(json.dumps({**_told(cognito, server), "cpu_seconds": time.process_time() - before}))
    return 0


def _fill(cognito: Any, users: int, memberships: int) -> str:
    pool = cognito.create_user_pool(PoolName="old", UsernameConfiguration={"CaseSensitive": True})["UserPool"]["Id"]
    groups = [f"group-{number}" for number in range(memberships)]
    for group in groups:
        cognito.create_group(UserPoolId=pool, GroupName=group)
    for number in range(users):
        who = {"UserPoolId": pool, "Username": f"user{number}"}
        attributes = {"email": f"user{number}@example.com", "email_verified": "true", "name": f"User {number}"}
        cognito.admin_create_user(
            **who,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            MessageAction="SUPPRESS",
        )
        cognito.admin_set_user_password(**who, Password=f"Bench-Passw0rd!{number}", Permanent=True)
        for group in groups:
            cognito.admin_add_user_to_group(**who, GroupName=group)
    return str(pool)


def _told(cognito: Timed, server: Sandbox) -> dict[str, Any]:
    there = [user for user in cognito.world.pool(cognito.target).users if user.status == "CONFIRMED"]
    return {
        "seconds": cognito.seconds(),
        "calls": cognito.calls,
        "throttled": server.throttled.total(),
        "users": len(there),
        "memberships": sum(len(user.groups) for user in there),
    }


if __name__ == "__main__":
    sys.exit(main())
