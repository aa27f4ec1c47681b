"""What a sandbox is asked and what it answers, as HTTP carries it."""

from __future__ import annotations

import importlib
import json
import re
import uuid
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from sandbox.wire import Environ, Headers
from sandbox.world import ACCOUNT, REGION

# What calls are named by, for each service of which they are counted and can be made to fail.
_NAMED = {"AWSCognitoIdentityProviderService": "", "DynamoDB_20120810": "DynamoDB."}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")
_MADE_BY_MOTO = ("AKIA", "ASIA")  # how the access keys begin that moto's IAM and STS give, if not they alone


@dataclass(frozen=True)
class Answer:
    """An answer; `code` is that of an error of the sandbox's own."""

    status: int
    headers: Headers
    body: bytes
    code: str = ""

    def adding(self, headers: Headers) -> Answer:
        """Return it with these headers, in place of those it has of the same names."""
        names = {name.lower() for name, _ in headers}
        kept = [(name, value) for name, value in self.headers if name.lower() not in names]
        return replace(self, headers=[*kept, *headers])

    def send(self, start_response: Any) -> list[bytes]:
        """Give it to a WSGI server."""
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", self.headers)
        return [self.body]


@dataclass(frozen=True)
class Call:
    """A call to Cognito or DynamoDB."""

    operation: str
    parameters: dict[str, Any]
    environ: Environ

    @classmethod
    def of(cls, environ: Environ, body: bytes) -> Call | None:
        """Read a request; None is one to some other service."""
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if service not in _NAMED:
            return None
        try:
            parameters = json.loads(body)
        except ValueError:
            parameters = None
        return cls(_NAMED[service] + operation, parameters if isinstance(parameters, dict) else {}, environ)

    @property
    def is_to_dynamodb(self) -> bool:
        """Whether DynamoDB is called, and not Cognito."""
        return self.operation.startswith("DynamoDB.")

    @property
    def region(self) -> str:
        """The Region it was signed for. Without a signature, that of the pool."""
        signed = _CREDENTIAL.search(self.environ.get("HTTP_AUTHORIZATION", ""))
        if signed:
            return signed[2]
        region, pool, _ = str(self.parameters.get("UserPoolId", "")).partition("_")
        return region if pool else REGION

    @property
    def account(self) -> str:
        """The account whose credentials it was signed with: that of a role, if moto's STS gave them."""
        signed = _CREDENTIAL.search(self.environ.get("HTTP_AUTHORIZATION", ""))
        if signed is None or not signed[1].startswith(_MADE_BY_MOTO):
            return ACCOUNT
        iam: Any = importlib.import_module("moto.iam.models")  # late: it takes long, and few have such keys
        account: str = iam.get_account_id_from(signed[1])
        return account

    @property
    def username(self) -> str | None:
        """The user it is about, if it names one."""
        username = self.parameters.get("Username")
        return username if isinstance(username, str) else None

    def throttled(self) -> Answer:
        """Return what the service answers to too many calls."""
        if self.is_to_dynamodb:
            return self.refused(HTTPStatus.BAD_REQUEST, "ProvisionedThroughputExceededException", "Rate exceeded")
        return self.refused(HTTPStatus.BAD_REQUEST, "TooManyRequestsException", "Rate exceeded")

    def refused(self, status: int, code: str, message: str) -> Answer:
        """Return an error as the service writes it."""
        if self.is_to_dynamodb:
            return json_answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message})
        return error_answer(status, code, message)


def error_answer(status: int, code: str, message: str) -> Answer:
    """Return an error as Cognito writes it."""
    answer = json_answer(status, {"__type": code, "message": message})
    return Answer(answer.status, [*answer.headers, ("x-amzn-errortype", code)], answer.body, code)


def json_answer(status: int, document: object) -> Answer:
    """Return an answer with this document."""
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4()))]
    return Answer(int(status), headers, json.dumps(document).encode())
