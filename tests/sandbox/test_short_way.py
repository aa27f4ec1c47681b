"""Clients that do not go through botocore: what a caller sees is what it would see of those that do."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from sandbox.errors import CognitoError
from sandbox.in_process import client, dynamodb_client

KEY = {"AttributeName": "id", "KeyType": "HASH"}
ITEM = {
    "id": {"S": "a"},
    "number": {"N": "1.50"},
    "bytes": {"B": b"\x00\xff"},
    "texts": {"SS": ["x", "y"]},
    "blobs": {"BS": [b"1"]},
    "nested": {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}, {"M": {}}]}}},
}
TABLE = {"TableName": "both-ways"}
NEVER = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


class Canned:
    """What stands for a Cognito: it notes what it is asked, and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = {}

    def call(self, operation: str, parameters: Any, region: str) -> Any:
        self.asked.append((operation, parameters, region))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class BothWays:
    """Two clients of the same, one for each way."""

    def __init__(self) -> None:
        self.canned = Canned()
        ways = [client(self.canned, whole=whole) for whole in (False, True)]
        self.short, self.whole = ways
        self.model = self.whole.meta.service_model

    def same(self, operation: str, parameters: Any) -> Any:
        """Call both ways, and return what both answer."""
        seen = []
        for way in (self.short, self.whole):
            self.canned.asked.clear()
            seen.append((outcome(way, operation, parameters), list(self.canned.asked)))
        assert seen[0] == seen[1]
        return seen[0][0]


def outcome(way: Any, operation: str, parameters: Any) -> Any:
    """What comes of a call, but for the id of the request."""
    try:
        answer = getattr(way, xform_name(operation))(**parameters)
    except ClientError as error:
        return type(error).__name__, str(error), without_ids(error.response)
    except ParamValidationError as error:
        return str(error)
    return [*answer], without_ids(answer)


def without_ids(answer: Any) -> Any:
    """An answer without what no two have in common."""
    metadata = dict(answer["ResponseMetadata"])
    own = {"x-amzn-requestid", "date", "x-amz-crc32"}
    metadata["HTTPHeaders"] = {name: text for name, text in metadata["HTTPHeaders"].items() if name not in own}
    assert metadata.pop("RequestId")
    return answer | {"ResponseMetadata": metadata}


def made_up(shape: Any, invent: random.Random, *, all_members: bool = False) -> Any:
    """A value of a shape, as JSON has it."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        needed = shape.metadata.get("required", ())
        return {
            name: made_up(member, invent, all_members=all_members)
            for name, member in shape.members.items()
            if all_members or name in needed or invent.random() < 0.7
        }
    if shape.type_name == "list":
        count = max(shape.metadata.get("min", 0), invent.randrange(3))
        return [made_up(shape.member, invent, all_members=all_members) for _ in range(count)]
    if shape.type_name == "map":
        return {f"key{number}": made_up(shape.value, invent) for number in range(invent.randrange(3))}
    plain = {
        "boolean": invent.random() < 0.5,
        "timestamp": round(1.7e9 + invent.random() * 1e8, 3),
        "integer": max(shape.metadata.get("min", 0), invent.randrange(1000)),
        "string": "é" * max(shape.metadata.get("min", 0), invent.randrange(9)),
    }
    return plain.get(shape.type_name, "YmxvYg==")


@pytest.fixture(scope="module")
def both() -> BothWays:
    """Both ways to the same."""
    return BothWays()


def test_every_operation_is_asked_and_answered_alike(both):
    """Whatever an operation is given and answers, both ways ask the same, and both return the same."""
    invent = random.Random(1)
    for name in both.model.operation_names:
        model = both.model.operation_model(name)
        for all_members in (True, False):
            both.canned.answer = made_up(model.output_shape, invent, all_members=all_members)
            both.same(name, made_up(model.input_shape, invent, all_members=all_members))


def test_what_an_answer_has_besides_is_left_out(both):
    """Members that the API does not have, and those that are null, are in no answer."""
    both.canned.answer = {"User": {"Username": "ada", "Nothing": 1, "Enabled": None}, "More": {}}
    keys, answer = both.same("AdminCreateUser", {"UserPoolId": "us-east-1_x", "Username": "ada"})
    assert keys == ["User", "ResponseMetadata"]
    assert answer["User"] == {"Username": "ada"}


@pytest.mark.parametrize(
    "answer",
    [
        {"Username": 7, "UserAttributes": [None, {"Name": "sub"}], "MFAOptions": (), "UserMFASettingList": [None, "a"]},
        {"UserCreateDate": "2024-05-01T00:00:00Z", "UserLastModifiedDate": 1},
        {"Enabled": "true", "PreferredMfaSetting": {"not": "text"}},
    ],
)
def test_an_odd_answer_is_read_as_botocore_reads_it(both, answer):
    """An answer that is not as the API has it comes out as botocore has it come out."""
    both.canned.answer = answer
    both.same("AdminGetUser", {"UserPoolId": "us-east-1_x", "Username": "ada"})


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"UserPoolId": "us-east-1_x", "Username": ""},
        {"UserPoolId": "us-east-1_x", "Username": None},
        {"UserPoolId": "us-east-1_x", "Username": 7, "Tea": True},
        {"UserPoolId": "us-east-1_x", "Username": "ada", "UserAttributes": {"email": "a"}},
        {"UserPoolId": "us-east-1_x", "Username": "ada", "UserAttributes": [{"Value": "a"}]},
        {"UserPoolId": "us-east-1_x", "Username": "ada", "UserAttributes": ({"Name": "a", "Value": ""},)},
        {"UserPoolId": "us-east-1_x", "Username": "ada", "ClientMetadata": {"a": 1}, "ForceAliasCreation": 1},
    ],
)
def test_what_botocore_refuses_is_refused(both, parameters):
    """Parameters that botocore does not send are refused in the same words, and nobody is asked; others are sent."""
    both.canned.answer = {}
    both.same("AdminCreateUser", parameters)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("UserNotFoundException", 400),
        ("TooManyRequestsException", 400),
        ("InternalErrorException", 500),
        ("UnknownOperationException", 400),
        ("SomethingNew", 403),
    ],
)
def test_an_error_is_the_same_exception(both, code, status):
    """An error has the class, the text and the response that botocore gives it."""
    both.canned.answer = CognitoError(code, "It was refused.", status)
    kind, _, response = both.same("AdminGetUser", {"UserPoolId": "us-east-1_x", "Username": "ada"})
    assert kind == (code if hasattr(both.short.exceptions, code) else "ClientError")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_exception_passes(both):
    """What is raised behind the client, and no answer of AWS's, comes out as it is."""
    both.canned.answer = ZeroDivisionError("ours")
    for way in (both.short, both.whole):
        with pytest.raises(ZeroDivisionError, match="ours"):
            way.list_user_pools(MaxResults=1)


def test_nothing_is_shared():
    """Changing parameters, or an answer, after a call changes nothing on the other side."""
    canned = Canned()
    kept = canned.answer = {"Username": "ada", "UserAttributes": [{"Name": "email", "Value": "a"}]}
    attributes = [{"Name": "email", "Value": "a"}]
    short = client(canned)
    short.admin_create_user(UserPoolId="us-east-1_x", Username="ada", UserAttributes=attributes)
    attributes[0]["Value"] = "b"
    assert canned.asked[0][1]["UserAttributes"] == [{"Name": "email", "Value": "a"}]
    answer = short.admin_get_user(UserPoolId="us-east-1_x", Username="ada")
    answer["UserAttributes"][0]["Value"] = "b"
    assert kept["UserAttributes"] == [{"Name": "email", "Value": "a"}]


def test_each_client_is_of_its_own_cognito():
    """Clients have nothing in common: neither whom they ask, nor their Region, nor their handlers."""
    one, other = Canned(), Canned()
    first, second = client(one, "eu-west-1"), client(other)
    heard: list[str] = []
    first.meta.events.register("before-call", lambda model, **_: heard.append(model.name))
    first.list_user_pools(MaxResults=1)
    second.list_user_pools(MaxResults=2)
    first.close()
    second.list_user_pools(MaxResults=3)
    assert heard == ["ListUserPools"]
    assert one.asked == [("ListUserPools", {"MaxResults": 1}, "eu-west-1")]
    assert [parameters for _, parameters, _ in other.asked] == [{"MaxResults": 2}, {"MaxResults": 3}]
    assert (first.meta.region_name, second.meta.region_name) == ("eu-west-1", "us-east-1")


@pytest.mark.parametrize("whole", [False, True])
def test_handlers_are_called_around_a_call(whole):
    """Handlers before and after a call are called in botocore's order, may change its answer, and may end it."""
    canned = Canned()
    way, heard = client(canned, whole=whole), []

    def note(name: str) -> Any:
        return lambda **_: heard.append(name)

    def change(parsed: Any, http_response: Any, **_: object) -> None:
        parsed["Status"] = http_response.status_code

    last = note("last")
    way.meta.events.register_last("before-call", last)
    way.meta.events.register("before-call", note("middle"))
    way.meta.events.register_first("before-call", note("first"))
    way.meta.events.register("before-call.cognito-idp.ListUserPools", note("of this"))
    way.meta.events.register("before-call.cognito-idp.ListUsers", note("of another"))
    way.meta.events.register("after-call", change)
    assert way.list_user_pools(MaxResults=1)["Status"] == 200
    way.meta.events.unregister("before-call", last)
    canned.answer = CognitoError("NotAuthorizedException", "no")
    with pytest.raises(way.exceptions.NotAuthorizedException) as caught:
        way.list_user_pools(MaxResults=1)
    assert caught.value.response["Status"] == 400
    assert heard == ["of this", "first", "middle", "last", "of this", "first", "middle"]

    def end(**_: object) -> None:
        raise PermissionError

    way.meta.events.register("before-call", end)
    with pytest.raises(PermissionError):
        way.list_user_pools(MaxResults=1)
    assert len(canned.asked) == 2


@pytest.mark.parametrize("whole", [False, True])
def test_every_other_handler_is_called(whole):
    """A handler of any other event of botocore's is called as long as it is registered, beside those there were."""
    way, heard = client(Canned(), whole=whole), []

    def before(model: Any, **_: object) -> None:
        heard.append(model.name)

    def sent(request: Any, **_: object) -> None:
        heard.append(request.headers["X-Amz-Target"].decode())

    def given(params: Any, **_: object) -> None:
        params["MaxResults"] = 7

    way.meta.events.register("before-call", before)
    way.meta.events.register_first("before-send", sent)
    way.meta.events.register("provide-client-params", given)
    way.list_user_pools(MaxResults=1)
    way.meta.events.unregister("before-send", sent)
    way.list_user_pools(MaxResults=1)
    target = "AWSCognitoIdentityProviderService.ListUserPools"
    assert heard == ["ListUserPools", target, "ListUserPools"]


def test_pages_come_one_after_the_other():
    """Paginators of boto3's work on either way."""
    pages = [{"UserPools": [{"Id": "a"}], "NextToken": "t"}, {"UserPools": [{"Id": "b"}]}]

    class Paged(Canned):
        def call(self, operation: str, parameters: Any, region: str) -> Any:
            super().call(operation, parameters, region)
            return pages[len(self.asked) - 1]

    for whole in (False, True):
        paged = Paged()
        found = client(paged, whole=whole).get_paginator("list_user_pools").paginate(MaxResults=1)
        assert [pool["Id"] for page in found for pool in page["UserPools"]] == ["a", "b"]
        assert [asked[1].get("NextToken") for asked in paged.asked] == [None, "t"]


def test_threads_can_use_one_client():
    """A client that is used by many threads at once answers each."""
    short = client(Canned())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: short.list_user_pools(MaxResults=number % 9 + 1), range(64)))
    assert len({answer["ResponseMetadata"]["RequestId"] for answer in answers}) == 64


def test_what_a_client_does_not_have_is_missing(both):
    """A method that boto3 does not have is an AttributeError."""
    for way in (both.short, both.whole):
        with pytest.raises(AttributeError):
            _ = way.make_tea


@pytest.fixture(scope="module")
def table() -> list[Any]:
    """Both ways to a DynamoDB with a table."""
    attributes = [{"AttributeName": "id", "AttributeType": "S"}]
    ways = [dynamodb_client(whole=whole) for whole in (False, True)]
    ways[0].create_table(**TABLE, KeySchema=[KEY], AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST")
    return ways


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("PutItem", TABLE | {"Item": ITEM}),
        ("GetItem", TABLE | {"Key": {"id": {"S": "a"}}, "ConsistentRead": True}),
        ("GetItem", TABLE | {"Key": {"id": {"S": "nobody"}}}),
        ("Scan", TABLE),
        ("DescribeTable", TABLE),
        ("DescribeTable", {"TableName": "missing"}),
        ("DeleteItem", TABLE | {"Key": {"id": {"S": "a"}}, **NEVER}),
        ("PutItem", TABLE | {"Item": ITEM, **NEVER}),
        ("PutItem", TABLE | {"Item": {"id": {"S": 5}}}),
        ("PutItem", TABLE | {"Item": {"id": {}}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": TABLE | {"Item": ITEM, **NEVER}}]}),
        ("TransactWriteItems", {"TransactItems": [{"Put": TABLE | {"Item": ITEM}}]}),
    ],
)
def test_dynamodb_answers_alike(table, operation, parameters):
    """DynamoDB's items, of every type, and its errors are the same both ways."""
    short, whole = table
    whole.put_item(**TABLE, Item=ITEM)
    assert outcome(short, operation, parameters) == outcome(whole, operation, parameters)


def test_dynamodb_carries_out_each_transaction(table):
    """Each call of a transaction has a token of its own, so that two that are alike are both carried out."""
    add = {
        "UpdateExpression": "ADD #c :one",
        "ExpressionAttributeNames": {"#c": "counter"},
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    key = {"id": {"S": "counted"}}
    for way in table * 2:
        way.transact_write_items(TransactItems=[{"Update": TABLE | {"Key": key} | add}])
    assert table[0].get_item(**TABLE, Key=key)["Item"]["counter"] == {"N": "4"}
