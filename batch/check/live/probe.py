"""A point that `check --live` tests: a question, the answer to be expected, and what to do after each answer."""

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
"""What to do where nothing depends on the answer."""


class Basis(StrEnum):
    """Where the expected answer comes from."""

    DOCUMENTED = "documented"
    REPORTED = "reported by users"
    INFERRED = "inferred from documents"
    NOWHERE = "told nowhere"


class ProbeOutcome(StrEnum):
    """What came of a probe."""

    EXPECTED = "as expected"
    HARMLESS = "otherwise, and harmless"
    CHOOSE = "otherwise"
    UNTOLD = "not told"


@dataclass(frozen=True, slots=True)
class Probe:
    """One point. `ask` makes the calls and returns the answer: `accepted`, the code of an error, or what is seen.

    `advice` says by answer what to do, `otherwise` for any other one but the expected; SAFE is nothing.
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
    """What a probe has found: the answer, or the `problem` for which there is none."""

    probe: Probe
    observed: str = ""
    problem: str = ""

    @property
    def verdict(self) -> ProbeOutcome:
        """Whether it is as expected, and whether anything depends on it if not."""
        if self.problem:
            return ProbeOutcome.UNTOLD
        if self.observed == self.probe.expected:
            return ProbeOutcome.EXPECTED
        return ProbeOutcome.CHOOSE if self.advice else ProbeOutcome.HARMLESS

    @property
    def advice(self) -> str:
        """What to do, if anything."""
        if self.problem or self.observed == self.probe.expected:
            return SAFE
        return self.probe.advice.get(self.observed, self.probe.otherwise)


def tried(probe: Probe, stage: Stage) -> Result:
    """Ask. What cannot be told is a result, and no end; only a stop is."""
    try:
        return Result(probe, probe.ask(stage))
    except StoppedError:
        raise
    except MigrationError as error:
        return Result(probe, problem=str(error))


def answer_to(call: Callable[[], object]) -> str:
    """Return what a call says in a word, else `accepted`, or the code with which it was refused.

    Raises UserError for a refusal without a code of Cognito's.
    """
    try:
        answer = call()
    except UserError as error:
        if error.code:
            return error.code
        raise
    return answer if isinstance(answer, str) else ACCEPTED
