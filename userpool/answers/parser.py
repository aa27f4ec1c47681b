"""Tell an answer of AWS's from anything else that answers in its place: a proxy's page, a gateway, a wrong endpoint.

botocore takes almost any body with status 200 for an answer: of a page of HTML it makes an answer without members. So
the parser refuses what cannot be an answer, before anybody reads it:

- a body that is not whole, is no JSON object (or XML document) or has other types than the service model has;
- a body with members that the model does not know, and none that it knows, or with an error inside;
- an answer that lacks a member without which it says nothing (`_NEEDED`);
- a redirection, or an error below 500 without a code. From 500 on, a gateway may speak: that passes.

Of a few answers it also tells which members the model does not know (`unknown`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.parsers import PROTOCOL_PARSERS, ResponseParserFactory

from userpool.answers.unknown import LOOKED_AT, UNKNOWN, unknown_members

_REDIRECTION, _ERROR, _TOO_MANY, _SERVER_ERROR = 300, 400, 429, 500

_NEEDED: Mapping[str, tuple[str, ...]] = {
    # Cognito
    "AdminCreateUserResponse": ("User",),
    "AdminGetUserResponse": ("Username", "UserCreateDate", "UserLastModifiedDate"),
    "AdminListGroupsForUserResponse": ("Groups",),
    "AttributeType": ("Name",),
    "CreateGroupResponse": ("Group",),
    "CreateUserPoolClientResponse": ("UserPoolClient",),
    "CreateUserPoolResponse": ("UserPool",),
    "DescribeUserPoolClientResponse": ("UserPoolClient",),
    "DescribeRiskConfigurationResponse": ("RiskConfiguration",),
    "DescribeUserPoolResponse": ("UserPool",),
    "GetProvisionedLimitResponse": ("Limit",),
    "GetUserPoolMfaConfigResponse": ("MfaConfiguration",),
    "ClientSSOSessionConfigType": ("MaxValidityMinutes",),
    "GetUserPoolClientSessionConfigurationResponse": ("SSOSession",),
    "GetUserPoolSessionConfigurationResponse": ("UserSessionTracking",),
    "GroupType": ("GroupName",),
    "ListGroupsResponse": ("Groups",),
    "ListIdentityProvidersResponse": ("Providers",),
    "ListResourceServersResponse": ("ResourceServers",),
    "ListUserPoolClientSecretsResponse": ("ClientSecrets",),
    "ListUserPoolClientsResponse": ("UserPoolClients",),
    "ListUserPoolReplicasResponse": ("UserPoolReplicas",),
    "ListUserPoolsResponse": ("UserPools",),
    "ListUsersInGroupResponse": ("Users",),
    "ListUsersResponse": ("Users",),
    "ProviderDescription": ("ProviderName", "ProviderType"),
    "ResourceServerScopeType": ("ScopeName",),
    "ResourceServerType": ("Identifier",),
    "UpdateGroupResponse": ("Group",),
    "UserPoolClientDescription": ("ClientId",),
    "UserPoolClientType": ("ClientId",),
    "UserPoolDescriptionType": ("Id", "Name"),
    "UserPoolReplicaType": ("RegionName",),
    "UserPoolType": ("Id",),
    "UserType": ("Username", "UserCreateDate", "UserLastModifiedDate"),
    # DynamoDB
    "DescribeTableOutput": ("Table",),
    "ScanOutput": ("Items",),
    "TableDescription": ("TableArn", "CreationDateTime"),
    # STS, IAM, Lambda
    "AssumeRoleResponse": ("Credentials",),
    "Credentials": ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"),
    "GetCallerIdentityResponse": ("Arn",),
    "GetPolicyResponse": ("Policy",),
    "GetRoleResponse": ("Role",),
    "Role": ("Arn",),
    "SimulatePolicyResponse": ("EvaluationResults",),
}
"""Members that an answer of AWS's always has and that are read here, by the name of their structure in the model."""

_ERROR_INSIDE = frozenset({"__type", "error", "errors", "Error"})


class NotAnAnswerError(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """What came is no answer of AWS's. A call that changes something may have been carried out all the same."""

    fmt = "What answered is not AWS."


class StrictFactory(ResponseParserFactory):  # type: ignore[misc]  # botocore has no types
    """Makes parsers that raise NotAnAnswerError for what is no answer."""

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser for one answer."""
        return _strict(protocol_name)(**self._defaults)


@cache
def _strict(protocol: str) -> type:
    bases = (_StrictJson,) if protocol in {"json", "rest-json"} else (_Strict,)
    return type(f"Strict{protocol}", (*bases, PROTOCOL_PARSERS[protocol]), {})


class _Strict:
    """Mixed into a parser of botocore's."""

    def parse(self, response: Mapping[str, Any], shape: Any) -> Any:
        """Parse an answer. Raises NotAnAnswerError."""
        status = response["status_code"]
        passing = status >= _SERVER_ERROR or status == _TOO_MANY
        try:
            if _REDIRECTION <= status < _ERROR:
                raise NotAnAnswerError  # noqa: TRY301 -- one way out
            self._require(response, shape)
            parsed = super().parse(response, shape)  # type: ignore[misc]  # botocore's parser is mixed in
        # botocore's parsers raise all kinds of errors for a body that no service would send.
        except Exception:  # noqa: BLE001 -- see above
            if passing:
                return self._without_words(response)
            raise NotAnAnswerError from None
        # Asked again by botocore for the members of a modeled error: that answer was judged the first time.
        if status >= _ERROR and not passing and "Error" in parsed:
            code = parsed["Error"].get("Code")
            if not code or code == str(status):
                raise NotAnAnswerError
        return parsed

    def _require(self, response: Mapping[str, Any], shape: Any) -> None:
        """Raise NotAnAnswerError for what botocore does not look at."""

    @staticmethod
    def _without_words(response: Mapping[str, Any]) -> dict[str, Any]:
        status = response["status_code"]
        headers = {name.lower(): value for name, value in response["headers"].items()}
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
        return {"Error": {"Code": str(status), "Message": ""}, "ResponseMetadata": metadata}

    def _handle_structure(self, shape: Any, value: Any) -> Any:
        parsed = super()._handle_structure(shape, value)  # type: ignore[misc]  # botocore's parser is mixed in
        if needed := _NEEDED.get(shape.name):
            for name in needed:
                if parsed.get(name) is None:
                    raise NotAnAnswerError
        return parsed


class _StrictJson(_Strict):
    """Mixed into a parser of JSON, whose types botocore does not compare with the model."""

    def _require(self, response: Mapping[str, Any], shape: Any) -> None:
        # Of an operation without output, botocore does not look at the body.
        if response["status_code"] < _REDIRECTION and shape is None and self._parse_body_as_json(response["body"]):
            raise NotAnAnswerError

    def _parse_body_as_json(self, body_contents: bytes) -> dict[str, Any]:
        if not body_contents:
            return {}
        body = json.loads(body_contents.decode())
        if not isinstance(body, dict):
            raise NotAnAnswerError
        return body

    def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
        answer = self._answer(raw_body, shape)
        parsed = self._parse_shape(shape, answer)  # type: ignore[attr-defined]  # botocore's
        if shape.name in LOOKED_AT and (unknown := dict.fromkeys(unknown_members(shape, answer))):
            parsed[UNKNOWN] = list(unknown)
        return parsed

    def _initial_body_parse(self, body_contents: bytes) -> dict[str, Any]:
        return self._parse_body_as_json(body_contents)

    def _answer(self, raw_body: bytes, shape: Any) -> dict[str, Any]:
        body = self._parse_body_as_json(raw_body)
        if shape.metadata.get("exception"):
            return body
        # A newer service may send more than this botocore knows, but not that alone.
        if body and (not body.keys() & shape.members.keys() or body.keys() & _ERROR_INSIDE):
            raise NotAnAnswerError
        return body

    def _handle_list(self, shape: Any, node: Any) -> Any:
        if not isinstance(node, list) or None in node:
            raise NotAnAnswerError
        return super()._handle_list(shape, node)  # type: ignore[misc]  # botocore's parser is mixed in

    def _handle_string(self, _shape: Any, value: Any) -> str:
        if not isinstance(value, str):
            raise NotAnAnswerError
        return value

    def _handle_boolean(self, _shape: Any, value: Any) -> bool:
        if not isinstance(value, bool):
            raise NotAnAnswerError
        return value

    def _handle_integer(self, _shape: Any, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NotAnAnswerError
        return value

    _handle_long = _handle_float = _handle_double = _handle_integer

    def _handle_timestamp(self, shape: Any, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise NotAnAnswerError
        return super()._handle_timestamp(shape, value)  # type: ignore[misc]  # botocore's parser is mixed in
