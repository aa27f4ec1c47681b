"""The end of a sign-in: PostAuthentication, then tokens."""

from __future__ import annotations

from sandbox.sign_in import tokens
from sandbox.sign_in.challenges import Answer, SignIn

HOSTED = "TokenGeneration_HostedAuth"
"""The trigger source of PreTokenGeneration for sign-ins by managed login."""


def finish(sign_in: SignIn) -> Answer:
    """Tell PostAuthentication, and hand out tokens. Raises CognitoError if a trigger forbids it.

    The developer guide does not list PostAuthentication among the triggers of managed login's `/login`.
    """
    if sign_in.source != HOSTED:
        sign_in.trigger("PostAuthentication", "PostAuthentication_Authentication", {"newDeviceUsed": False}, {})
    return {"AuthenticationResult": tokens.issue(sign_in), "ChallengeParameters": {}}
