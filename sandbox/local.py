"""What only a test or a demo can do: call Cognito without a socket, and change what no call can change.

All of it is about the Cognito that every sandbox of this process shares unless it is given one of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sandbox.cognito import Cognito, shared
from sandbox.in_process import client
from sandbox.sign_in import totp
from sandbox.users.directory import User
from sandbox.users.users import require_user
from sandbox.world import REGION

CognitoClient = Any  # boto3 makes its clients' classes at run time


@contextmanager
def local_client(region: str = REGION) -> Iterator[CognitoClient]:
    """Give a boto3 `cognito-idp` client on the same user pools as every `Sandbox` of this process.

    Its calls are not counted by a `Sandbox`, and meet neither faults nor quotas.
    """
    made = client(shared(), region)
    try:
        yield made
    finally:
        made.close()


def add_federated(pool_id: str, username: str, attributes: dict[str, str], *, cognito: Cognito | None = None) -> None:
    """Make a user as the first sign-in through another provider makes one; the user name is `Provider_id`.

    It is made in the shared Cognito, unless another is given.
    """
    world = (cognito or shared()).world
    sub, now = str(uuid.uuid4()), world.clock.now()
    user = User(
        username, sub, {**attributes, "sub": sub}, "EXTERNAL_PROVIDER", created=now, modified=now, federated=True
    )
    with world.lock:
        world.pool(pool_id).users.add(user)


def enrol(pool_id: str, username: str, factors: Collection[str], *, cognito: Cognito | None = None) -> None:
    """Give a user of the shared Cognito, or another, what no administrator can set: an authenticator app, a passkey."""
    world = (cognito or shared()).world
    with world.lock:
        user = require_user(world.pool(pool_id), username)
        if "SOFTWARE_TOKEN_MFA" in factors:
            user.totp_secret = totp.new_secret()
        user.passkey = user.passkey or "WEB_AUTHN" in factors


def backdate(pool_id: str, username: str, age: timedelta) -> None:
    """Make a user as old as `age`, which only waiting could do over the API."""
    world = shared().world
    with world.lock:
        user = require_user(world.pool(pool_id), username)
        user.created -= age.total_seconds()
        user.modified -= age.total_seconds()
