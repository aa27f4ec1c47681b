"""The errors that Cognito answers with."""

from __future__ import annotations


class CognitoError(Exception):
    """An error of Cognito's: its code, its message, and the HTTP status it comes with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_parameter(message: str) -> CognitoError:
    """Return what a request gets that can never be carried out."""
    return CognitoError("InvalidParameterException", message)


def not_authorized(message: str) -> CognitoError:
    """Return what somebody gets who may not do this."""
    return CognitoError("NotAuthorizedException", message)


def user_not_found(message: str = "User does not exist.") -> CognitoError:
    """Return what a name gets that nobody has."""
    return CognitoError("UserNotFoundException", message)


def not_there(message: str) -> CognitoError:
    """Return what a pool, group or app client gets that does not exist."""
    return CognitoError("ResourceNotFoundException", message)
