"""What the sandbox's DynamoDB refuses, with DynamoDB's codes and words.

Sources: "Error handling with DynamoDB" (Amazon DynamoDB developer guide), and the errors of each operation in the API
reference. Where a text stands in neither, it is what DynamoDB was seen to say.
"""

from __future__ import annotations

from typing import Any

_PREFIX = "com.amazonaws.dynamodb.v20120810#"


class DynamoDBError(Exception):
    """An error that a caller is answered; `extra` has what its document has besides, such as `Item`."""

    def __init__(self, code: str, message: str, status: int = 400, **extra: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """Return it as it is sent."""
        name = "Message" if self.code == "TransactionCanceledException" else "message"  # as the API model has them
        return {"__type": _PREFIX + self.code, name: self.message, **self.extra}


def invalid(message: str) -> DynamoDBError:
    """Return the error of a request that can never be carried out."""
    return DynamoDBError("ValidationException", message)


def invalid_parameter(message: str) -> DynamoDBError:
    """Return the error of a value that DynamoDB does not take."""
    return invalid(f"One or more parameter values were invalid: {message}")


def refused(item: dict[str, Any] | None) -> DynamoDBError:
    """Return the error of a condition that does not hold, with the item if it is to be shown."""
    error = DynamoDBError("ConditionalCheckFailedException", "The conditional request failed")
    if item is not None:
        error.extra["Item"] = item
    return error


def no_table(name: str) -> DynamoDBError:
    """Return the error of a table that is not there."""
    return DynamoDBError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def cancelled(reasons: list[dict[str, Any]]) -> DynamoDBError:
    """Return the error of a transaction that was not carried out, with a reason for each of its actions."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return DynamoDBError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )
