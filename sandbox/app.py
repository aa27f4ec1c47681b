"""`sandbox sign-in`: sign in as an app with the recipe of docs/clients.md does, and say each step."""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.made_up.seed import PASSWORD
from userpool.client import cognito_client, is_loopback
from userpool.errors import code_of
from userpool.settings import PoolSettings

_CLAIMS = ("sub", "custom:legacy_sub", "cognito:groups")
_CAPTURE_FOLLOWS = {"NotAuthorizedException", "UserNotFoundException"}
Say = Callable[[str], None]


def main(words: Sequence[str], say: Say = print) -> int:
    """Sign in; return 0 if that gave tokens, 1 if not, 2 if there is no sandbox to sign in to."""
    parser = argparse.ArgumentParser(prog="cognito-migrate sandbox sign-in", description=__doc__)
    parser.add_argument("username", help="as the user types it")
    parser.add_argument("password", nargs="?", default=PASSWORD, help="default: the one of every made-up user")
    parser.add_argument(
        "--forgot", action="store_true", help="first choose this password by forgot-password, with the code sent"
    )
    given = parser.parse_args(words)
    try:
        app = App.of(os.environ, say)
        if given.forgot:
            app.forgot(given.username, given.password)
        return 0 if app.sign_in(given.username, given.password) else 1
    except (ValueError, BotoCoreError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2
    except ClientError as error:
        say(f"refused: {code_of(error)}")
        return 1


class App:
    """An app of the new pool."""

    def __init__(self, cognito: Any, endpoint_url: str, client_id: str, say: Say) -> None:
        self._cognito, self._endpoint_url, self._client_id, self._say = cognito, endpoint_url, client_id, say

    @classmethod
    def of(cls, environment: Mapping[str, str], say: Say) -> App:
        """Read the variables of sandbox.env. Raises ValueError if they are not set, or are not those of a sandbox."""
        url, pool_id, client_id = (environment.get(name, "") for name in ("AWS_ENDPOINT_URL", "NEW_POOL", "APP_CLIENT"))
        if not (is_loopback(url) and pool_id and client_id):
            raise ValueError(
                "This terminal knows no sandbox, so nobody was signed in. In the folder where "
                "`cognito-migrate sandbox --trigger` was started, type: . ./sandbox.env"
            )
        client = cognito_client(PoolSettings(pool_id, endpoint_url=url), connections=1, read_seconds=60)
        return cls(client, url, client_id, say)

    def sign_in(self, username: str, password: str) -> bool:
        """Sign in, and offer the password to the challenge if that is refused. Return whether there are tokens."""
        for may_offer in (True, False):
            code = self._try(username, password)
            if code not in _CAPTURE_FOLLOWS or not may_offer:
                break
            outcome = self._offer(username, password)
            self._say(f"CUSTOM_AUTH: {outcome}")
            if outcome != "captured":
                return False
        return not code

    def forgot(self, username: str, password: str) -> None:
        """Choose a password with the code that the sandbox would have sent."""
        who = {"ClientId": self._client_id, "Username": username}
        self._cognito.forgot_password(**who)
        code = self._code(username)
        self._cognito.confirm_forgot_password(**who, ConfirmationCode=code, Password=password)
        self._say("ConfirmForgotPassword: a new password is chosen")

    def _try(self, username: str, password: str) -> str:
        """Sign in by the password, and say how that ended. Return the code of the refusal, "" if there is none."""
        parameters = {"USERNAME": username, "PASSWORD": password}
        try:
            answer = self._cognito.initiate_auth(
                ClientId=self._client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters
            )
        except ClientError as error:
            code = code_of(error)
            self._say(f"USER_PASSWORD_AUTH: {code}")
            return code
        self._say(f"USER_PASSWORD_AUTH: {_told(answer)}")
        return ""

    def _offer(self, username: str, password: str) -> str:
        asked = self._cognito.initiate_auth(
            ClientId=self._client_id, AuthFlow="CUSTOM_AUTH", AuthParameters={"USERNAME": username}
        )
        told = self._cognito.respond_to_auth_challenge(
            ClientId=self._client_id,
            ChallengeName="CUSTOM_CHALLENGE",
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": username, "ANSWER": password},
        )
        return str(told["ChallengeParameters"].get("outcome", "wrong"))

    def _code(self, username: str) -> str:
        """Return the last code sent to a user of the new pool. Raises ValueError if none was."""
        request = urllib.request.Request(  # noqa: S310 -- a loopback address, see `of`
            f"{self._endpoint_url}/_sandbox/code",
            json.dumps({"client_id": self._client_id, "username": username}).encode(),
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 -- the same
            code = json.load(answer)["code"]
        if code is None:
            raise ValueError(f"No code was sent to {username}: no such user, or no verified address or number.")
        return str(code)


def _told(answer: Mapping[str, Any]) -> str:
    """Say what an answer to a sign-in gives."""
    if "AuthenticationResult" not in answer:
        return f"the next step is {answer['ChallengeName']}"
    body = answer["AuthenticationResult"]["IdToken"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    shown = (f"{name} {_listed(claims[name])}" for name in _CLAIMS if name in claims)
    return "tokens: " + "; ".join(shown)


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
