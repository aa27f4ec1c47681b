"""Will it work? Ask every judge about the facts, and put the worst finding first. This file reads nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from batch.check import account, capture, own_functions, pools, same_client, same_pool, sign_in, threats
from batch.check.facts import Facts, PoolFacts, Read, UnreadError
from batch.check.finding import Finding, Severity, Topic
from userpool.plural import plural

Judge = Callable[[Facts], Iterable[Finding]]

JUDGES: Mapping[str, Judge] = {
    "lost users": account.lost_users,
    "recoveries": account.recoveries,
    "kinds": pools.kinds,
    "case": pools.case,
    "aliases": pools.aliases,
    "schema": pools.schema,
    "marker": pools.marker,
    "passwords": sign_in.passwords,
    "MFA": sign_in.second_factors,
    "recovery": sign_in.recovery,
    "mail": sign_in.mail,
    "sign-up": sign_in.sign_up,
    "own functions": own_functions.own_functions,
    "old app client": capture.old_client,
    "app clients": capture.app_clients,
    "triggers": capture.triggers,
    "ledger": capture.ledger,
    "threat protection": threats.threat_protection,
    "old functions": same_pool.functions_lost,
    "managed login": same_client.managed_login,
    "resource servers": same_client.resource_servers,
    "tokens": same_client.tokens,
    "client attributes": same_client.client_attributes,
    "messages": same_pool.messages,
    "other settings": same_pool.other_settings,
    "identity providers": account.providers,
    "quotas": account.quotas,
    "permissions": account.permissions,
    "clock": account.clock,
    "state file": account.state_file,
    "versions": account.versions,
}
"""Every topic, in the order in which findings of the same severity are shown."""

_ORDER = list(Severity)


def findings(facts: Facts) -> list[Finding]:
    """Return every finding, the worst first. What could not be read is a finding of its own."""
    found, unseen = list(_unread(facts)), []
    for name, judge in JUDGES.items():
        try:
            # A judge yields as it goes. What it found before it met the gap is kept.
            for finding in judge(facts):
                found.append(finding)  # noqa: PERF402 -- see above
        except UnreadError:
            unseen.append(name)
    if facts.source.described.problem and facts.target.described.problem:
        # What is well of this machine would only hide why nothing can be said of the pools.
        found = [finding for finding in found if finding.severity is not Severity.OK]
    if unseen:
        # One line: what could not be read is an error of its own, which must not drown.
        found.append(
            Topic("not checked").note(
                "not-checked",
                f"not looked at, or not wholly, because of what could not be read: {', '.join(unseen)}.",
            )
        )
    # The sort is stable, so the findings of one severity keep the order of the topics.
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def _unread(facts: Facts) -> Iterator[Finding]:
    for side, pool in (("old pool", facts.source), ("new pool", facts.target)):
        yield from _pool_unread(side, pool)
    reads: Mapping[str, Read[Any]] = {"ledger": facts.ledger, "triggers": facts.policies, "lost users": facts.missing}
    for name, read in reads.items():
        if read.problem:
            # `run` cannot go on without the ledger. The functions' policies are only looked at to give advice.
            severity = Severity.ERROR if name == "ledger" else Severity.NOTE
            yield Finding(severity, name, "not-readable", str(read.problem), _AGAIN)


def _pool_unread(side: str, pool: PoolFacts) -> Iterator[Finding]:
    if pool.described.problem:
        yield Topic(side).error("not-readable", str(pool.described.problem), _AGAIN)
        return
    description = pool.description
    yield Topic(side).ok(f"{description.pool_id}, about {plural(description.estimated_users, 'user')}.")
    parts: tuple[Read[Any], ...] = (pool.mfa, pool.clients, pool.providers)
    for problem in (part.problem for part in parts if part.problem):
        yield Topic(side).warning("not-readable", str(problem), _AGAIN)


_AGAIN = "Mend that, and check again."


def as_values(found: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for `--json`: `counts` by severity, a zero included, and `findings`."""
    counts = Counter(finding.severity for finding in found)
    return {
        "counts": {str(severity): counts[severity] for severity in Severity},
        "findings": [asdict(finding) for finding in found],
    }


def has_errors(found: Iterable[Finding]) -> bool:
    """Whether any finding is an error, which must be corrected before the first write. Warnings do not count."""
    return any(finding.severity is Severity.ERROR for finding in found)


def conclusion(found: Sequence[Finding]) -> str:
    """Return the last line of the output: how many findings of each severity, and whether to go on."""
    counts = Counter(finding.severity for finding in found)
    said = ", ".join(
        f"{counts[severity]} {severity if severity is Severity.OK or counts[severity] == 1 else f'{severity}s'}"
        for severity in Severity
    )
    if counts[Severity.ERROR]:
        return f"{said}. Mend the errors before anything is written."
    if counts[Severity.WARNING]:
        return f"{said}. Nothing forbids to go on; some users will notice what the warnings say."
    return f"{said}. Nothing speaks against the first `cognito-migrate run`."
