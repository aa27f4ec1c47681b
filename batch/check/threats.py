"""Judge threat protection: whether it refuses the old pool's right passwords, and what the new pool lacks. Pure.

Source: "Advanced security with threat protection" of the developer guide. How it rates sign-ins that all come from the
function is written nowhere, so anything that may refuse one counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batch.check.facts import Client, Facts
from batch.check.finding import Finding, Topic, template
from userpool.by_hand import pool_line

_THREATS = Topic("threat protection")
_NOTHING = "NO_ACTION"
_RISKS = ("LowAction", "MediumAction", "HighAction")
_LEVELS = ("OFF", "AUDIT", "ENFORCED")
_TAKEOVER, _COMPROMISED = "AccountTakeoverRiskConfiguration", "CompromisedCredentialsRiskConfiguration"


def threat_protection(facts: Facts) -> list[Finding]:
    """Return whether threat protection may refuse a proof or a capture, and whether it is lost."""
    found = [*_of_proofs(facts), *_of_captures(facts), *_lost(facts)]
    return _THREATS.or_ok(found, "it refuses no password that the function proves or captures.")


def proving(clients: Iterable[Client], client_id: str | None) -> list[Client]:
    """Return the app clients as which the function may prove passwords: the one that is named, or any that fits."""
    # Without SOURCE_CLIENT_ID it is not known which client the function will use, so any one that fits is enough.
    named = [one for one in clients if client_id in (None, one.app.client_id)]
    return [one for one in named if one.app.allows("ADMIN_USER_PASSWORD_AUTH")]


def mode(settings: Mapping[str, Any]) -> str:
    """Return the AdvancedSecurityMode of a pool: OFF, AUDIT or ENFORCED."""
    return str((settings.get("UserPoolAddOns") or {}).get("AdvancedSecurityMode") or "OFF")


def _of_proofs(facts: Facts) -> Iterator[Finding]:
    """Judge the old pool: each proof comes from the function's address, which has no device and many users."""
    if not facts.captures or mode(facts.source.settings) != "ENFORCED":
        return
    clients = proving(facts.source.clients.value, facts.client_id)
    # `old_client` says so where no app client can prove anything.
    if clients and not any(_lets_pass(facts, one) for one in clients):
        known = facts.risks.problem is None
        said = "may be blocked, or answered by a challenge" if known else "may be refused, which is not known"
        yield (_THREATS.error if known else _THREATS.warning)(
            "threat-protection-refuses",
            f"threat protection of the old pool is ENFORCED, and every proof comes from the function's own address: a "
            f"right password {said}.",
            "Let it take no action for the function's app client"
            + (":" if len(clients) == 1 else "; to get the line, name that one with --client-id.")
            + ("" if known else " To have it looked at, allow cognito-idp:DescribeRiskConfiguration."),
            _no_action(facts, clients[0]) if len(clients) == 1 else "",
        )


def _lets_pass(facts: Facts, client: Client) -> bool:
    """Whether the app client has a configuration of its own by which nothing is refused.

    What is left out of it is not taken for harmless, because its default is not documented.
    """
    risk = (facts.risks.found or {}).get(client.app.client_id) or {}
    takeover = (risk.get(_TAKEOVER) or {}).get("Actions") or {}
    compromised = (risk.get(_COMPROMISED) or {}).get("Actions") or {}
    actions = [(takeover.get(name) or {}).get("EventAction") for name in _RISKS]
    return {*actions, compromised.get("EventAction")} == {_NOTHING}


def _no_action(facts: Facts, client: Client) -> str:
    takeover = {"Actions": {name: {"Notify": False, "EventAction": _NOTHING} for name in _RISKS}}
    compromised = {"Actions": {"EventAction": _NOTHING}}
    return pool_line(
        facts.config.source,
        "set-risk-configuration",
        *("--client-id", client.app.client_id),
        *("--account-takeover-risk-configuration", json.dumps(takeover, separators=(",", ":"))),
        *("--compromised-credentials-risk-configuration", json.dumps(compromised, separators=(",", ":"))),
    )


def _of_captures(facts: Facts) -> Iterator[Finding]:
    """Judge the new pool: its custom challenges are the function's, and are rated there."""
    flows = (facts.target.settings.get("UserPoolAddOns") or {}).get("AdvancedSecurityAdditionalFlows") or {}
    if facts.captures and flows.get("CustomAuthMode") == "ENFORCED":
        yield _THREATS.warning(
            "threat-protection-of-custom-auth",
            "threat protection of the new pool is ENFORCED for CUSTOM_AUTH: it may refuse a capture at a user's first "
            "sign-in, from a device that it has never seen.",
            "Until the migration is over, in the new pool's template:",
            template(
                "UserPoolAddOns:",
                f"  AdvancedSecurityMode: {mode(facts.target.settings)}",
                "  AdvancedSecurityAdditionalFlows: {CustomAuthMode: AUDIT}",
            ),
        )


def _lost(facts: Facts) -> Iterator[Finding]:
    old, new = mode(facts.source.settings), mode(facts.target.settings)
    if old in _LEVELS and new in _LEVELS and _LEVELS.index(new) < _LEVELS.index(old):
        yield _THREATS.note(
            "threat-protection-lost",
            f"threat protection is {old} in the old pool and {new} in the new one.",
            "If it is to stay, when the migration is over (it needs the PLUS plan), in the new pool's template:",
            template(f"UserPoolAddOns: {{AdvancedSecurityMode: {old}}}"),
        )
