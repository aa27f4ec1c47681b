"""An app client of a user pool: what it lets its users sign in by, and the hash of its secret."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

# "ExplicitAuthFlows" (API, CreateUserPoolClient): each flow, and the name that allowed it before ALLOW_.
_NAMES = {
    "USER_PASSWORD_AUTH": {"ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"},
    "ADMIN_USER_PASSWORD_AUTH": {"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"},
    "CUSTOM_AUTH": {"ALLOW_CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY"},
    "USER_AUTH": {"ALLOW_USER_AUTH"},
}


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client of a pool, as which users are signed in."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    name: str = ""
    flows: frozenset[str] = frozenset()
    managed_login: bool = False

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Self:
        """Read the `UserPoolClient` of DescribeUserPoolClient."""
        return cls(
            client_id=item["ClientId"],
            secret=item.get("ClientSecret"),
            name=item.get("ClientName", ""),
            flows=frozenset(item.get("ExplicitAuthFlows") or ()),
            managed_login=bool(item.get("AllowedOAuthFlowsUserPoolClient") and item.get("AllowedOAuthFlows")),
        )

    def allows(self, flow: str) -> bool:
        """Whether users may sign in by a flow; without a word about any, custom challenges are allowed (API)."""
        unsaid = flow == "CUSTOM_AUTH" and not any(name.startswith("ALLOW_") for name in self.flows)
        return unsaid or not self.flows.isdisjoint(_NAMES[flow])

    def secret_hash(self, username: str) -> str:
        """Return the SECRET_HASH of a user name ("Computing secret hash values", developer guide)."""
        digest = hmac.digest((self.secret or "").encode(), f"{username}{self.client_id}".encode(), "sha256")
        return base64.b64encode(digest).decode()
