"""The end of a sign-in: PostAuthentication, then tokens."""

from __future__ import annotations

from sandbox import tokens
from sandbox.challenges import Answer, SignIn


def finish(sign_in: SignIn) -> Answer:
    """Tell PostAuthentication, and hand out tokens. Raises CognitoError if a trigger forbids it."""
    sign_in.trigger("PostAuthentication", "PostAuthentication_Authentication", {"newDeviceUsed": False}, {})
    return {"AuthenticationResult": tokens.issue(sign_in), "ChallengeParameters": {}}
