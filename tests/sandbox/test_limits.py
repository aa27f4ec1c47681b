"""Quotas: what is let through in a second, what shares it, and how it is asked for and raised."""

from __future__ import annotations

import threading
from bisect import bisect_left
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from live import create_user, refused
from pools import client_of
from signing_in import new_client, set_password, sign_in

from batch.pools.connect import connect
from batch.settings.config import Config, RateSettings
from sandbox.cognito import _FROM_MOTO, _OWN, Cognito
from sandbox.errors import CognitoError
from sandbox.in_process import client
from sandbox.limits import ADJUSTABLE, CATEGORY, DEFAULT_RPS, Quotas
from sandbox.server import Sandbox
from userpool.settings import PoolSettings, UserRules

POOL = "us-east-1_one"
CHALLENGES = {"RespondToAuthChallenge", "AdminRespondToAuthChallenge"}

# The developer guide's table: an operation of each category, and its default quota.
TABLE = [
    ("InitiateAuth", "UserAuthentication", 120),
    ("AdminInitiateAuth", "UserAuthentication", 120),
    ("AdminCreateUser", "UserCreation", 50),
    ("SignUp", "UserCreation", 50),
    ("ConfirmSignUp", "UserCreation", 50),
    ("AdminConfirmSignUp", "UserCreation", 50),
    ("AdminSetUserPassword", "UserAccountRecovery", 30),
    ("AdminResetUserPassword", "UserAccountRecovery", 30),
    ("ForgotPassword", "UserAccountRecovery", 30),
    ("ConfirmForgotPassword", "UserAccountRecovery", 30),
    ("ChangePassword", "UserAccountRecovery", 30),
    ("AdminGetUser", "UserRead", 120),
    ("GetUser", "UserRead", 120),
    ("AdminAddUserToGroup", "UserUpdate", 25),
    ("AdminRemoveUserFromGroup", "UserUpdate", 25),
    ("AdminUpdateUserAttributes", "UserUpdate", 25),
    ("AdminDeleteUserAttributes", "UserUpdate", 25),
    ("AdminDeleteUser", "UserUpdate", 25),
    ("AdminDisableUser", "UserUpdate", 25),
    ("AdminEnableUser", "UserUpdate", 25),
    ("AdminLinkProviderForUser", "UserUpdate", 25),
    ("AdminUserGlobalSignOut", "UserUpdate", 25),
    ("UpdateUserAttributes", "UserUpdate", 25),
    ("DeleteUser", "UserUpdate", 25),
    ("GlobalSignOut", "UserUpdate", 25),
    ("RevokeToken", "UserToken", 120),
    ("AdminListGroupsForUser", "UserResourceRead", 50),
    ("ResendConfirmationCode", "UserResourceRead", 50),
    ("AdminSetUserMFAPreference", "UserResourceUpdate", 25),
    ("AssociateSoftwareToken", "UserResourceUpdate", 25),
    ("VerifySoftwareToken", "UserResourceUpdate", 25),
    ("ListUsers", "UserList", 30),
    ("ListUsersInGroup", "UserList", 30),
    ("DescribeUserPool", "UserPoolRead", 15),
    ("ListUserPools", "UserPoolRead", 15),
    ("CreateUserPool", "UserPoolUpdate", 15),
    ("UpdateUserPool", "UserPoolUpdate", 15),
    ("DeleteUserPool", "UserPoolUpdate", 15),
    ("GetProvisionedLimit", "LimitManagement", 1),
    ("UpdateProvisionedLimit", "LimitManagement", 1),
]
# These categories have five a second for each operation and pool, beside their own quota.
CAPPED_TABLE = [
    ("UserPoolResourceRead", 20, ["ListGroups", "GetGroup", "GetUserPoolMfaConfig"]),
    ("UserPoolResourceUpdate", 15, ["CreateGroup", "UpdateGroup", "DeleteGroup", "AddCustomAttributes"]),
    ("UserPoolClientRead", 15, ["DescribeUserPoolClient", "ListUserPoolClients"]),
    ("UserPoolClientUpdate", 15, ["CreateUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"]),
]


class FakeClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        """Say what time it is."""
        return self.time


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def provisioned():
    """Quotas other than the defaults; may change at any time."""
    return {}


@pytest.fixture
def quotas(clock, provisioned):
    return Quotas(clock, provisioned)


def admitted(quotas, operation: str, tries: int = 1000, **parameters) -> int:
    """How many of so many calls of one moment are let through."""
    parameters = {"UserPoolId": POOL, **parameters}
    through = 0
    for _ in range(tries):
        try:
            quotas.admit(operation, parameters)
        except CognitoError:
            continue
        through += 1
    return through


@pytest.mark.parametrize(("operation", "category", "rps"), TABLE)
def test_each_category_has_its_default_quota(quotas, clock, operation, category, rps):
    """Of a thousand calls of one moment as many pass as the quota says, and after a second as many again."""
    assert admitted(quotas, operation) == rps
    clock.time += 0.999
    assert admitted(quotas, operation) == 0
    clock.time += 0.002
    assert admitted(quotas, operation) == rps


@pytest.mark.parametrize(("operation", "category", "rps"), TABLE)
def test_a_category_is_shared_by_its_operations_and_by_all_pools(quotas, operation, category, rps):
    """What one operation uses up in one pool, no other of its category has in any pool."""
    assert admitted(quotas, operation) == rps
    for other, its_category, _ in TABLE:
        if its_category == category:
            assert admitted(quotas, other, 5, UserPoolId="us-east-1_other") == 0


def test_categories_do_not_take_from_each_other(quotas):
    """With one category used up, every other still has all of its quota."""
    seen = {}
    for operation, category, rps in TABLE:
        if category not in seen:
            seen[category] = admitted(quotas, operation), rps
    assert all(through == rps for through, rps in seen.values())


@given(pauses=st.lists(st.floats(0, 1.5), min_size=1, max_size=150))
def test_no_second_holds_more_than_the_quota(pauses):
    """However calls come, no second, wherever it begins, holds more of them than the quota."""
    clock = FakeClock()
    quotas = Quotas(clock, {"UserRead": 3})
    times = []
    for pause in pauses:
        clock.time += pause
        times += [clock.time] * admitted(quotas, "AdminGetUser", 2)
    assert max(bisect_left(times, begin + 1) - index for index, begin in enumerate(times)) <= 3


def test_threads_share_the_quota(quotas):
    """Calls from many threads at once pass as often as from one."""
    through, start = [], threading.Barrier(8)

    def call():
        start.wait()
        through.append(admitted(quotas, "AdminCreateUser", 100))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(through) == 50


@pytest.mark.parametrize(("category", "rps", "operations"), CAPPED_TABLE)
def test_some_operations_have_five_a_second_in_a_pool(quotas, category, rps, operations):
    """In these categories an operation passes five times for a pool, and all of them together as the quota says."""
    first, second = operations[:2]
    assert admitted(quotas, first) == 5
    assert admitted(quotas, second) == 5
    through = [admitted(quotas, first, UserPoolId=f"us-east-1_{number}") for number in range(6)]
    assert through[0] == 5
    assert sum(through) + 10 == rps


def test_a_refused_call_takes_nothing(quotas, clock):
    """A call refused for its pool's cap does not use up the category, and one refused does not prolong the wait."""
    assert admitted(quotas, "ListGroups", 100) == 5
    assert sum(admitted(quotas, "ListGroups", 5, UserPoolId=f"us-east-1_{number}") for number in range(9)) == 15
    clock.time += 0.5
    assert admitted(quotas, "ListGroups", 100) == 0
    clock.time += 0.6
    assert admitted(quotas, "ListGroups", 100) == 5


@pytest.mark.parametrize("operation", sorted(CHALLENGES))
def test_answers_to_challenges_have_three_times_the_quota_and_then_that_of_signing_in(quotas, operation):
    """They pass 360 times by themselves; what comes over it takes from UserAuthentication."""
    assert admitted(quotas, operation, 360, ChallengeName="SMS_MFA") == 360
    assert admitted(quotas, operation, 20, ChallengeName="SMS_MFA") == 20
    assert admitted(quotas, "InitiateAuth") == 100
    assert admitted(quotas, operation, 20, ChallengeName="SMS_MFA") == 0


def test_signing_in_takes_nothing_from_answers_to_challenges(quotas):
    """With UserAuthentication used up, answers to challenges still have their own."""
    assert admitted(quotas, "AdminInitiateAuth") == 120
    assert admitted(quotas, "RespondToAuthChallenge", ChallengeName="CUSTOM_CHALLENGE") == 360


def test_a_raised_quota_of_signing_in_raises_that_of_challenges(quotas, provisioned):
    """Three times is of the provisioned quota."""
    provisioned["UserAuthentication"] = 10
    assert admitted(quotas, "RespondToAuthChallenge", ChallengeName="SMS_MFA") == 40


@pytest.mark.parametrize("operation", sorted(CHALLENGES))
def test_a_new_password_counts_as_account_recovery(quotas, operation):
    """Answers to NEW_PASSWORD_REQUIRED share UserAccountRecovery, and take from no other category."""
    assert admitted(quotas, "ForgotPassword", 10) == 10
    assert admitted(quotas, operation, ChallengeName="NEW_PASSWORD_REQUIRED") == 20
    assert admitted(quotas, "AdminSetUserPassword") == 0
    assert admitted(quotas, operation, ChallengeName="SMS_MFA") == 480
    assert admitted(quotas, "InitiateAuth") == 0


def test_a_changed_quota_counts_at_once(quotas, provisioned):
    """Raising a quota lets more calls through in the same second."""
    assert admitted(quotas, "AdminCreateUser") == 50
    provisioned["UserCreation"] = 80
    assert admitted(quotas, "AdminCreateUser") == 30


def test_every_operation_counts_somewhere():
    """Each operation that the sandbox answers has a category or answers a challenge, and no category is for nothing."""
    answered = set(_OWN) | _FROM_MOTO
    assert answered - set(CATEGORY) == CHALLENGES
    assert set(CATEGORY) <= answered
    assert set(CATEGORY.values()) == set(DEFAULT_RPS) - {"UserFederation"}  # no sign-in through other providers here


# Over HTTP


@contextmanager
def served(cognito, **options):
    """A server of a Cognito, and a client that tries once."""
    with Sandbox(cognito=cognito, **options) as server, client_of(server.endpoint_url) as over_http:
        yield server, over_http


@pytest.fixture
def still(local):
    """A Cognito of its own whose clock stands still."""
    local.world.clock = FakeClock()
    return local


def test_too_many_requests_are_refused_over_http(still):
    """Over the quota the caller gets TooManyRequestsException with status 400, and the call is not carried out."""
    pool_id = client(still).create_user_pool(PoolName="pool")["UserPool"]["Id"]
    still.world.provisioned["UserCreation"] = 2
    with served(still, quotas=True) as (server, over_http):
        for number in range(2):
            create_user(over_http, pool_id, f"user{number}")
        with pytest.raises(ClientError, match="TooManyRequestsException") as caught:
            create_user(over_http, pool_id, "one-too-many")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert server.throttled == {"AdminCreateUser": 1}
        assert server.calls["AdminCreateUser"] == server.succeeded["AdminCreateUser"] == 2
        still.world.clock.time += 1.1
        create_user(over_http, pool_id, "in-the-next-second")
    assert len(still.world.pool(pool_id).users) == 3


def test_a_client_in_this_process_meets_no_quotas(still):
    """Calls without a server pass, and take nothing from those over HTTP."""
    still.world.provisioned["UserPoolRead"] = 1
    here = client(still)
    with served(still, quotas=True) as (server, over_http):
        for _ in range(5):
            here.list_user_pools(MaxResults=1)
        over_http.list_user_pools(MaxResults=1)
        with refused("TooManyRequestsException"):
            over_http.list_user_pools(MaxResults=1)
        here.list_user_pools(MaxResults=1)
        assert server.throttled == {"ListUserPools": 1}


def test_without_the_option_there_are_no_quotas(still):
    """A server counts nothing against the quotas unless told to."""
    still.world.provisioned["UserPoolRead"] = 1
    with served(still) as (server, over_http):
        for _ in range(5):
            over_http.list_user_pools(MaxResults=1)
        assert server.throttled == {}


# Asking for quotas, and changing them


def definition(category: str) -> dict:
    return {"LimitClass": "API_CATEGORY", "Attributes": {"Category": category}}


@pytest.mark.parametrize("category", sorted(DEFAULT_RPS))
def test_cognito_tells_its_quotas(local, category):
    """GetProvisionedLimit answers the default, for each category."""
    limit = client(local).get_provisioned_limit(LimitDefinition=definition(category))["Limit"]
    assert limit == {
        "LimitDefinition": definition(category),
        "ProvisionedLimitValue": DEFAULT_RPS[category],
        "FreeLimitValue": DEFAULT_RPS[category],
    }


@pytest.mark.parametrize("category", sorted(ADJUSTABLE))
def test_a_quota_can_be_raised(local, category):
    """What UpdateProvisionedLimit sets is answered, and told from then on; the free one stays."""
    here = client(local)
    answer = here.update_provisioned_limit(LimitDefinition=definition(category), RequestedLimitValue=1234)
    assert answer["Limit"]["ProvisionedLimitValue"] == 1234
    assert here.get_provisioned_limit(LimitDefinition=definition(category))["Limit"] == answer["Limit"]
    assert answer["Limit"]["FreeLimitValue"] == DEFAULT_RPS[category]


@pytest.mark.parametrize("category", sorted(set(DEFAULT_RPS) - ADJUSTABLE))
def test_a_quota_that_cannot_be_changed_stays(local, category):
    """Changing another category's quota is refused."""
    here = client(local)
    with refused("NotAuthorizedException", category):
        here.update_provisioned_limit(LimitDefinition=definition(category), RequestedLimitValue=1234)
    assert local.world.provisioned == {}


def test_the_quotas_that_can_be_raised_are_those_of_the_guide():
    """Six categories can be adjusted."""
    assert {
        "UserAuthentication",
        "UserCreation",
        "UserFederation",
        "UserRead",
        "UserToken",
        "UserResourceRead",
    } == ADJUSTABLE


@pytest.mark.parametrize(
    "wrong",
    [
        {"LimitClass": "API_CATEGORY", "Attributes": {"Category": "UserLaughter"}},
        {"LimitClass": "API_CATEGORY", "Attributes": {}},
    ],
)
def test_a_quota_that_is_not_there_is_refused(local, wrong):
    """Neither a category that does not exist nor none can be asked for or changed."""
    here = client(local)
    with refused("InvalidParameterException"):
        here.get_provisioned_limit(LimitDefinition=wrong)
    with refused("InvalidParameterException"):
        here.update_provisioned_limit(LimitDefinition=wrong, RequestedLimitValue=5)


def test_the_batch_job_takes_the_quotas_that_the_sandbox_tells():
    """With rate.limits auto the job's pace is a share of the sandbox's provisioned quotas."""
    cognito = Cognito(account="123456789012")
    here = client(cognito)
    source, target = (here.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("old", "new"))
    for category, rps in {"UserCreation": 200, "UserRead": 300}.items():
        here.update_provisioned_limit(LimitDefinition=definition(category), RequestedLimitValue=rps)
    with Sandbox(cognito=cognito) as server:
        settings = [PoolSettings(pool, endpoint_url=server.endpoint_url) for pool in (source, target)]
        config = Config(*settings, rate=RateSettings(share=0.5), workers=2, users=UserRules(keep_sub_as=None))
        said: list[str] = []
        migration = connect(config, stop=threading.Event(), say=said.append)
        assert server.succeeded["GetProvisionedLimit"] == 3
    assert said == []
    assert migration.target.rps("AdminCreateUser") == 100
    assert migration.target.rps("AdminGetUser") == 150
    assert migration.source.rps("AdminListGroupsForUser") == 25


def test_a_sign_in_counts_over_http(still):
    """InitiateAuth meets UserAuthentication, whatever becomes of the sign-in."""
    here = client(still)
    pool_id = here.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    create_user(here, pool_id, "bob")
    set_password(here, pool_id, "bob")
    client_id = new_client(here, pool_id)
    still.world.provisioned["UserAuthentication"] = 2
    with served(still, quotas=True) as (_, over_http):
        with refused("NotAuthorizedException"):
            sign_in(over_http, client_id, "bob", "Wr0ng-password!")
        sign_in(over_http, client_id)
        with refused("TooManyRequestsException"):
            sign_in(over_http, client_id)
