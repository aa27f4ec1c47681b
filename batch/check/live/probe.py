"""One question of `check --live`: what is asked, what is expected, and what follows from each answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from batch.check.live.made_up_users import Stage
from batch.runtime.stopping import StoppedError
from userpool.errors import MigrationError, UserError

ACCEPTED = "accepted"
TOKENS = "tokens"
DENIED = "NotAuthorizedException"
INVALID = "InvalidParameterException"

SAFE = ""
"""The advice where nothing depends on the answer."""


class Basis(StrEnum):
    """Where the expected answer comes from, from the surest source to none."""

    DOCUMENTED = "documented"
    REPORTED = "reported by users"
    INFERRED = "inferred from documents"
    NOWHERE = "told nowhere"


class ProbeOutcome(StrEnum):
    """What came of a probe. Only CHOOSE asks the operator to change a setting."""

    EXPECTED = "as expected"
    HARMLESS = "otherwise, and harmless"
    CHOOSE = "otherwise"
    UNTOLD = "not told"


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. `ask` makes the calls and returns the answer: `accepted`, an error's code, or what was seen.

    `advice` says by answer what to do. `otherwise` is the advice for every other unexpected answer. SAFE is no advice.
    """

    id: str
    question: str
    expected: str
    basis: Basis
    ask: Callable[[Stage], str]
    otherwise: str = SAFE
    advice: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a probe, or the `problem` for which there is none."""

    probe: Probe
    observed: str = ""
    problem: str = ""

    @property
    def verdict(self) -> ProbeOutcome:
        """Whether the answer is the expected one, and if not, whether anything depends on it."""
        if self.problem:
            return ProbeOutcome.UNTOLD
        if self.observed == self.probe.expected:
            return ProbeOutcome.EXPECTED
        return ProbeOutcome.CHOOSE if self.advice else ProbeOutcome.HARMLESS

    @property
    def advice(self) -> str:
        """What the operator should do. SAFE if the answer is the expected one, or if there is none."""
        if self.problem or self.observed == self.probe.expected:
            return SAFE
        return self.probe.advice.get(self.observed, self.probe.otherwise)


def tried(probe: Probe, stage: Stage) -> Result:
    """Ask the question. A call that fails becomes a result, so the other probes go on. Raises StoppedError."""
    try:
        return Result(probe, probe.ask(stage))
    # It is a MigrationError too. Below it, Ctrl-C would become one more result.
    except StoppedError:
        raise
    except MigrationError as error:
        return Result(probe, problem=str(error))


def answer_to(call: Callable[[], object]) -> str:
    """Return the answer of a call: its own word, `accepted`, or the code of the refusal.

    Raises UserError for a refusal without a code of Cognito's, because such a refusal says nothing about Cognito.
    """
    try:
        answer = call()
    except UserError as error:
        if error.code:
            return error.code
        raise
    return answer if isinstance(answer, str) else ACCEPTED
