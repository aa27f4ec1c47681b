"""Pace calls by quota category and repeat what may pass. The one file that knows tenacity.

A category has one limiter, shared by every pool of the same account and Region. Each attempt takes a slot of it,
so retries cannot exceed the quota either.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
    PassingError,
    ThrottledError,
    UnansweredError,
    UnreachableError,
)
from userpool.quotas import CAPPED_PER_POOL, CATEGORY, DEFAULT_RPS, PER_POOL_RPS, pace_key

T = TypeVar("T")
ATTEMPTS = 8  # for what is not a throttle: about a minute, with the waits below
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 20.0
_PATIENCE_WHEN_STOPPING = 5
# What a user still needs whose creation has begun, or whom the ledger has let go of. Other calls are not made any more
# when everything is to end.
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
"""Seconds in which a request is made, with the ledger asked before it; what is not used of them is waited for."""
_MANY = 100  # slots a second, from which on one that is late makes no difference
_LEDGER_ATTEMPTS = 11
_FIRST_LEDGER_WAIT = 0.05
_LONGEST_LEDGER_WAIT = 5.0
_TURN = 0.001  # seconds that a thread may keep the others waiting; Python's own is five times as long


class Pacer:
    """The limiters of one account and Region, and how calls are repeated under them.

    `rps` is requests a second by quota category, as they are to be; for others it is the share of AWS's defaults. A
    request is made `ahead` seconds before it leaves: of requests that are made on time each leaves late otherwise.
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
        # Made once: what they know of a call is its thread's own.
        self._retrying = {finishing: self._repeats(finishing=finishing) for finishing in (False, True)}

    def limiter(self, operation: str) -> Limiter:
        """Return what paces the operation."""
        return self._limiters[pace_key(operation)]

    def policy(self) -> Policy:
        """Return the policy to hand to a `UserPool` of this account and Region."""
        return self._carry_out

    def _carry_out(self, operation: str, attempt: Callable[[], Any], *, repeatable: bool) -> Any:
        finishing = operation in _FINISHING
        limiter = self.limiter(operation)
        ahead = self._ahead if limiter.ceiling < _MANY else 0.0
        paced = _Paced(limiter, attempt, ahead=ahead, repeatable=repeatable, finishing=finishing)
        try:
            return self._retrying[finishing](paced)
        except PassingError as error:
            raise _given_up(error) from None

    def _repeats(self, *, finishing: bool) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=self._enough,
            sleep=lambda seconds: self._ending.sleep(seconds, finishing=finishing),
            reraise=True,
        )

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        """Whether to give up: throttles are waited out for as long as nobody wants to stop."""
        if self._stopping.is_set():
            return state.attempt_number >= _PATIENCE_WHEN_STOPPING
        return state.attempt_number - cast("_Paced", state.fn).throttles >= ATTEMPTS


class _Paced:
    """A call that may be attempted several times, each in its slot."""

    def __init__(
        self, limiter: Limiter, attempt: Callable[[], Any], *, ahead: float, repeatable: bool, finishing: bool
    ) -> None:
        self._limiter = limiter
        self._attempt = attempt
        self._ahead = ahead
        self._repeatable = repeatable
        self._finishing = finishing
        self._left = 0.0
        self.throttles = 0

    def __call__(self) -> Any:
        """Wait for a slot, and attempt it."""
        try:
            return self._on_time()
        except ThrottledError:
            self.throttles += 1
            self._limiter.slow_down(self._left)
            raise
        except DroppedError as error:
            if self._repeatable:
                raise
            raise UnansweredError(f"{error}: no answer, so it may have been carried out") from None

    def _on_time(self) -> Any:
        self._left = slot = self._limiter.approach(ahead=self._ahead, finishing=self._finishing)
        if not self._ahead:
            self._leave(slot)
            return self._attempt()
        with departing(lambda: self._leave(slot)):
            return self._attempt()

    def _leave(self, slot: float) -> None:
        self._left = self._limiter.leave(slot, finishing=self._finishing)


class Patience:
    """Repeats what may pass for some ten seconds, or five times once `stopping`; for calls without a quota of ours."""

    def __init__(self, stopping: threading.Event | None = None, *, sleep: Sleep = time.sleep) -> None:
        self._stopping = stopping or threading.Event()
        self._sleep = sleep

    def __call__(self, attempt: Callable[[], T]) -> T:
        """Carry out the attempt, which must be safe to repeat. Raises FatalError if it does not pass."""
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
    """Say what a passing error means once it did not pass."""
    if isinstance(error, UnreachableError):
        return FatalError(f"{error} Rerun to go on where it stopped.")
    return UnansweredError(f"{error} (given up; rerun to try again)")


@contextmanager
def on_time() -> Iterator[None]:
    """Keep calls from leaving late while paced work is done.

    What is loaded by now (AWS's service models, mostly) stays for good: the collector would go through all of it again
    and again, which takes tens of milliseconds, in which nothing leaves, and what is late meets what is on time.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
