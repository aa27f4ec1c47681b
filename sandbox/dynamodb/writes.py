"""One write of an item: an Update, a Put, a Delete or, in a transaction, a ConditionCheck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.dynamodb.conditions import Condition, condition
from sandbox.dynamodb.errors import invalid, refused
from sandbox.dynamodb.tables import Place, Table, checked_item, measured
from sandbox.dynamodb.updates import Update, update
from sandbox.dynamodb.values import Item

Parameters = Mapping[str, Any]

_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_GROWN_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write makes of an item; None is no item."""

    before: Item | None
    after: Item | None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """A write that has been looked through, and may be carried out."""

    kind: str
    table: Table
    place: Place
    given: Item
    """The item of a Put, and the key of all others."""
    condition: Condition | None
    update: Update | None
    values: Item
    shows: bool
    """Whether the error of a condition that does not hold has the item."""

    @classmethod
    def of(cls, kind: str, table: Table, parameters: Parameters) -> Write:
        """Read the parameters of a write. Raises ValidationException."""
        names, values = placeholders(parameters)
        text, change = parameters.get("ConditionExpression"), parameters.get("UpdateExpression")
        condition_ = None if text is None else condition("ConditionExpression", text, names)
        update_ = None if change is None else update(change, names)
        check_used(parameters, {"UpdateExpression": update_, "ConditionExpression": condition_})
        if kind == "Put":
            given = checked_item(parameters["Item"])
            place = table.place_of(given)
        else:
            given = checked_item(parameters["Key"])
            place = table.place(given)
        if update_ is not None:
            _check_key(table, update_)
        shows = parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return cls(kind, table, place, given, condition_, update_, values, shows)

    def outcome(self) -> Outcome:
        """Return what comes of it, without doing it. Raises ConditionalCheckFailedException, ValidationException."""
        before = self.table.get(self.place)
        if self.condition is not None and not self.condition.holds(before or {}, self.values):
            raise refused(before if self.shows else None)
        if self.kind == "Put":
            return Outcome(before, self.given, measured(self.given, _TOO_LARGE))
        if self.kind == "Update":
            item = before or self.given
            after = item if self.update is None else self.update.carried_out(item, self.values)
            return Outcome(before, after, measured(after, _GROWN_TOO_LARGE))
        return Outcome(before, None)

    def carry_out(self, outcome: Outcome) -> None:
        """Do it."""
        if self.kind != "ConditionCheck":
            self.table.put(self.place, outcome.after, outcome.size)


def placeholders(parameters: Parameters) -> tuple[Mapping[str, str], Item]:
    """Return what the placeholders stand for: names, and values. Raises ValidationException."""
    return parameters.get("ExpressionAttributeNames") or {}, checked_item(
        parameters.get("ExpressionAttributeValues") or {}
    )


def check_used(parameters: Parameters, expressions: Mapping[str, Condition | Update | None]) -> None:
    """Raise ValidationException for placeholders of values that are not defined, and for any that are not used."""
    names, values = _keys(parameters, "Names"), _keys(parameters, "Values")
    used_names: set[str] = set()
    used_values: set[str] = set()
    for name, expression in expressions.items():
        if expression is None:
            continue
        used_names |= expression.names
        used_values |= expression.values
        if undefined := expression.values - values:
            raise invalid(
                f"Invalid {name}: An expression attribute value used in expression is not defined; "
                f"attribute value: {min(undefined)}"
            )
    for kind, unused in (("Names", names - used_names), ("Values", values - used_values)):
        if unused:
            keys = ", ".join(sorted(unused))
            raise invalid(f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{keys}}}")


def _keys(parameters: Parameters, kind: str) -> set[str]:
    given = parameters.get(f"ExpressionAttribute{kind}")
    if given is None:
        return set()
    if not given:
        raise invalid(f"ExpressionAttribute{kind} must not be empty")
    return set(given)


def _check_key(table: Table, update_: Update) -> None:
    for path, _ in update_.changes:
        if path[0] in table.keys:
            raise invalid(
                "One or more parameter values were invalid: Cannot update attribute "
                f"{path[0]}. This attribute is part of the key"
            )
