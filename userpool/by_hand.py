"""Lines of the AWS CLI for a person to paste: each acts on the very pool, table or function that it is about.

Without region, profile and endpoint a pasted line would act on whatever the shell is set to: another account, perhaps.
"""

from __future__ import annotations

import shlex

from userpool.client import is_loopback
from userpool.settings import LedgerSettings, PoolSettings


def pool_line(pool: PoolSettings, operation: str, *words: str) -> str:
    """Return the line that makes a call of Cognito's on the pool; `operation` is in the CLI's spelling."""
    named = ("--user-pool-id", pool.user_pool_id)
    return _line(pool, "cognito-idp", operation, *named, *words, region=pool.region_name, endpoint=pool.endpoint_url)


def table_line(ledger: LedgerSettings, pool: PoolSettings, operation: str, *words: str) -> str:
    """Return the line that makes a call of DynamoDB's on the ledger's table, as whoever calls the new `pool`."""
    region = ledger.region or pool.region_name
    named = ("--table-name", ledger.table)
    return _line(pool, "dynamodb", operation, *named, *words, region=region, endpoint=ledger.endpoint_url)


def function_line(arn: str, pool: PoolSettings, operation: str, *words: str) -> str:
    """Return the line that makes a call of Lambda's on a function, as whoever calls its `pool`."""
    named = ("--function-name", arn)
    return _line(pool, "lambda", operation, *named, *words, region=arn.split(":")[3], endpoint=None)


def make_table(ledger: LedgerSettings, pool: PoolSettings, key: str) -> str:
    """Return the line that makes the ledger's table, with the text `key` as its only key."""
    by = ("--attribute-definitions", f"AttributeName={key},AttributeType=S")
    keyed = ("--key-schema", f"AttributeName={key},KeyType=HASH")
    return table_line(ledger, pool, "create-table", "--billing-mode", "PAY_PER_REQUEST", *by, *keyed)


def _line(owner: PoolSettings, *words: str, region: str, endpoint: str | None) -> str:
    place = ["--region", region]
    if endpoint:
        place += ["--endpoint-url", endpoint]
    # A stand-in on this machine needs no credentials, and must not be sent any.
    if is_loopback(endpoint):
        place += ["--no-sign-request"]
    # The CLI has no option for a role. A profile of the role's name does not exist until somebody makes it, so the line
    # is refused, and does not act as whoever the shell is (docs/permissions.md).
    elif as_whom := owner.role_arn or owner.profile:
        place += ["--profile", as_whom]
    return shlex.join(["aws", *words, *place])
