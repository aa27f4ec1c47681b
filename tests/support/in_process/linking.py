"""Identities of other providers that are linked to users."""

from __future__ import annotations

import json

from userpool.identities import Identity, linked

GOOGLE, CORP = Identity("Google", "1042"), Identity("Corp", "Zoë@Example")


def identities(*links: Identity, primary: bool = False) -> str:
    """The attribute as Cognito has it."""
    return json.dumps([{"providerName": one.provider, "userId": one.subject, "primary": primary} for one in links])


def add_providers(client, pool_id):
    """Give a pool the two."""
    for name, kind in (("Google", "Google"), ("Corp", "OIDC")):
        details = {"client_id": "one", "client_secret": "two", "authorize_scopes": "openid"}
        client.create_identity_provider(
            UserPoolId=pool_id, ProviderName=name, ProviderType=kind, ProviderDetails=details
        )


def links_of(world, username):
    return linked(world.direct.find(username).attributes)
