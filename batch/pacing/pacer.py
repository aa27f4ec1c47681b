"""Pace calls by quota category, and repeat calls whose failure may pass. The only file that knows tenacity.

A category has one limiter, which all pools of the same account and Region share. Each attempt takes a slot of the
limiter, so retries cannot exceed the quota either.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast

import tenacity

from batch.pacing.limiter import Clock, Ending, Limiter, Sleep
from batch.pacing.rate import usable_share
from userpool.departure import departing
from userpool.door import Policy
from userpool.errors import (
    DroppedError,
    FatalError,
    MigrationError,
    NotEnabledError,
    PassingError,
    ThrottledError,
    UnansweredError,
    UnreachableError,
)
from userpool.quotas import CAPPED_PER_POOL, CATEGORY, DEFAULT_RPS, PER_POOL_RPS, pace_key

T = TypeVar("T")
ATTEMPTS = 8  # for a failure that is no throttle: about a minute, with the waits below
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 20.0
_PATIENCE_WHEN_STOPPING = 5
# Calls that a user still needs whose creation has begun, or whom the ledger has let go of. Without them a stop would
# leave such a user half done until the next run. No other call is made once the command is stopping.
_FINISHING = frozenset(
    {
        "AdminGetUser",
        "AdminDisableUser",
        "AdminSetUserPassword",
        "AdminSetUserMFAPreference",  # or who is CONFIRMED by then could reset, and sign in without the factor
        "AdminResetUserPassword",
    }
)
AHEAD = 0.05
"""Seconds before its slot at which a request is made. They are enough to ask the ledger as well; the rest is waited."""
_MANY = 100  # slots a second: from this rate on, a call that is late makes no difference
_LEDGER_ATTEMPTS = 11
_FIRST_LEDGER_WAIT = 0.05
_LONGEST_LEDGER_WAIT = 5.0
_READS = ("AdminGet", "AdminList", "Describe", "Get", "List")  # operations that write nothing begin so
_SILENT = 5  # calls in a row without an answer, after which it is asked whether the cause is known
_STANDSTILL = 1800.0  # seconds in which Cognito throttles every call: its quota is 0, or others use all of it
_STANDS_STILL = (
    "{error}. Every such call was throttled for half an hour: the quota of this account is 0, or other programs use "
    "all of it. What was done is recorded. Look at the quota in Service Quotas and who else calls Cognito, and rerun."
)
_TURN = 0.001  # seconds that a thread may keep the others waiting; Python's default is five times as long


class Pacer:
    """The limiters of one account and Region, and how calls are repeated under them.

    `rps` is the requests a second to keep to, by quota category. Other categories get the `share` of AWS's defaults. A
    request is made `ahead` seconds before it leaves: a request that is only made when its slot has come leaves late.
    """

    def __init__(
        self,
        rps: Mapping[str, float],
        *,
        share: float = 1.0,
        ahead: float = 0.0,
        stopping: threading.Event | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep | None = None,
    ) -> None:
        self._stopping = stopping or threading.Event()
        self._ending = Ending(self._stopping, clock=clock, sleep=sleep)
        self._ahead = ahead
        rates = {pace_key(operation): _rate(operation, rps, share) for operation in CATEGORY}
        self._limiters = {key: Limiter(rate, clock=clock, ending=self._ending) for key, rate in rates.items()}
        # Made once and shared by all threads: tenacity keeps what it knows of a call by thread.
        self.why_silent: Callable[[], str | None] = lambda: None
        self._silent: str | None = None
        self._asking = threading.Lock()
        self._not_enabled: dict[str, NotEnabledError] = {}
        self._retrying = {finishing: self._repeats(finishing=finishing) for finishing in (False, True)}

    def limiter(self, operation: str) -> Limiter:
        """Return the limiter of the operation: that of its category, or its own if each pool has a cap for it."""
        return self._limiters[pace_key(operation)]

    def policy(self) -> Policy:
        """Return the policy to hand to a `UserPool` of this account and Region."""
        return self._carry_out

    def _carry_out(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
        finishing = operation in _FINISHING
        limiter = self.limiter(operation)
        ahead = self._ahead if limiter.ceiling < _MANY else 0.0
        paced = _Paced(
            limiter,
            partial(self._attempt, operation, attempt),
            ahead=ahead,
            repeatable=repeatable,
            finishing=finishing,
            why_silent=self._known_why,
        )
        try:
            return self._retrying[finishing](paced)
        except PassingError as error:
            raise _given_up(error) from None

    def _attempt(self, operation: str, attempt: Callable[[], Any]) -> Any:
        """Make the call, unless it is known by now that no such call can be answered."""
        if self._silent:
            raise FatalError(self._silent)
        if operation in self._not_enabled:
            raise self._not_enabled[operation]
        try:
            return attempt()
        except NotEnabledError as error:
            # A write that a pool cannot do is refused for everybody, and many of them may wait for their turn. A read
            # may be refused for the old pool alone.
            if not operation.startswith(_READS):
                self._not_enabled[operation] = error
            raise

    def _known_why(self, in_a_row: int) -> str | None:
        """Return why calls get no answer, if that is known. It is asked once for so many of them in a row."""
        if in_a_row < _SILENT:
            return self._silent
        # Whoever gets no answer meanwhile waits for what is told, and does not call once more.
        with self._asking:
            if self._silent is None and in_a_row % _SILENT == 0:
                self._silent = self.why_silent()
            return self._silent

    def _repeats(self, *, finishing: bool) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=self._enough,
            sleep=lambda seconds: self._ending.sleep(seconds, finishing=finishing),
            reraise=True,
        )

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        # A throttled call was not carried out, and its slots come slower now. So throttles do not count as attempts:
        # they are waited out until somebody wants to stop, or nothing of the category gets through for long.
        if self._stopping.is_set():
            return state.attempt_number >= _PATIENCE_WHEN_STOPPING
        return state.attempt_number - cast("_Paced", state.fn).throttles >= ATTEMPTS


class _Paced:
    """A call that may be attempted several times, each time in a slot of its own."""

    def __init__(
        self,
        limiter: Limiter,
        attempt: Callable[[], Any],
        *,
        ahead: float,
        repeatable: bool,
        finishing: bool,
        why_silent: Callable[[int], str | None],
    ) -> None:
        self._why_silent = why_silent
        self._limiter = limiter
        self._attempt = attempt
        self._ahead = ahead
        self._repeatable = repeatable
        self._finishing = finishing
        self._left = 0.0
        self.throttles = 0

    def __call__(self) -> Any:
        try:
            answer = self._on_time()
        except ThrottledError as error:
            self.throttles += 1
            self._limiter.slow_down(self._left)
            if self._limiter.standstill > _STANDSTILL:
                raise FatalError(_STANDS_STILL.format(error=str(error).rstrip("."))) from None
            raise
        except DroppedError as error:
            if told := self._why_silent(self._limiter.unanswered()):
                raise FatalError(told) from None
            if self._repeatable:
                raise
            # Not repeated: the first attempt may have been carried out, so whoever called must look first.
            raise UnansweredError(f"{error}: no answer, so it may have been carried out") from None
        except MigrationError:
            self._limiter.let_through()
            raise
        self._limiter.let_through()
        return answer

    def _on_time(self) -> Any:
        self._left = slot = self._limiter.approach(ahead=self._ahead, finishing=self._finishing)
        # Without `ahead` the request is made in its slot, and leaves when it is made.
        if not self._ahead:
            self._leave(slot)
            return self._attempt()
        with departing(lambda: self._leave(slot)):
            return self._attempt()

    def _leave(self, slot: float) -> None:
        self._left = self._limiter.leave(slot, finishing=self._finishing)


class Patience:
    """Repeats calls that have no quota of ours, such as the ledger's, if their failure may pass.

    It tries for some ten seconds, but no more than five times once `stopping` is set.
    """

    def __init__(self, stopping: threading.Event | None = None, *, sleep: Sleep = time.sleep) -> None:
        self._stopping = stopping or threading.Event()
        self._sleep = sleep

    def __call__(self, attempt: Callable[[], T]) -> T:
        """Carry out the attempt, which must be safe to repeat. Raises FatalError if the failure does not pass."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_LEDGER_WAIT, max=_LONGEST_LEDGER_WAIT),
            stop=lambda state: state.attempt_number >= self._most(),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except PassingError as error:
            raise FatalError(f"{error} (given up; rerun when it is well: nothing is lost).") from None

    def _most(self) -> int:
        return _PATIENCE_WHEN_STOPPING if self._stopping.is_set() else _LEDGER_ATTEMPTS


def _rate(operation: str, rps: Mapping[str, float], share: float) -> float:
    category = CATEGORY[operation]
    full = rps.get(category, DEFAULT_RPS[category] * usable_share(share))
    return min(full, PER_POOL_RPS * full / DEFAULT_RPS[category]) if category in CAPPED_PER_POOL else full


def _given_up(error: PassingError) -> MigrationError:
    # An endpoint that cannot be reached fails every user, so the run stops. Without an answer only this call failed.
    if isinstance(error, UnreachableError):
        return FatalError(f"{error} Rerun to go on where it stopped.")
    return UnansweredError(f"{error} (given up; rerun to try again)")


@contextmanager
def on_time() -> Iterator[None]:
    """Keep calls from leaving late while paced work is done.

    What is loaded by now (mostly AWS's service models) is never freed. The garbage collector would go through all of it
    again and again. Each time takes tens of milliseconds in which no call leaves, and then late calls leave together
    with those that are on time.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
