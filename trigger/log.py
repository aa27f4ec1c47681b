"""One JSON line for each event, which CloudWatch reads as metrics too (embedded metric format).

Specification: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from trigger.outcome import Outcome

Write = Callable[[str], None]

_NAMESPACE = "CognitoMigrate"


def say(line: str) -> None:
    """Write a line to the function's log."""
    print(line, flush=True)  # noqa: T201 -- stdout is a Lambda's log


def line(
    source: str, outcome: Outcome, *, pool_id: str, seconds: float, old_pool_seconds: float = 0.0, log_key: str = ""
) -> str:
    """Return the line: source, outcome, reason's code, milliseconds, and a keyed hash instead of the person."""
    metrics = _metrics(outcome, old_pool_seconds)
    values: dict[str, Any] = {
        "source": source,
        "outcome": outcome.what,
        "reason": outcome.reason,
        "milliseconds": round(seconds * 1000),
        "TargetPool": pool_id,
        **{name: value for name, (_, value) in metrics.items()},
    }
    if outcome.detail:
        values["detail"] = outcome.detail
    if outcome.sub and log_key:
        values["person"] = hmac.digest(log_key.encode(), outcome.sub.encode(), "sha256").hex()[:16]
    if metrics:
        values["_aws"] = _embedded(metrics, with_reason=outcome.what in {"refused", "fault"})
    return json.dumps(values)


def _metrics(outcome: Outcome, old_pool_seconds: float) -> dict[str, tuple[str, float]]:
    metrics: dict[str, tuple[str, float]] = {}
    counted = {"captured": "Captured", "migrated": "Captured", "refused": "Refused", "fault": "Faults"}
    if name := counted.get(outcome.what):
        metrics[name] = ("Count", 1)
    if old_pool_seconds:
        metrics["OldPoolLatency"] = ("Milliseconds", round(old_pool_seconds * 1000))
    if outcome.owed:
        metrics["OwedMemberships"] = ("Count", outcome.owed)
    return metrics


def _embedded(metrics: dict[str, tuple[str, float]], *, with_reason: bool) -> dict[str, Any]:
    dimensions = [["TargetPool"], ["TargetPool", "reason"]] if with_reason else [["TargetPool"]]
    named = [{"Name": name, "Unit": unit} for name, (unit, _) in metrics.items()]
    return {
        "Timestamp": round(time.time() * 1000),
        "CloudWatchMetrics": [{"Namespace": _NAMESPACE, "Dimensions": dimensions, "Metrics": named}],
    }
