"""What an app client demands of every request: the flow allowed, and a hash of its secret, if it has one."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable

from sandbox.errors import not_authorized
from sandbox.world import AppClient

_REFRESH = ("REFRESH_TOKEN_AUTH", "REFRESH_TOKEN")
FLOWS = {
    "USER_PASSWORD_AUTH": ("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"),
    "ADMIN_USER_PASSWORD_AUTH": ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"),
    "ADMIN_NO_SRP_AUTH": ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"),
    "USER_SRP_AUTH": ("ALLOW_USER_SRP_AUTH",),
    "CUSTOM_AUTH": ("ALLOW_CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY"),
    **dict.fromkeys(_REFRESH, ("ALLOW_REFRESH_TOKEN_AUTH",)),
}
"""The flows, and what of `ExplicitAuthFlows` allows each."""


def allows(client: AppClient, flow: str) -> bool:
    """Whether the app client may use the flow.

    Clients with the names from before `ALLOW_…` always could refresh, and sign in by SRP or custom challenges.
    """
    if any(name in client.flows for name in FLOWS[flow]):
        return True
    if any(name.startswith("ALLOW_") for name in client.flows):
        return False
    return flow in {*_REFRESH, "CUSTOM_AUTH"} or (
        flow == "USER_SRP_AUTH" and "CUSTOM_AUTH_FLOW_ONLY" not in client.flows
    )


def check_secret_hash(client: AppClient, given: str | None, usernames: Iterable[str]) -> None:
    """Raise NotAuthorizedException unless the hash was made of one of the client's secrets and one of the names."""
    if not client.secrets:
        return
    if not given:
        raise not_authorized(f"Client {client.id} is configured with secret but SECRET_HASH was not received")
    good = (_secret_hash(secret, name, client.id) for name in usernames for secret in client.secrets)
    if given not in good:
        raise not_authorized(f"Unable to verify secret hash for client {client.id}")


def _secret_hash(secret: str, username: str, client_id: str) -> str:
    """See the developer guide, "Computing secret hash values"."""
    return base64.b64encode(hmac.digest(secret.encode(), f"{username}{client_id}".encode(), "sha256")).decode()
