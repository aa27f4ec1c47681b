"""What is no answer of AWS's ends every call in one sentence, whatever it is and whichever call it answers."""

from __future__ import annotations

import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from random import Random

import pytest
from listening import listening

from batch.check.reading import PoolReader
from userpool.client import cognito_client, dynamodb_client
from userpool.errors import DroppedError, FatalError, ForeignAnswerError, MigrationError, ThrottledError, UserError
from userpool.factors import MAIL, Preference
from userpool.identities import Identity
from userpool.ledger_table import LedgerTable, Write
from userpool.pool import UserPool
from userpool.settings import LedgerSettings, PoolSettings
from userpool.user import Group

POOL = "eu-west-1_AbCdEf123"
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>The proxy of Example Ltd</body></html>"
SENTENCE = f"What answers for {POOL} is not Cognito: check endpoint_url and proxies."

READS = {
    "DescribeUserPool": lambda pool: pool.describe(),
    "DescribeUserPool, whole": lambda pool: pool.described(),
    "GetUserPoolMfaConfig": lambda pool: pool.mfa(),
    "ListUsers": lambda pool: list(pool.users()),
    "ListGroups": lambda pool: list(pool.groups()),
    "ListUsersInGroup": lambda pool: list(pool.members("g")),
    "AdminListGroupsForUser": lambda pool: list(pool.groups_of("ada")),
    "AdminGetUser": lambda pool: pool.find("ada"),
    "ListUserPoolClients": lambda pool: list(pool.app_clients()),
    "ListUserPoolClientSecrets": lambda pool: pool.count_client_secrets("c"),
    "DescribeUserPoolClient": lambda pool: pool.app_client("c"),
    "ListIdentityProviders": lambda pool: pool.identity_providers(),
    "GetProvisionedLimit": lambda pool: pool.provisioned_rps("UserCreation"),
    "ListResourceServers": lambda pool: pool.resource_servers(),
    "GetUserPoolSessionConfiguration": lambda pool: pool.sessions(),
    "GetUserPoolClientSessionConfiguration": lambda pool: pool.reused_minutes("c"),
    "ListUserPoolReplicas": lambda pool: pool.replicas(),
    "DescribeRiskConfiguration": lambda pool: pool.risk("c"),
    "AdminCreateUser": lambda pool: pool.create("ada", {}, "Passw0rd!"),
    "UpdateGroup": lambda pool: pool.update_group(Group("g")),
}
"""Calls whose answers are read."""

WRITES = {
    "AdminSetUserPassword": lambda pool: pool.set_password("ada", "Passw0rd!"),
    "AdminDisableUser": lambda pool: pool.disable("ada"),
    "AdminEnableUser": lambda pool: pool.enable("ada"),
    "AdminUpdateUserAttributes": lambda pool: pool.update_attributes("ada", {"name": "Ada"}),
    "AdminDeleteUserAttributes": lambda pool: pool.delete_attributes("ada", ["name"]),
    "AdminAddUserToGroup": lambda pool: pool.add_to_group("ada", "g"),
    "AdminRemoveUserFromGroup": lambda pool: pool.remove_from_group("ada", "g"),
    "AdminDeleteUser": lambda pool: pool.delete("ada"),
    "DeleteGroup": lambda pool: pool.delete_group("g"),
    "CreateGroup": lambda pool: pool.create_group(Group("g")),
    "AdminLinkProviderForUser": lambda pool: pool.link("ada", Identity("Google", "1")),
    "AdminDisableProviderForUser": lambda pool: pool.unlink(Identity("Google", "1")),
    "AdminSetUserMFAPreference": lambda pool: pool.prefer("ada", Preference(frozenset({MAIL}), MAIL)),
    "AdminResetUserPassword": lambda pool: pool.send_reset_code("ada"),
}
"""Calls whose success is all that is told."""

CALLS = READS | WRITES
TABLE_CALLS = {
    "GetItem": lambda table: table.get("a"),
    "PutItem": lambda table: table.write(Write("a", item={"x": "y"})),
    "TransactWriteItems": lambda table: table.write_all([Write("a", item={"x": "y"})]),
    "Scan": lambda table: list(table.items("a")),
    "DescribeTable": lambda table: table.identity(),
    "CreateTable": lambda table: table.create(),
}


class Stranger:
    """A server that answers every call in the same way."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"", {}
        self.url = ""


@pytest.fixture(scope="module")
def stranger():
    """A server that is no AWS service."""
    made = Stranger()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.status)
            # A kept connection could be closed by one end at the moment in which the other sends the next call.
            always = {"Content-Length": str(len(made.body)), "Connection": "close"}
            for name, value in (always | made.headers).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # whoever asked may have gone
                self.wfile.write(made.body)

        def log_message(self, *_):
            pass

    with listening(Handler) as made.url:
        yield made


@pytest.fixture(scope="module")
def pool(stranger):
    """A pool behind it."""
    return PoolReader(cognito_client(PoolSettings(POOL, endpoint_url=stranger.url), connections=2), POOL)


@pytest.fixture(scope="module")
def table(stranger):
    """A ledger behind it."""
    settings = LedgerSettings("ledger", endpoint_url=stranger.url)
    return LedgerTable(dynamodb_client(settings, PoolSettings(POOL), connections=2, attempts=1), "ledger")


@pytest.fixture(autouse=True)
def _as_at_first(stranger):
    stranger.status, stranger.headers = 200, {}


NONE_OF_ANYBODY = [
    PAGE,
    b"<html/>",
    b"OK",
    b'{"UserPool": {"Id": "eu-w',  # cut off
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"[{}]",
    b'"text"',
    b"17",
    b'{"status": "ok"}',
    b'{"message": "Please sign in"}',
    b'{"error": {"code": 401}}',
    b'{"__type": "NotAuthorizedException", "message": "no"}',
    b'{"User": [], "Users": {}, "Groups": 5, "UserPool": "x", "Username": 7, "Group": null, "errors": []}',
]
"""Bodies that are the answer of no call."""


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", NONE_OF_ANYBODY)
def test_what_is_no_answer_of_cognito_ends_in_one_sentence(stranger, pool, call, body):
    """A page, a cut answer, other JSON or an error with status 200 is taken for no answer by any call."""
    stranger.body = body
    with pytest.raises(ForeignAnswerError) as caught:
        CALLS[call](pool)
    assert str(caught.value) == SENTENCE


@pytest.mark.parametrize("call", READS)
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_answer_is_none_where_something_is_read(stranger, pool, call, body):
    """Nothing is taken for an empty pool, or for a user that does not exist."""
    stranger.body = body
    with pytest.raises(ForeignAnswerError, match="is not Cognito"):
        READS[call](pool)


@pytest.mark.parametrize("call", sorted(WRITES.keys() - {"CreateGroup"}))
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_answer_is_cognitos_where_it_has_nothing_to_say(stranger, pool, call, body):
    """Most writes are answered by an empty object, or by nothing."""
    stranger.body = body
    WRITES[call](pool)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 407, 413])
@pytest.mark.parametrize("call", ["ListUsers", "AdminCreateUser", "AdminDeleteUser"])
@pytest.mark.parametrize("body", [PAGE, b"", b"{}", b'{"message": "Forbidden"}', b"[]"])
def test_a_refusal_without_a_code_is_not_cognitos(stranger, pool, status, call, body):
    """Nobody is marked as refused by what a proxy says, and its page is not quoted."""
    stranger.status, stranger.body = status, body
    with pytest.raises(ForeignAnswerError) as caught:
        CALLS[call](pool)
    assert str(caught.value) == SENTENCE


@pytest.mark.parametrize(("status", "kind"), [(429, ThrottledError), (500, DroppedError), (502, DroppedError)])
@pytest.mark.parametrize("body", [PAGE, b"", b"[]", b"Bad Gateway", b"\xff"])
def test_a_gateway_that_is_not_well_may_pass(stranger, pool, status, kind, body):
    """From status 500 on, and for 429, the call is tried again, whatever words come with it."""
    stranger.status, stranger.body = status, body
    with pytest.raises(kind):
        pool.find("ada")


def test_an_answer_that_is_shorter_than_it_says_got_no_answer(stranger, pool):
    """A connection that ends in the middle of the body is a dropped call."""
    stranger.body, stranger.headers = b'{"Username"', {"Content-Length": "100", "Connection": "close"}
    with pytest.raises(MigrationError):
        pool.find("ada")


TIMES = {"UserCreateDate": 1, "UserLastModifiedDate": 1}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("ListUsers", {"Users": [{}]}),
        ("ListUsers", {"Users": [None]}),
        ("ListUsers", {"Users": [{"Username": "a", "UserCreateDate": "soon", "UserLastModifiedDate": 1}]}),
        (
            "ListUsers",
            {"Users": [{"Username": "a", "UserCreateDate": 1, "UserLastModifiedDate": 1, "Attributes": [{}]}]},
        ),
        ("ListGroups", {"Groups": [{"GroupName": 5}]}),
        ("DescribeUserPool", {"UserPool": []}),
        ("DescribeUserPool", {"UserPool": {"Id": POOL, "SchemaAttributes": [{"Name": "a", "Required": "yes"}]}}),
        ("AdminCreateUser", {"User": {}}),
        ("GetProvisionedLimit", {"Limit": {"ProvisionedLimitValue": "many"}}),
        ("ListUserPoolClients", {"UserPoolClients": [{"ClientName": "a"}]}),
    ],
)
def test_an_answer_of_another_shape_is_none(stranger, pool, call, answer):
    """Members of another type, and items without what identifies them, end in the sentence and not in a mistake."""
    stranger.body = json.dumps(answer).encode()
    with pytest.raises(ForeignAnswerError, match="is not Cognito"):
        CALLS[call](pool)


def test_an_answer_may_have_more_than_this_boto3_knows(stranger, pool):
    """A newer Cognito may send members that the model does not have."""
    user = {"Username": "ada", "UserCreateDate": 1, "UserLastModifiedDate": 1.5, "Mood": {"of": ["the day"]}}
    stranger.body = json.dumps({"Users": [user], "Weather": 3}).encode()
    assert [one.username for page in pool.users() for one in page] == ["ada"]


def test_an_error_of_cognitos_own_is_one(stranger, pool):
    """An error with its type is Cognito's, with whatever other members."""
    stranger.status, stranger.body = 400, b'{"__type": "com.x#InvalidParameterException", "message": "No.", "more": 1}'
    with pytest.raises(UserError, match=r"InvalidParameterException: No\."):
        pool.set_password("ada", "Passw0rd!")


@pytest.mark.parametrize("call", TABLE_CALLS)
@pytest.mark.parametrize("body", NONE_OF_ANYBODY)
def test_what_is_no_answer_of_dynamodb_ends_in_one_sentence(stranger, table, call, body):
    """The ledger is not taken for empty, or for written, by an answer that is none."""
    stranger.body = body
    with pytest.raises(ForeignAnswerError, match="What answers for ledger is not DynamoDB: check endpoint_url and"):
        TABLE_CALLS[call](table)


def anything(random: Random, depth: int = 3):
    """A JSON value of any shape, often with names and texts that Cognito uses."""
    names = [
        "UserPool",
        "Users",
        "User",
        "Groups",
        "Username",
        "Attributes",
        "Item",
        "Items",
        "Table",
        "x",
        "Limit",
        "Id",
    ]
    kind = random.randrange(8 if depth else 5)
    if kind < 5:
        return random.choice([None, True, 0, -1.5, "", "Id", "ada@example.com", 1 << 70, "2026"])
    if kind == 5:
        return [anything(random, depth - 1) for _ in range(random.randrange(3))]
    return {random.choice(names): anything(random, depth - 1) for _ in range(random.randrange(4))}


def body_of(random: Random) -> bytes:
    """Bytes that may come instead of an answer."""
    text = json.dumps(anything(random)).encode()
    match random.randrange(4):
        case 0:
            return random.choice([PAGE, b"", b"\x00\x01", b"<a><b/></a>", b"GIF89a", b"}{"])
        case 1:
            return text[: random.randrange(len(text) + 1)]
        case _:
            return text


@pytest.mark.parametrize("seed", range(8))
def test_no_body_ends_a_call_in_a_mistake_of_ours(stranger, pool, table, seed):
    """Each call, answered by anything with any status, ends well or in an error of this tool's own."""
    random = Random(seed)
    told: list[MigrationError] = []
    for do, where in [*((call, pool) for call in CALLS.values()), *((call, table) for call in TABLE_CALLS.values())]:
        for _ in range(4):
            stranger.status = random.choice([200, 200, 200, 204, 302, 400, 403, 429, 500, 503])
            stranger.body = body_of(random) if stranger.status != 204 else b""
            try:
                do(where)
            except MigrationError as error:
                told.append(error)
    assert sum(isinstance(error, FatalError) for error in told) > 20
    assert not [error for error in told if "example.com" in str(error)]


def test_every_call_to_a_pool_is_tried_here():
    """No method of a pool that makes a call is forgotten, except signing in, which is judged by what it proves."""
    tried = {call.partition(",")[0] for call in CALLS}
    made = set()
    for kind in (UserPool, PoolReader):
        for method in vars(kind).values():
            constants = getattr(getattr(method, "__code__", None), "co_consts", ())
            made |= {name for name in constants if isinstance(name, str) and name[:5] in {"Admin", "ListU", "ListG"}}
    assert {name for name in made if name.isalnum()} - tried <= {"AdminInitiateAuth", "AdminGetUserAuthFactors"}
