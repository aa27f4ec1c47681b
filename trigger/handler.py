"""The Lambda of the new user pool: `trigger.handler.handler`, for every trigger source that it knows.

A source that it does not know passes through untouched, except where tokens are made: a token is a token, whatever new
way of getting one Cognito has. A function of your own may call it: it returns the event.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import PurePath
from typing import Any, NamedTuple

from trigger import log
from trigger.deadline import Deadline
from trigger.outcome import DeniedError, Outcome, RefusalError, fault
from trigger.parts import Parts, Work
from trigger.settings import TriggerSettings
from userpool.errors import MigrationError

Event = dict[str, Any]


def _answer_nothing(event: Event) -> None:
    """Let Cognito treat the user as one it does not know: an answer without attributes creates nobody."""
    event["response"] = dict.fromkeys(event["response"])


def _answer_wrong(event: Event) -> None:
    event["response"]["answerCorrect"] = False


def _end_challenges(event: Event) -> None:
    event["response"] |= {"issueTokens": False, "failAuthentication": True}


def _deny(_: Event) -> None:
    raise DeniedError


def _let_pass(_: Event) -> None:
    """Do nothing: a refresh of tokens proves nothing new, and should not fail with us."""


class Route(NamedTuple):
    """What is done for a trigger source, and how Cognito is told that it is refused, or that we cannot tell.

    What is done is named, and imported when it is first needed: *capture* and *gate* need different halves.
    """

    action: str
    refuse: Callable[[Event], None] = _deny
    fail: Callable[[Event], None] | None = None

    def act(self, work: Work) -> Outcome:
        """Do it. Raises RefusalError, or a MigrationError."""
        module, _, name = self.action.partition(".")
        outcome: Outcome = getattr(import_module(f"trigger.{module}"), name)(work)
        return outcome


ROUTES = {
    "UserMigration_Authentication": Route("migrate.at_sign_in", _answer_nothing),
    "UserMigration_ForgotPassword": Route("migrate.at_forgotten_password", _answer_nothing),
    "DefineAuthChallenge_Authentication": Route("capture.define", _end_challenges),
    "CreateAuthChallenge_Authentication": Route("capture.create"),
    "VerifyAuthChallengeResponse_Authentication": Route("capture.verify", _answer_wrong),
    "TokenGeneration_Authentication": Route("tokens.generate"),
    "TokenGeneration_HostedAuth": Route("tokens.generate"),
    "TokenGeneration_NewPasswordChallenge": Route("tokens.generate"),
    "TokenGeneration_AuthenticateDevice": Route("tokens.generate"),
    "TokenGeneration_RefreshTokens": Route("tokens.generate", fail=_let_pass),
    "PostAuthentication_Authentication": Route("tokens.after_sign_in"),
    "PostConfirmation_ConfirmForgotPassword": Route("sign_up.after_forgotten_password"),
    "PostConfirmation_ConfirmSignUp": Route("sign_up.after_sign_up"),
    "PreSignUp_SignUp": Route("sign_up.before_sign_up"),
    "PreSignUp_ExternalProvider": Route("sign_up.before_profile"),
}
_NEW_WAY_TO_TOKENS = Route("tokens.generate")
_OF_NO_USER = "TokenGeneration_ClientCredentials"
"""The token of an app itself, where the trigger has V3_0 (developer guide, "Pre token generation Lambda trigger")."""


def route_of(event: Event) -> Route | None:
    """Return what is done for an event, None if it is to pass through."""
    source = event.get("triggerSource")
    if not isinstance(source, str) or source == _OF_NO_USER:
        return None
    # By the beginning of the source's name, since nothing else in an event tells that a token follows.
    # Whoever gets a token by a way that no document of today names is looked at and settled like everybody.
    return ROUTES.get(source, _NEW_WAY_TO_TOKENS if source.startswith("TokenGeneration_") else None)


class Handler:
    """The function with its parts made."""

    def __init__(self, parts: Parts, say: log.Write = log.say) -> None:
        self._parts = parts
        self._say = say

    def __call__(self, event: Event, context: Any) -> Event:
        """Work on an event and return it. Raises DeniedError, which tells nothing, where Cognito is to be stopped."""
        deadline = Deadline(context, self._parts.clock)
        route = route_of(event)
        if route is None:
            return event
        if event.get("userPoolId") != self._parts.settings.target.user_pool_id:
            self._log(event, deadline, Outcome("refused", "event-of-another-pool"))
            raise DeniedError
        for part in ("request", "response"):
            event[part] = event.get(part) or {}
        self._work(event, deadline, route)
        return event

    def _work(self, event: Event, deadline: Deadline, route: Route) -> None:
        work: Work | None = None
        answer = None
        try:
            work = Work.of(event, deadline, self._parts)
            outcome = route.act(work)
        except RefusalError as refusal:
            outcome, answer = Outcome("refused", refusal.reason, refusal.sub), route.refuse
        except MigrationError as error:
            outcome, answer = fault(error), route.fail or route.refuse
        except Exception as error:  # noqa: BLE001 -- a mistake of ours, whose text and locals may hold the password
            outcome, answer = Outcome("fault", type(error).__name__, detail=_place(error)), _deny
        self._log(event, deadline, outcome, work)
        if answer is not None:
            answer(event)

    def _log(self, event: Event, deadline: Deadline, outcome: Outcome, work: Work | None = None) -> None:
        self._say(
            log.line(
                event["triggerSource"],
                outcome,
                pool_id=self._parts.settings.target.user_pool_id,
                seconds=deadline.spent,
                old_pool_seconds=work.old_pool.seconds if work else 0.0,
                log_key=work.terms.log_key if work else "",
            )
        )


def _place(error: Exception) -> str:
    """Say where it went wrong, without the exception's own words."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}, line {frame.lineno}"


@cache
def _made() -> Handler:
    return Handler(Parts.of(TriggerSettings.of(os.environ)))


def handler(event: Event, context: Any) -> Event:
    """Work on an event of the new user pool and return it; what AWS Lambda calls."""
    if route_of(event) is None:
        return event
    try:
        made = _made()
    except MigrationError as error:
        log.say(
            log.line(
                event["triggerSource"],
                fault(error),
                pool_id="",
                seconds=0.0,
            )
        )
        raise DeniedError from None
    return made(event, context)
