"""An app client of a user pool: what it lets its users sign in by, and the hash of its secret."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from userpool.errors import SettingsError

# "ExplicitAuthFlows" (API, CreateUserPoolClient): each flow, and the name that allowed it before ALLOW_.
_NAMES = {
    "USER_PASSWORD_AUTH": {"ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"},
    "ADMIN_USER_PASSWORD_AUTH": {"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"},
    "CUSTOM_AUTH": {"ALLOW_CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY"},
    "USER_AUTH": {"ALLOW_USER_AUTH"},
}

_NO_SECRET = {"", "None", "null"}  # the latter are what the AWS CLI prints for a client without a ClientSecret


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client of a pool, as which users are signed in.

    Cognito tells the `secret`, or the `secret_arn` of one that it keeps and rotates in Secrets Manager, but not both.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    secret_arn: str | None = None
    name: str = ""
    flows: frozenset[str] = frozenset()
    managed_login: bool = False

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read the `UserPoolClient` of DescribeUserPoolClient."""
        return cls(
            client_id=item["ClientId"],
            secret=item.get("ClientSecret"),
            secret_arn=item.get("ClientSecretArn"),
            name=item.get("ClientName", ""),
            flows=frozenset(item.get("ExplicitAuthFlows") or ()),
            managed_login=bool(item.get("AllowedOAuthFlowsUserPoolClient") and item.get("AllowedOAuthFlows")),
        )

    @property
    def has_secret(self) -> bool:
        """Whether each call needs a SECRET_HASH."""
        return bool(self.secret or self.secret_arn)

    @property
    def secret_account(self) -> str:
        """The AWS account that has the secret in Secrets Manager; "" if that is not told."""
        parts = (self.secret_arn or "").split(":")  # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME
        return parts[4] if len(parts) > 4 else ""  # noqa: PLR2004 -- the position in an ARN

    def allows(self, flow: str) -> bool:
        """Whether users may sign in by a flow; without a word about any, custom challenges are allowed (API)."""
        unsaid = flow == "CUSTOM_AUTH" and not any(name.startswith("ALLOW_") for name in self.flows)
        return unsaid or not self.flows.isdisjoint(_NAMES[flow])

    def secret_hash(self, username: str) -> str:
        """Return the SECRET_HASH of a user name ("Computing secret hash values", developer guide)."""
        digest = hmac.digest((self.secret or "").encode(), f"{username}{self.client_id}".encode(), "sha256")
        return base64.b64encode(digest).decode()


def secret_in(text: str, client_id: str) -> str:
    """Return the app client's secret in a text of Secrets Manager: the text itself, or JSON as Cognito writes it.

    Raises SettingsError if there is none in it, or that of another app client. The text is in no error.
    """
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return _secret(text.strip())
    if values.get("userPoolClientId", client_id) != client_id:
        raise SettingsError(
            "The secret that SOURCE_CLIENT_SECRET_ARN names is that of another app client than SOURCE_CLIENT_ID: "
            "correct one of the two."
        )
    return _secret(values.get("clientSecretValue"))


def _secret(value: object) -> str:
    if not isinstance(value, str) or value in _NO_SECRET:
        raise SettingsError(
            "The secret that SOURCE_CLIENT_SECRET_ARN names holds no secret of an app client: it has to be the plain "
            "text, or JSON with clientSecretValue. If the app client has a ClientSecretArn, name that instead."
        )
    return value
