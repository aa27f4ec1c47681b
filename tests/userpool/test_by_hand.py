"""Lines of the AWS CLI to paste, run as the calls that they are."""

from __future__ import annotations

import shlex

import pytest

from userpool.by_hand import function_line, make_table, pool_line, table_line
from userpool.settings import LedgerSettings, PoolSettings

POOL = PoolSettings("eu-west-1_New1")
STAND_IN = PoolSettings("eu-west-1_New1", profile="the shop", endpoint_url="http://127.0.0.1:5000")
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:capture"


def test_a_line_names_the_pool_and_its_region():
    """Whatever region the shell is set to, the line acts on the pool."""
    assert pool_line(POOL, "delete-user-pool") == (
        "aws cognito-idp delete-user-pool --user-pool-id eu-west-1_New1 --region eu-west-1"
    )


@pytest.mark.parametrize(
    "line",
    [
        pool_line(STAND_IN, "create-group", "--group-name", "a; b"),
        table_line(LedgerSettings("ledger", endpoint_url="http://127.0.0.1:5000"), STAND_IN, "delete-table"),
    ],
)
def test_a_stand_in_is_named_and_sent_no_credentials(line):
    """A line for a stand-in never reaches AWS, and values are quoted for a shell."""
    words = shlex.split(line)
    assert words[words.index("--endpoint-url") + 1] == "http://127.0.0.1:5000"
    assert "--no-sign-request" in words
    assert "--profile" not in words
    assert ";" not in words


def test_a_table_may_be_in_a_region_and_on_an_endpoint_of_its_own():
    """The ledger's own region counts, else the new pool's; its endpoint is not the pool's."""
    assert table_line(LedgerSettings("ledger", region="eu-north-1"), STAND_IN, "describe-table") == (
        "aws dynamodb describe-table --table-name ledger --region eu-north-1 --profile 'the shop'"
    )
    assert "--region eu-west-1" in make_table(LedgerSettings("ledger"), POOL, "id")


def test_a_function_is_called_where_it_is():
    """The region is that of its ARN, and no stand-in of Cognito's is asked about it."""
    line = function_line(FUNCTION, STAND_IN, "get-policy")
    assert line == f"aws lambda get-policy --function-name {FUNCTION} --region eu-central-1 --profile 'the shop'"


def test_a_role_stands_in_the_place_of_the_profile():
    """The CLI takes no role: the line names a profile of that name, and is refused until somebody has made it."""
    role = "arn:aws:iam::123456789012:role/migrate"
    line = pool_line(PoolSettings("eu-west-1_New1", profile="x", role_arn=role), "list-users")
    assert shlex.split(line)[-2:] == ["--profile", role]
