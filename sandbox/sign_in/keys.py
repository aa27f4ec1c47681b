"""The keys that sign tokens: each pool has its own, and publishes it as a JSON web key set, as pools of AWS do."""

from __future__ import annotations

from functools import cache
from typing import Any

from joserfc import jwk

from sandbox.world import Pool, World

# A key takes a tenth of a second to make. So there are some for a process, and a world's pools take them in turn.
_MADE = 16
_BITS = 2048  # the size of Cognito's keys


@cache
def _made(_number: int) -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(_BITS)


def key_of(world: World, pool: Pool) -> jwk.RSAKey:
    """Return a pool's key: another than that of the fifteen pools of the same world that signed before it."""
    number = world.signing.setdefault(pool.id, len(world.signing))
    return _made(number % _MADE)


def kid_of(pool: Pool) -> str:
    """Return the id of a pool's key, by which an API finds it: no two pools have the same."""
    return f"key-of-{pool.id}"


def published(world: World, pool: Pool) -> dict[str, Any]:
    """Return what a pool publishes at `/POOL_ID/.well-known/jwks.json`."""
    public = key_of(world, pool).as_dict(private=False)
    return {"keys": [{**public, "kid": kid_of(pool), "alg": "RS256", "use": "sig"}]}
