"""Put together what `check` asks: both pools, the ledger, IAM and the functions' policies."""

from __future__ import annotations

import threading
from functools import partial
from typing import Literal

from batch.check.reading import CheckSources, PoolReader
from batch.pacing.pacer import Pacer
from batch.pools.connect import ledger_as_it_is
from batch.settings.config import Config
from userpool.client import cognito_client, is_loopback
from userpool.function import resource_policy
from userpool.iam import allowed_by_policies


def where(
    config: Config, *, client_id: str | None = None, mfa_users: Literal["reset", "capture"] = "reset"
) -> CheckSources:
    """Return what is asked, paced by AWS's default quotas. Raises SettingsError for what cannot be asked at all."""
    stop = threading.Event()
    policy = Pacer({}, share=config.rate.share, stopping=stop).policy()
    sides = {"source": config.source, "target": config.target}
    readers = {
        name: PoolReader(cognito_client(settings, connections=1), settings.user_pool_id, policy)
        for name, settings in sides.items()
    }
    return CheckSources(
        config=config,
        source=readers["source"],
        target=readers["target"],
        table=ledger_as_it_is(config, stop=stop) if config.ledger else None,
        policy_of=partial(resource_policy, owner=config.target),
        simulate={
            name: partial(allowed_by_policies, settings)
            for name, settings in sides.items()
            if not is_loopback(settings.endpoint_url)
        },
        client_id=client_id,
        mfa_users=mfa_users,
    )
