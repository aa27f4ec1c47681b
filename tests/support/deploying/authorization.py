"""AWS's word on who may do what, before a sandbox: every request is answered only if its signer's role allows it.

Who signs is told by the access key, as on AWS; roles, their policies and who may assume them come from templates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from sandbox.messages import Answer, error_answer, json_answer
from sandbox.wire import HOST, Environ, HttpServer, read_body

_ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>none</SecretAccessKey><SessionToken>none</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
_TOLD = {"content-type", "x-amzn-errortype", "x-amzn-requestid"}
_DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>"


def listed(value: Any) -> list[Any]:
    """A value that may be one or several."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Role:
    """A role as its template makes it. `withheld` are actions that are taken away, to see what becomes of it."""

    arn: str
    statements: list[dict[str, Any]]
    trust: list[dict[str, Any]]
    withheld: frozenset[str] = frozenset()

    @classmethod
    def of(cls, arn: str, properties: Mapping[str, Any]) -> Role:
        """Read a template's role."""
        found = [one for policy in properties["Policies"] for one in policy["PolicyDocument"]["Statement"]]
        return cls(arn, found, properties["AssumeRolePolicyDocument"]["Statement"])

    @property
    def granted(self) -> set[tuple[str, str]]:
        """Every action that it is allowed, with the resource."""
        assert all(one["Effect"] == "Allow" and "Condition" not in one for one in self.statements)
        return {
            (action, resource)
            for one in self.statements
            for action in listed(one["Action"])
            for resource in listed(one["Resource"])
            if action not in self.withheld
        }

    def trusts(self, arn: str, external_id: str | None) -> bool:
        """Whether it may be assumed by a role that says this external id."""
        return any(
            one["Principal"].get("AWS") == arn and one["Condition"] == {"StringEquals": {"sts:ExternalId": external_id}}
            for one in self.trust
        )


@dataclass
class Gateway:
    """All of AWS at one address, for the access keys of known roles. What was allowed and denied is kept, by role.

    `pools` are the ARNs of user pools by id, `tables` those of tables by name, `secrets` the texts of secrets by ARN.
    """

    behind: str
    pools: Mapping[str, str]
    tables: Mapping[str, str]
    secrets: dict[str, str]
    keys: dict[str, Role] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    allowed: set[tuple[str, str, str]] = field(default_factory=set)
    denied: list[tuple[str, str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = HttpServer(self._application, 0)
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self._server.port}"

    def key_of(self, role: Role) -> str:
        """Register a role, and give out an access key of it."""
        key = f"ASIA{re.sub('[^A-Z0-9]', '', role.arn.upper())[-24:]}"
        self.roles[role.arn], self.keys[key] = role, role
        return key

    @contextmanager
    def without(self, action: str) -> Iterator[None]:
        """Take an action away from every role for a while."""
        before = dict(self.keys)
        self.keys |= {key: replace(role, withheld=frozenset({action})) for key, role in before.items()}
        yield
        self.keys.update(before)

    def _application(self, environ: Environ, start_response: Any) -> list[bytes]:
        body = read_body(environ)
        return self._answer(environ, body).send(start_response)

    def _answer(self, environ: Environ, body: bytes) -> Answer:
        credential = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if credential is None or credential[1] not in self.keys:
            return error_answer(403, "UnrecognizedClientException", "who is that?")
        role, service = self.keys[credential[1]], credential[2]
        if service == "sts":
            return self._assumed(role, {name: values[0] for name, values in parse_qs(body.decode()).items()})
        operation, parameters = environ["HTTP_X_AMZ_TARGET"].partition(".")[2], json.loads(body)
        resource = {
            "cognito-idp": lambda: self.pools[parameters["UserPoolId"]],
            "dynamodb": lambda: self.tables[parameters["TableName"]],
            "secretsmanager": lambda: parameters["SecretId"],
        }[service]()
        if not self._allows(role, f"{service}:{operation}", resource):
            return error_answer(400, "AccessDeniedException", f"not authorized to perform: {service}:{operation}")
        if service == "secretsmanager":
            return json_answer(200, {"SecretString": self.secrets[resource]})
        return self._forwarded(environ, body)

    def _allows(self, role: Role, action: str, resource: str) -> bool:
        """Whether the role allows it; a pool or table of another account does not know the role, whatever it says."""
        account = resource.split(":")[4]
        own = action == "sts:AssumeRole" or account == role.arn.split(":")[4]
        if own and (action, resource) in role.granted:
            self.allowed.add((role.arn, action, resource))
            return True
        self.denied.append((role.arn, action, resource))
        return False

    def _assumed(self, role: Role, wanted: Mapping[str, str]) -> Answer:
        arn = wanted["RoleArn"]
        other = self.roles.get(arn)
        if not self._allows(role, f"sts:{wanted['Action']}", arn):
            return Answer(403, [("Content-Type", "text/xml")], _DENIED.encode())
        if other is None or not other.trusts(role.arn, wanted.get("ExternalId")):
            self.denied.append((role.arn, "the trust of", arn))
            return Answer(403, [("Content-Type", "text/xml")], _DENIED.encode())
        return Answer(200, [("Content-Type", "text/xml")], _ASSUMED.format(key=self.key_of(other)).encode())

    def _forwarded(self, environ: Environ, body: bytes) -> Answer:
        place = urlsplit(self.behind)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
        names = {"HTTP_X_AMZ_TARGET": "X-Amz-Target", "HTTP_AUTHORIZATION": "Authorization"}
        headers = {name: environ[variable] for variable, name in names.items()}
        try:
            connection.request("POST", "/", body, {**headers, "Content-Type": environ["CONTENT_TYPE"]})
            response = connection.getresponse()
            told = [(name, value) for name, value in response.getheaders() if name.lower() in _TOLD]
            return Answer(response.status, told, response.read())
        finally:
            connection.close()
