"""What credentials may do is found out without doing it."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore import xform_name
from checking import set_up
from ledgers import shared_client

from batch.check.facts import Allowed
from batch.check.finding import Severity
from batch.check.permissions import ONLY_IF_ALLOWED, Resource
from batch.check.rights import NEEDED, READ_ANYHOW, harmless, rights
from userpool.errors import DroppedError, FatalError, NotAllowedError
from userpool.ledger_table import LedgerTable, Write

CREATING = {"cognito-idp:AdminCreateUser", "cognito-idp:CreateGroup"}


@pytest.fixture
def made(tmp_path):
    """A good set-up."""
    made = set_up(tmp_path)
    made.announce()
    return made


def asked_of_iam(*denied):
    """IAM, as it allows everything but some actions."""
    return lambda actions, _: {action: action not in denied for action in actions}


def test_every_needed_permission_is_asked_about(made):
    """Of each action that scan, run and verify need it is said whether it is allowed; only creating cannot be asked."""
    found = made.facts().rights
    wanted = {
        (resource, action)
        for resource in (Resource.SOURCE, Resource.TARGET, Resource.LEDGER)
        for action in NEEDED[resource]
    }
    read = {(side, action) for side in (Resource.SOURCE, Resource.TARGET) for action in READ_ANYHOW} & wanted
    assert set(found) | read == wanted
    unknown = {action for (_, action), allowed in found.items() if allowed is Allowed.UNKNOWN}
    assert unknown == CREATING
    assert Allowed.NO not in found.values()


def test_nothing_that_creates_is_ever_called(made):
    """No call of a check creates, nor names anybody who is there: names are random, and other ones each time."""
    made.facts()
    assert (
        not {"AdminCreateUser", "CreateGroup", "AdminDeleteUser", "DeleteGroup", "UpdateUserPool"} & made.calls.keys()
    )
    assert not {"AdminCreateUser", "CreateGroup"} & harmless("x").keys()
    one, other = harmless("x"), harmless("x")
    named = [call for call in one.values() if "Limit" not in call]
    assert all(call.keys() & {"Username", "GroupName", "User", "SourceUser"} for call in named)
    assert one["AdminGetUser"] != other["AdminGetUser"]


def test_what_is_harmless_changes_nothing_even_where_somebody_has_a_like_name(made):
    """The calls end in "no such user" or group, or list; each is one that AWS knows."""
    made.add_users("ada")
    pool = made.config.source.user_pool_id
    before = made.cognito.list_users(UserPoolId=pool)["Users"]
    for operation, parameters in harmless("Passw0rd!x").items():
        call = getattr(made.cognito, xform_name(operation))
        if "Limit" in parameters:
            call(UserPoolId=pool, **parameters)
        else:
            with pytest.raises(
                (made.cognito.exceptions.UserNotFoundException, made.cognito.exceptions.ResourceNotFoundException)
            ):
                call(UserPoolId=pool, **parameters)
    assert made.cognito.list_users(UserPoolId=pool)["Users"] == before


@pytest.mark.parametrize("operation", ["ListUsers", "AdminSetUserPassword", "UpdateGroup"])
def test_a_refused_call_is_a_missing_permission(made, operation):
    """What AWS refuses is an error with the statement that allows it, on the pools' own ARNs."""
    made.refused.add(operation)
    bad = [one for one in made.findings() if one.severity is Severity.ERROR]
    assert {one.code for one in bad} == {"not-allowed"}
    assert all(f'"cognito-idp:{operation}"' in one.command for one in bad)
    assert all(":userpool/us-east-1_" in one.command for one in bad)


def test_iam_is_asked_first(made):
    """Where IAM tells, no call is made that would be a write; creating is known then, too."""
    made.options["simulate"] = {side: asked_of_iam("cognito-idp:AdminCreateUser") for side in ("source", "target")}
    found = made.facts().rights
    assert not [name for name in made.calls if name.startswith(("AdminSet", "AdminAdd", "AdminUpdate", "UpdateGroup"))]
    assert found[Resource.TARGET, "cognito-idp:AdminCreateUser"] is Allowed.NO
    assert found[Resource.TARGET, "cognito-idp:CreateGroup"] is Allowed.YES
    assert made.bad()["not-allowed"].what.endswith("cognito-idp:AdminCreateUser.")


@pytest.mark.parametrize("kind", [NotAllowedError, FatalError])
def test_iam_may_refuse_to_tell(made, kind):
    """Then harmless calls are made, as if there were no IAM."""

    def refuse(*_):
        raise kind("grant iam:SimulatePrincipalPolicy")

    made.options["simulate"] = {"source": refuse, "target": refuse}
    assert made.bad() == {}
    assert made.calls["AdminSetUserPassword"] == 1


class Refusing(LedgerTable):
    """A table that these credentials may not write to."""

    def write(self, write: Write):
        """Refuse."""
        raise NotAllowedError(
            f"{write.kind}Item on the ledger: AccessDeniedException: grant dynamodb:{write.kind}Item on it."
        )


def test_a_ledger_that_may_not_be_written(made):
    """Each kind of write that is refused is named, and the table is not changed by asking."""
    made.table = Refusing(shared_client(), made.table.name)
    found = made.bad()["not-allowed"]
    assert found.what == (
        "not allowed on the ledger's table: dynamodb:DeleteItem, dynamodb:PutItem, dynamodb:UpdateItem."
    )
    assert ":table/" in found.command


def test_what_got_no_answer_is_not_known(made):
    """A call that was dropped says nothing about permission."""

    def drop(*_, **__):
        raise DroppedError("no answer")

    found = rights({"source": (drop, made.facts().source.description)}, None, {})
    assert set(found.values()) == {Allowed.UNKNOWN}


def test_what_is_done_without_is_no_error(made):
    """GetProvisionedLimit and its like are named as done without."""
    assert {"cognito-idp:GetProvisionedLimit"} <= ONLY_IF_ALLOWED
    made.refused.add("GetProvisionedLimit")
    found = Counter(one.code for one in made.findings())
    assert found["quotas-not-told"] == 1
    assert made.bad() == {}
