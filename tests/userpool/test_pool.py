from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from userpool.app_client import AppClient
from userpool.door import PageExpiredError
from userpool.errors import (
    AlreadyExistsError,
    DroppedError,
    FatalError,
    MigrationError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
    UserError,
)
from userpool.pool import UserPool
from userpool.user import Group, Status

PASSWORD = "Passw0rd-of-nobody!"
EMAIL = "zoe.angstrom@example.com"


@pytest.fixture(scope="module")
def large(client):
    """A pool of 150 users and 130 groups; 130 users are in one group, and one user in 75."""
    pool_id = client.create_user_pool(PoolName="large")["UserPool"]["Id"]
    for number in range(150):
        client.admin_create_user(UserPoolId=pool_id, Username=f"user{number:03}", MessageAction="SUPPRESS")
    for number in range(130):
        client.create_group(UserPoolId=pool_id, GroupName=f"group{number:03}")
        client.admin_add_user_to_group(UserPoolId=pool_id, Username=f"user{number:03}", GroupName="group000")
    for number in range(1, 75):
        client.admin_add_user_to_group(UserPoolId=pool_id, Username="user000", GroupName=f"group{number:03}")
    return UserPool(client, pool_id)


@pytest.fixture(scope="module")
def small_id(client):
    """The id of a pool with a marker attribute, shared by the tests."""
    attribute = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}
    return client.create_user_pool(PoolName="small", Schema=[attribute])["UserPool"]["Id"]


@pytest.fixture
def pool(client, small_id):
    """A pool without users and groups."""
    yield UserPool(client, small_id)
    for user in client.list_users(UserPoolId=small_id)["Users"]:
        client.admin_delete_user(UserPoolId=small_id, Username=user["Username"])
    for group in client.list_groups(UserPoolId=small_id)["Groups"]:
        client.delete_group(UserPoolId=small_id, GroupName=group["GroupName"])


def test_a_pool_with_user_names_describes_itself(client):
    """What DescribeUserPool says of a case-sensitive pool with user names is read as it is."""
    made = client.create_user_pool(
        PoolName="described",
        UsernameConfiguration={"CaseSensitive": True},
        Policies={"PasswordPolicy": {"MinimumLength": 40, "RequireSymbols": True}},
        Schema=[
            {
                "Name": "level",
                "AttributeDataType": "Number",
                "Mutable": False,
                "NumberAttributeConstraints": {"MinValue": "1", "MaxValue": "9"},
            },
            {"Name": "email", "AttributeDataType": "String", "Required": True},
        ],
    )["UserPool"]["Id"]
    client.admin_create_user(UserPoolId=made, Username="one", MessageAction="SUPPRESS")
    described = UserPool(client, made).describe()
    assert (described.pool_id, described.region, described.account) == (made, "us-east-1", "123456789012")
    assert described.sign_in.case_sensitive
    assert (described.sign_in.username_attributes, described.sign_in.alias_attributes) == ((), ())
    assert described.password_policy["MinimumLength"] == 40
    assert described.estimated_users == 1
    level = described.schema.get("custom:level")
    assert (level.type, level.mutable, level.least, level.greatest) == ("Number", False, 1.0, 9.0)
    assert "email" in described.schema.required


@pytest.mark.parametrize(
    ("options", "names", "aliases"),
    [
        ({"UsernameAttributes": ["phone_number", "email"]}, ("email", "phone_number"), ()),
        ({"AliasAttributes": ["preferred_username", "email"]}, (), ("email", "preferred_username")),
    ],
)
def test_the_other_kinds_of_pools_describe_themselves(client, options, names, aliases):
    """Pools whose users sign in by attribute or alias are known by it, and insensitive ones by their setting."""
    made = client.create_user_pool(PoolName="kind", UsernameConfiguration={"CaseSensitive": False}, **options)
    sign_in = UserPool(client, made["UserPool"]["Id"]).describe().sign_in
    assert (sign_in.username_attributes, sign_in.alias_attributes) == (names, aliases)
    assert not sign_in.case_sensitive


def test_a_pool_that_is_not_there_is_fatal(client):
    """A wrong pool id is named, with what to check."""
    with pytest.raises(FatalError, match=r"us-east-1_Nowhere01.*user_pool_id and region"):
        UserPool(client, "us-east-1_Nowhere01").describe()


class Answers:
    """A client that gives the answers of a test, like boto3 does; an exception is raised."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.params: list[dict] = []

    def __getattr__(self, name):
        def call(**params):
            self.params.append(params)
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def answering(*answers) -> tuple[UserPool, Answers]:
    client = Answers(*answers)
    return UserPool(client, "eu-west-1_Pool"), client


@pytest.mark.parametrize("ahead", [-3600, 0, 90])
def test_the_clock_of_cognito_is_known_by_its_answers(ahead):
    """How far Cognito's clock is ahead of this machine's is read off the date of its answer."""
    date = datetime.fromtimestamp(time.time() + ahead, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    answer = {"UserPool": {"Id": "x"}, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}
    assert answering(answer)[0].describe().clock_offset == pytest.approx(ahead, abs=30)
    assert answering({"UserPool": {"Id": "x"}})[0].describe().clock_offset == 0


def test_all_users_are_listed(large):
    """A pool of 150 users is listed completely, each user once, in pages of 60."""
    pages = [[user.username for user in page] for page in large.users()]
    assert [len(page) for page in pages] == [60, 60, 30]
    assert sorted(name for page in pages for name in page) == [f"user{number:03}" for number in range(150)]


def test_all_members_are_listed(large):
    """A group of 130 members is listed completely, each member once."""
    members = [user.username for page in large.members("group000") for user in page]
    assert sorted(members) == [f"user{number:03}" for number in range(130)]


def test_all_groups_are_listed(large):
    """130 groups are listed completely, each once."""
    groups = [group.name for page in large.groups() for group in page]
    assert sorted(groups) == [f"group{number:03}" for number in range(130)]


def test_all_groups_of_a_user_are_listed(large):
    """A user's 75 groups are listed completely, each once."""
    names = [name for page in large.groups_of("user000") for name in page]
    assert sorted(names) == [f"group{number:03}" for number in range(75)]


def test_a_listed_user_is_read_completely(client, pool):
    """A user's name, sub, attributes, status, flag and dates are read from a listing as from a look."""
    made = pool.create("zoe", {"email": EMAIL, "email_verified": "true", "name": "Zoë 小龙"}, PASSWORD)
    pool.disable("zoe")
    ((listed,),) = pool.users()
    assert listed == pool.find("zoe")
    assert (listed.username, listed.sub, listed.status, listed.enabled) == (
        "zoe",
        made.sub,
        Status.FORCE_CHANGE_PASSWORD,
        False,
    )
    assert listed.attributes == {"email": EMAIL, "email_verified": "true", "name": "Zoë 小龙"}
    assert listed.modified >= listed.created == pytest.approx(time.time(), abs=60)


def item(name):
    now = datetime.now(UTC)
    return {"Username": name, "Attributes": [], "UserCreateDate": now, "UserLastModifiedDate": now}


def page(*names, token=None):
    answer = {"Users": [item(name) for name in names]}
    return answer | ({"PaginationToken": token} if token else {})


def refused(code, message="no", status=400):
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "ListUsers"
    )


def names_of(pages):
    return [[user.username for user in users] for users in pages]


def test_short_and_empty_pages_are_not_the_end():
    """Only a page without a token is the last: short ones and empty ones in between are passed."""
    pool, client = answering(page("a", token="1"), page(token="2"), page("b", "c", token="3"), page(token="4"), page())
    assert [name for names in names_of(pool.users()) for name in names] == ["a", "b", "c"]
    assert [params.get("PaginationToken") for params in client.params] == [None, "1", "2", "3", "4"]


def test_an_empty_pool_is_one_empty_page():
    """A pool without users ends after one page."""
    pool, _ = answering(page())
    assert names_of(pool.users()) == [[]]


@pytest.mark.parametrize("code", ["InvalidParameterException", "NotAuthorizedException", "SomethingNewException"])
def test_a_token_that_expires_begins_the_listing_anew(code):
    """When a token is refused in the middle the listing begins anew, and everything is seen."""
    pool, client = answering(
        *(page("a", token="1"), page("b", token="2"), refused(code)),
        *(page("a", token="3"), page("b", token="4"), page("c")),
    )
    seen = names_of(pool.users())
    assert {name for names in seen for name in names} == {"a", "b", "c"}
    assert [params.get("PaginationToken") for params in client.params] == [None, "1", "2", None, "3", "4"]


def test_tokens_that_always_expire_end_with_an_error():
    """A listing that never gets to its end is an error, not half a listing and not an endless one."""
    pool, client = answering(*[page("a", token="1"), refused("InvalidParameterException")] * 50)
    with pytest.raises(PageExpiredError, match="eu-west-1_Pool"):
        list(pool.users())
    assert len(client.params) < 50


def test_a_listing_that_is_refused_at_once_is_not_an_expired_token():
    """A refusal of the first page is said as it is, after one call."""
    pool, client = answering(refused("InvalidParameterException", "Bad filter"))
    with pytest.raises(UserError, match="Bad filter"):
        list(pool.users())
    assert len(client.params) == 1


def test_trouble_in_the_middle_of_a_listing_is_not_an_expired_token():
    """A denied, throttled or dropped page is that, and is left to whoever knows what to do about it."""
    for error, kind in (
        (refused("AccessDeniedException"), FatalError),
        (refused("InternalErrorException", status=500), DroppedError),
        (ReadTimeoutError(endpoint_url="https://x"), DroppedError),
        (EndpointConnectionError(endpoint_url="https://x"), UnreachableError),
    ):
        pool, client = answering(page("a", token="1"), error)
        with pytest.raises(kind):
            list(pool.users())
        assert len(client.params) == 2


def test_a_page_that_is_never_answered_ends_the_listing():
    """A page that got no answer, however often it was asked for, is called that, and the listing is not begun anew."""

    def gives_up(_operation, attempt, *, repeatable):
        try:
            return attempt()
        except DroppedError as error:
            raise UnansweredError(str(error)) from None

    _, client = answering(page("a", token="1"), refused("InternalErrorException", status=500))
    with pytest.raises(UnansweredError, match="InternalErrorException"):
        list(UserPool(client, "eu-west-1_Pool", gives_up).users())
    assert len(client.params) == 2


def test_a_group_that_is_deleted_while_it_is_read_has_no_more_members():
    """A group that goes between two pages ends there, as do the groups of a user who goes."""
    for method, key, gone in (
        ("members", "Users", "ResourceNotFoundException"),
        ("groups_of", "Groups", "UserNotFoundException"),
    ):
        first = {"Users": [item("a")], "Groups": [{"GroupName": "g"}], "NextToken": "1"}
        pool, _ = answering({key: first[key], "NextToken": "1"}, refused(gone))
        assert [len(found) for found in getattr(pool, method)("any")] == [1]


def test_whoever_is_not_there_has_nothing(pool):
    """A group that is not there has no members, a user who is not there no groups, and a look finds nobody."""
    assert list(pool.members("nothing")) == []
    assert list(pool.groups_of("nobody")) == []
    assert pool.find("nobody") is None


def test_a_created_user_is_told_nothing_and_takes_nothing_from_others():
    """AdminCreateUser sends no message, takes no alias from anybody, and always gives a password."""
    pool, client = answering({"User": item("zoe")})
    pool.create("zoe", {"email": EMAIL}, PASSWORD)
    assert client.params == [
        {
            "UserPoolId": "eu-west-1_Pool",
            "Username": "zoe",
            "UserAttributes": [{"Name": "email", "Value": EMAIL}],
            "TemporaryPassword": PASSWORD,
            "MessageAction": "SUPPRESS",
            "ForceAliasCreation": False,
        }
    ]


def test_a_created_user_has_what_was_asked_for(pool):
    """A created user stands in FORCE_CHANGE_PASSWORD with its attributes, unverified flags included."""
    made = pool.create("zoe", {"email": EMAIL, "email_verified": "false"}, PASSWORD)
    assert (made.username, made.status, made.enabled) == ("zoe", Status.FORCE_CHANGE_PASSWORD, True)
    assert pool.find("zoe").attributes == {"email": EMAIL, "email_verified": "false"}
    assert pool.find("zoe").sub == made.sub


@pytest.mark.parametrize("code", ["UsernameExistsException", "AliasExistsException"])
def test_a_name_or_alias_that_is_taken_is_known_by_its_error(code):
    """Whatever of a new user is taken, the error is the one for it."""
    pool, _ = answering(refused(code))
    with pytest.raises(AlreadyExistsError):
        pool.create("zoe", {}, PASSWORD)


def test_creating_a_user_twice_leaves_the_first_as_it_is(pool):
    """A second creation is refused and changes nothing."""
    pool.create("zoe", {"email": EMAIL}, PASSWORD)
    before = pool.find("zoe")
    with pytest.raises(AlreadyExistsError):
        pool.create("zoe", {"email": "other@example.com"}, PASSWORD)
    assert pool.find("zoe") == before


def test_a_password_that_is_set_is_for_good(pool):
    """Setting a password confirms the user."""
    pool.create("zoe", {}, PASSWORD)
    pool.set_password("zoe", PASSWORD)
    assert pool.find("zoe").status is Status.CONFIRMED


def test_disabling_twice_is_as_good_as_once(pool):
    """A user who is disabled stays so when it is done again."""
    pool.create("zoe", {}, PASSWORD)
    pool.disable("zoe")
    pool.disable("zoe")
    assert not pool.find("zoe").enabled


def test_a_membership_may_be_given_twice(pool):
    """Adding a member again changes nothing."""
    pool.create("zoe", {}, PASSWORD)
    pool.create_group(Group("readers"))
    pool.add_to_group("zoe", "readers")
    pool.add_to_group("zoe", "readers")
    assert [names for names in pool.groups_of("zoe") if names] == [["readers"]]


def test_who_or_what_is_missing_is_told_apart(pool):
    """For a missing user and for a missing group the error is NotFound, and its text says which."""
    pool.create("zoe", {}, PASSWORD)
    pool.create_group(Group("readers"))
    with pytest.raises(NotFoundError, match="UserNotFound"):
        pool.add_to_group("nobody", "readers")
    with pytest.raises(NotFoundError, match="ResourceNotFound"):
        pool.add_to_group("zoe", "nothing")
    for call in (lambda: pool.disable("nobody"), lambda: pool.set_password("nobody", PASSWORD)):
        with pytest.raises(NotFoundError):
            call()


def test_a_group_is_created_once(pool):
    """Creating a group says whether it was new; one that is there keeps its definition."""
    group = Group("readers", "Read only", 0, "arn:aws:iam::123456789012:role/reader")
    assert pool.create_group(group)
    assert not pool.create_group(Group("readers", "Other", 9))
    assert list(pool.groups()) == [[group]]


class Asked:
    """A policy that remembers what may be repeated."""

    def __init__(self) -> None:
        self.repeatable: dict[str, bool] = {}

    def __call__(self, operation, attempt, *, repeatable):
        """Carry the attempt out."""
        self.repeatable[operation] = repeatable
        return attempt()


def test_only_calls_that_do_no_harm_twice_may_be_repeated(pool):
    """Creating a user and setting a password are never repeated blindly; everything else may be."""
    asked = Asked()
    watched = pool.paced_by(asked)
    watched.describe()
    watched.create("zoe", {}, PASSWORD)
    watched.set_password("zoe", PASSWORD)
    watched.disable("zoe")
    watched.create_group(Group("readers"))
    watched.add_to_group("zoe", "readers")
    watched.find("zoe")
    for listing in (watched.users(), watched.groups(), watched.members("readers"), watched.groups_of("zoe")):
        list(listing)
    assert {operation for operation, repeatable in asked.repeatable.items() if not repeatable} == {
        "AdminCreateUser",
        "AdminSetUserPassword",
    }
    assert len(asked.repeatable) == 11


@pytest.mark.parametrize(
    "message",
    [
        f"Invalid email {EMAIL} for user",
        f"1 validation error detected: Value '{PASSWORD}' at 'temporaryPassword' failed",
        f"1 validation error detected: Value '[AttributeType(name=email, value={EMAIL})]' at 'userAttributes' failed",
        f"{EMAIL}{PASSWORD}",
    ],
)
@pytest.mark.parametrize("code", ["InvalidParameterException", "UsernameExistsException", "InternalErrorException"])
def test_errors_repeat_no_value(code, message):
    """Whatever Cognito quotes, no attribute value and no password gets into the error, its cause or its context."""
    pool, _ = answering(refused(code, message))
    with pytest.raises(MigrationError) as raised:
        pool.create("zoe", {"email": EMAIL}, PASSWORD)
    told = "".join(_all_of(raised.value))
    assert EMAIL not in told
    assert PASSWORD not in told
    assert code in told


def test_errors_of_setting_a_password_do_not_repeat_it():
    """A password that Cognito quotes in a refusal is not repeated."""
    pool, _ = answering(refused("InvalidPasswordException", f"Password {PASSWORD} is too weak"))
    with pytest.raises(UserError) as raised:
        pool.set_password("zoe", PASSWORD)
    assert PASSWORD not in "".join(_all_of(raised.value))


def _all_of(error):
    """What a traceback would show of an error."""
    yield repr(error)
    yield str(error)
    if error.__cause__ is not None:
        yield from _all_of(error.__cause__)
    if error.__context__ is not None and not error.__suppress_context__:
        yield from _all_of(error.__context__)


def test_values_that_boto3_itself_refuses_are_not_repeated(client, pool):
    """A value that never leaves this machine, because boto3 refuses it, is not repeated either."""
    with pytest.raises(UserError) as raised:
        pool.create("zoe", {"email": 4711_0815}, PASSWORD)
    told = "".join(_all_of(raised.value))
    assert "47110815" not in told
    assert PASSWORD not in told


def test_a_user_shows_no_value(pool):
    """What a log would show of a user holds no attribute value."""
    pool.create("zoe", {"email": EMAIL}, PASSWORD)
    assert EMAIL not in repr(pool.find("zoe"))


def test_a_quota_is_asked_for_by_category():
    """The account's quota of a category is asked of Cognito, for no pool in particular."""
    pool, client = answering({"Limit": {"ProvisionedLimitValue": 150}})
    assert pool.provisioned_rps("UserCreation") == 150.0
    assert client.params == [
        {"LimitDefinition": {"LimitClass": "API_CATEGORY", "Attributes": {"Category": "UserCreation"}}}
    ]


def test_an_operation_that_boto3_does_not_know_is_an_error_in_words():
    """An older boto3 without an operation is named, not a crash."""
    with pytest.raises(UserError, match=r"GetProvisionedLimit.*boto3"):
        UserPool(object(), "eu-west-1_Pool").provisioned_rps("UserCreation")


def test_app_clients_are_listed_page_by_page_and_described(client, pool):
    """Every app client is found, and what is read of one is its secret, its flows and whether it has managed login."""
    made = [
        client.create_user_pool_client(UserPoolId=pool.pool_id, ClientName=f"app{number}", **options)["UserPoolClient"]
        for number, options in enumerate(
            [
                {"ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_USER_SRP_AUTH"], "GenerateSecret": True},
                {
                    "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
                    "AllowedOAuthFlows": ["code"],
                    "AllowedOAuthFlowsUserPoolClient": True,
                },
            ]
        )
    ]
    found = {client_id for page in pool.app_clients() for client_id in page}
    assert found == {one["ClientId"] for one in made}
    first, second = (pool.app_client(one["ClientId"]) for one in made)
    assert (first.name, first.secret, first.managed_login) == ("app0", made[0]["ClientSecret"], False)
    assert (second.name, second.secret, second.managed_login) == ("app1", None, True)
    assert (first.allows("CUSTOM_AUTH"), first.allows("USER_PASSWORD_AUTH")) == (True, False)
    assert (second.allows("CUSTOM_AUTH"), second.allows("USER_PASSWORD_AUTH")) == (False, True)
    assert first.secret not in repr(first)


def test_more_app_clients_than_a_page_holds():
    """The listing goes on with its token, and asks for pages by the name that this operation has for their size."""
    page = [{"ClientId": str(number)} for number in range(60)]
    pool, client = answering({"UserPoolClients": page, "NextToken": "t"}, {"UserPoolClients": page[:1]})
    assert [len(ids) for ids in pool.app_clients()] == [60, 1]
    assert [(params["MaxResults"], params.get("NextToken")) for params in client.params] == [(60, None), (60, "t")]


@pytest.mark.parametrize(
    ("flows", "flow", "allowed"),
    [
        ([], "CUSTOM_AUTH", True),
        ([], "ADMIN_USER_PASSWORD_AUTH", False),
        (["ADMIN_NO_SRP_AUTH"], "ADMIN_USER_PASSWORD_AUTH", True),
        (["ADMIN_NO_SRP_AUTH"], "CUSTOM_AUTH", True),
        (["USER_PASSWORD_AUTH"], "USER_PASSWORD_AUTH", True),
        (["ALLOW_USER_SRP_AUTH"], "CUSTOM_AUTH", False),
    ],
)
def test_flows_by_their_older_names(flows, flow, allowed):
    """Clients of before ALLOW_ are read, too; without a word about it custom challenges are allowed."""
    assert AppClient("id", flows=frozenset(flows)).allows(flow) is allowed


def test_the_functions_of_a_pool_are_described():
    """LambdaConfig is read as ARNs by trigger, those with a version among them; the rest is of no use."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:one"
    config = {
        "UserMigration": arn,
        "PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": f"{arn}-2"},
        "KMSKeyID": "arn:aws:kms:us-east-1:123456789012:key/1",
    }
    pool, _ = answering({"UserPool": {"Arn": "arn:aws:cognito-idp:a:1:userpool/a_1", "LambdaConfig": config}})
    described = pool.describe()
    assert {name: described.triggers.get(name) for name in ("UserMigration", "PreTokenGeneration", "PreSignUp")} == {
        "UserMigration": arn,
        "PreTokenGeneration": f"{arn}-2",
        "PreSignUp": None,
    }
    assert described.arn == "arn:aws:cognito-idp:a:1:userpool/a_1"
