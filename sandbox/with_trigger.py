"""What `sandbox --trigger` adds: app clients, the ledger, the function on every trigger, and a guide to them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.cognito import Cognito
from sandbox.in_process import client, dynamodb_client
from sandbox.made_up.cast import one_of_each
from sandbox.made_up.seed import PASSWORD
from sandbox.world import ACCOUNT, REGION

TABLE = "cognito-migration"
FUNCTION = "cognito-migrate-trigger"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
HANDLER = "trigger.handler:handler"
"""What AWS Lambda would call. It reads its settings from the environment, at the first event."""
ENVIRONMENT_FILE = "sandbox.env"

TRIGGERS = (
    "UserMigration",
    "DefineAuthChallenge",
    "CreateAuthChallenge",
    "VerifyAuthChallengeResponse",
    "PreTokenGeneration",
    "PostConfirmation",
    "PreSignUp",
)
_APP_FLOWS = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]


@dataclass(frozen=True)
class Place:
    """Where everything is."""

    endpoint_url: str
    old_pool: str
    new_pool: str
    old_app_client: str
    app_client: str
    table: str = TABLE

    @property
    def announced(self) -> dict[str, str]:
        """What the line of JSON has beside the address and the pools."""
        return {
            "source_client_id": self.old_app_client,
            "target_client_id": self.app_client,
            "function_arn": ARN,
            "ledger_table": TABLE,
        }

    @property
    def of_the_function(self) -> dict[str, str]:
        """The environment of the function."""
        return {
            "SOURCE_USER_POOL_ID": self.old_pool,
            "SOURCE_CLIENT_ID": self.old_app_client,
            "TARGET_USER_POOL_ID": self.new_pool,
            "LEDGER_TABLE": TABLE,
            **dict.fromkeys(("SOURCE_ENDPOINT_URL", "TARGET_ENDPOINT_URL", "LEDGER_ENDPOINT_URL"), self.endpoint_url),
        }

    @property
    def of_the_terminal(self) -> dict[str, str]:
        """The variables that commands of another terminal need."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": REGION,
            "OLD_POOL": self.old_pool,
            "NEW_POOL": self.new_pool,
            "APP_CLIENT": self.app_client,
            "FUNCTION": ARN,
            "SOURCE_CLIENT_ID": self.old_app_client,  # which `trigger test` reads
        }


WriteConfig = Callable[[Place], Path]
"""Writes the configuration for the pools and the ledger, and returns where it is."""


def refuse_to_replace(folder: Path, names: tuple[str, ...]) -> None:
    """Raise ValueError if a file that a rehearsal writes exists: it may belong to a real migration."""
    if found := [name for name in names if (folder / name).exists()]:
        raise ValueError(
            f"{', '.join(found)} of another migration or rehearsal: nothing was started and nothing was changed. "
            "Start the sandbox in an empty folder: mkdir rehearsal && cd rehearsal"
        )


def set_up(cognito: Cognito, endpoint_url: str, old_pool: str, new_pool: str) -> Place:
    """Make app clients and the ledger's table, let every trigger call the function, and return where it all is."""
    caller = client(cognito)
    place = Place(
        endpoint_url,
        old_pool,
        new_pool,
        _app_client(caller, old_pool, "cognito-migrate", ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]),
        _app_client(caller, new_pool, "app", _APP_FLOWS),
    )
    dynamodb_client().create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    os.environ.update(place.of_the_function)
    pool = cognito.world.pool(new_pool)
    # Not by UpdateUserPool, which resets every setting that it is not given.
    pool.config["LambdaConfig"] = {**pool.functions, **dict.fromkeys(TRIGGERS, ARN)}
    return place


def _app_client(caller: Any, pool_id: str, name: str, flows: list[str]) -> str:
    answer = caller.create_user_pool_client(
        UserPoolId=pool_id, ClientName=name, ExplicitAuthFlows=flows, PreventUserExistenceErrors="ENABLED"
    )
    return str(answer["UserPoolClient"]["ClientId"])


def write_environment(place: Place, folder: Path) -> None:
    """Write the variables as a file for the shell."""
    lines = ["# Written by `cognito-migrate sandbox --trigger`. Use it in a terminal of its own: . ./sandbox.env"]
    lines += ["unset AWS_PROFILE AWS_SESSION_TOKEN SOURCE_CLIENT_SECRET_ARN"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in place.of_the_terminal.items()]
    with (folder / ENVIRONMENT_FILE).open("x", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def guide(cognito: Cognito, place: Place, config: Path) -> Iterator[str]:
    """Give the lines that tell a person what there is, who can sign in, and what to type next."""
    with cognito.world.lock:
        users = cognito.world.pool(place.old_pool).users
        people = [*one_of_each(users, users.username_attributes)]
    widths = [max((len(person[column]) for person in people), default=0) for column in (0, 1)]
    yield f"The sandbox serves until Ctrl-C at {place.endpoint_url}. No call leaves this machine."
    yield ""
    yield f"  old pool  {place.old_pool}, app client {place.old_app_client}"
    yield f"  new pool  {place.new_pool}, app client {place.app_client}"
    yield f"  function  {ARN}, attached to the new pool"
    yield f"  ledger    {TABLE}"
    yield ""
    yield f"Users of the old pool. Everybody's password is {PASSWORD}"
    yield ""
    for username, kind, becomes in people:
        yield f"  {username:{widths[0]}}  {kind:{widths[1]}}  {becomes}"
    yield ""
    yield f"Wrote {config} and {ENVIRONMENT_FILE}. In another terminal, in this folder, type:"
    yield ""
    yield f"  . ./{ENVIRONMENT_FILE}"
    yield "  cognito-migrate prepare --yes"
    yield "  cognito-migrate scan"
    yield "  cognito-migrate run --yes"
    plain = next((username for username, kind, _ in people if kind == "plain"), "NAME")
    yield f"  cognito-migrate sandbox sign-in {shlex.quote(plain)}"
    yield ""
    yield "Below, the function writes one line for each event, as it does to CloudWatch Logs."
