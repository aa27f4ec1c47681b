"""Put together what `check --live` calls: the account and Region of the new pool, with its credentials."""

from __future__ import annotations

import threading

from batch.check.live.live_making import Making
from batch.pacing.pacer import Pacer
from batch.settings.config import Config
from userpool.client import cognito_client


def making(config: Config, *, stop: threading.Event, token: str) -> Making:
    """Return what makes throw-away pools, paced by AWS's default quotas. Deletion is paced, and not stopped."""
    client = cognito_client(config.target, connections=1)
    share = config.rate.share
    policy, cleaning = Pacer({}, share=share, stopping=stop).policy(), Pacer({}, share=share).policy()
    return Making(client, policy, cleaning, token=token)
