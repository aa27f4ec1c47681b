"""Why AWS does not accept who calls it: the clock, credentials that have ended, or keys that are not known.

Every service of AWS says it with the same codes, so this serves Cognito, DynamoDB, STS, IAM and Lambda alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

_ENDED = "The AWS credentials for {what} have expired ({code}): renew them and rerun."
_UNKNOWN = (
    "AWS does not know the credentials for {what} ({code}): the access key was deleted, or its session token is "
    "missing or wrong. Check the profile and rerun."
)
_MISMATCH = (
    "The secret key for {what} does not belong to its access key ({code}), or a proxy has changed the call. Check the "
    "profile and rerun."
)
_UNSIGNED = (
    "The call for {what} reached AWS without a whole signature ({code}): check proxies and the profile, and rerun."
)
_LATE = (
    "AWS refuses the time at which a call for {what} was signed ({code}): set this machine's clock and rerun: "
    "timedatectl set-ntp true"
)
_SENTENCES = {
    "ExpiredTokenException": _ENDED,
    "ExpiredToken": _ENDED,
    "TokenRefreshRequired": _ENDED,
    "UnrecognizedClientException": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "InvalidAccessKeyId": _UNKNOWN,
    "InvalidToken": _UNKNOWN,
    "AuthFailure": _UNKNOWN,
    "SignatureDoesNotMatch": _MISMATCH,
    "InvalidSignatureException": _MISMATCH,
    "InvalidSignature": _MISMATCH,
    "MissingAuthenticationToken": _UNSIGNED,
    "MissingAuthenticationTokenException": _UNSIGNED,
    "IncompleteSignature": _UNSIGNED,
    "IncompleteSignatureException": _UNSIGNED,
    "RequestExpired": _LATE,
    "RequestTimeTooSkewed": _LATE,
    "RequestInTheFuture": _LATE,
}
_OF_THE_CLOCK = {_MISMATCH, _LATE}
_TOO_FAR = 240.0  # seconds: AWS refuses five minutes, and a Date header has whole seconds
_STAMP = re.compile(r"\b\d{8}T\d{6}Z\b")


def why_not_accepted(error: ClientError, what: str, *, now: datetime | None = None) -> str | None:
    """Return why AWS does not accept the caller of `what`, and what to do. None if the error is about something else.

    `now` is this machine's time.
    """
    code = str(error.response.get("Error", {}).get("Code", ""))
    sentence = _SENTENCES.get(code)
    if sentence in _OF_THE_CLOCK and (times := _times(error.response, now or datetime.now(UTC))):
        ours, theirs = times
        return (
            f"This machine's clock is wrong, so AWS refuses what it signs for {what} ({code}). The clock says "
            f"{_said(ours)}, AWS says {_said(theirs)}. Set the clock and rerun: timedatectl set-ntp true"
        )
    return sentence.format(what=what, code=code) if sentence else None


def _times(response: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime] | None:
    """Return the time of this machine and that of AWS, if they are too far apart."""
    # A wrong secret and a wrong clock have the same code, and no member tells them apart. The sentence of a wrong clock
    # has the times: "Signature expired: <ours> is now earlier than <limit> (<AWS's> - 5 min.)".
    stamps = [
        datetime.strptime(stamp, "%Y%m%dT%H%M%S%z")
        for stamp in _STAMP.findall(str(response.get("Error", {}).get("Message", "")))
    ]
    if len(stamps) > 1:
        return stamps[0], stamps[-1]
    header = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    theirs = parsedate_to_datetime(header) if header else None
    return (now, theirs) if theirs and abs((theirs - now).total_seconds()) > _TOO_FAR else None


def _said(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
