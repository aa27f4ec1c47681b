"""`check --live`: ask Cognito itself, in throw-away pools, what the documents leave open. Adapts nothing by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batch.check.finding import Finding, Severity
from batch.check.live.live_by_hand import BY_HAND
from batch.check.live.live_making import LeftOver, Making
from batch.check.live.made_up_users import MOST_USERS, USERS, Pause, Stage
from batch.check.live.password_probes import PASSWORDS
from batch.check.live.probe import Probe, ProbeOutcome, Result, tried
from batch.check.live.probes import NAMES
from batch.check.live.settings_probes import SETTINGS
from batch.settings.prices import AS_OF, Prices

PROBES: Sequence[Probe] = (*PASSWORDS, *NAMES, *SETTINGS)

_FREE = 10_000  # monthly active users (`prices`)
_PLAN = "ESSENTIALS"  # of a pool that is made without a word about it
_SEVERITY = {
    ProbeOutcome.EXPECTED: Severity.OK,
    ProbeOutcome.HARMLESS: Severity.NOTE,
    ProbeOutcome.CHOOSE: Severity.WARNING,
    ProbeOutcome.UNTOLD: Severity.NOTE,
}
_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found, and which of the pools made for it could not be deleted."""

    results: tuple[Result, ...]
    left: tuple[LeftOver, ...] = ()

    def has(self, verdict: ProbeOutcome) -> bool:
        """Whether that came of some probe."""
        return any(result.verdict is verdict for result in self.results)

    @property
    def is_well(self) -> bool:
        """Whether every question got an answer, and nothing depends on one that is not the expected one."""
        return not (self.has(ProbeOutcome.CHOOSE) or self.has(ProbeOutcome.UNTOLD))


def probed(making: Making, pause: Pause, probes: Iterable[Probe] = PROBES) -> tuple[Result, ...]:
    """Make the pools and ask. Whoever calls deletes them. Raises StoppedError, and what CreateUserPool may raise."""
    stage = Stage.made_by(making, pause)
    return tuple(tried(probe, stage) for probe in probes)


def cost(prices: Prices | None) -> str:
    """Say what it may cost, in a sentence."""
    known = prices or Prices()
    dollars = known.of_users(_FREE + MOST_USERS, _PLAN) - known.of_users(_FREE, _PLAN)
    said = f"your prices: ${dollars:.2f}" if known.mau is not None else f"${dollars:.2f} (list price, {AS_OF})"
    return (
        f"{USERS} monthly active users, {MOST_USERS} if Cognito lets in whom it should refuse: nothing below the "
        f"account's free users, else at most {said}."
    )


def findings(outcome: Outcome) -> list[Finding]:
    """Return what was found as `check` says it, the worst first."""
    found = [_finding(result) for result in outcome.results]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def _finding(result: Result) -> Finding:
    probe, severity = result.probe, _SEVERITY[result.verdict]
    if result.verdict is ProbeOutcome.EXPECTED:
        what = f"{probe.question} Expected and observed: {probe.expected} ({probe.basis})."
        return Finding(severity, probe.id, "as-expected", what)
    expected = f"{probe.question} Expected: {probe.expected} ({probe.basis})."
    if result.problem:
        return Finding(severity, probe.id, "not-told", f"{expected} Not told: {result.problem}")
    what = f"{expected} Observed: {result.observed}."
    if result.verdict is ProbeOutcome.HARMLESS:
        return Finding(severity, probe.id, "harmless", f"{what} Nothing depends on it.")
    return Finding(severity, probe.id, "otherwise", what, result.advice)


def not_tested() -> list[Finding]:
    """Return what is not tested here, with how a person would."""
    return [
        Finding(
            Severity.NOTE,
            point.id,
            "not-tested",
            f"{point.question} Not tested: {point.why}. What depends on it: {point.matters} By hand: {point.how}",
        )
        for point in BY_HAND
    ]


def as_values(outcome: Outcome) -> dict[str, Any]:
    """Return everything as JSON-able values."""
    return {
        "results": [_result_as_values(result) for result in outcome.results],
        "not_tested": [asdict(point) for point in BY_HAND],
        "not_deleted": [asdict(pool) for pool in outcome.left],
    }


def _result_as_values(result: Result) -> dict[str, Any]:
    probe = result.probe
    return {
        "id": probe.id,
        "question": probe.question,
        "expected": probe.expected,
        "basis": str(probe.basis),
        "observed": result.observed or None,
        "verdict": str(result.verdict),
        "choose": result.advice or None,
        "problem": result.problem or None,
    }


def conclusion(outcome: Outcome) -> str:
    """Say it in the end, in a line."""
    counts = Counter(result.verdict for result in outcome.results)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ProbeOutcome if counts[verdict])
    if outcome.has(ProbeOutcome.CHOOSE):
        return f"{said}. Nothing was adapted: set what the remedies say."
    if outcome.has(ProbeOutcome.UNTOLD):
        return f"{said}. Mend what is said there, and ask again."
    return f"{said}. No setting need be another."
