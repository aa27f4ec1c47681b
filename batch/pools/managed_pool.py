"""What only a person's own command does to a pool: add attributes, and change a setting.

UpdateUserPool sets everything that is not passed back to its default (API reference, "If you don't provide a value for
an attribute, Amazon Cognito sets it to its default value"), so everything that DescribeUserPool tells is passed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from userpool.attributes import Attribute
from userpool.errors import FatalError, UserError
from userpool.pool import UserPool

_ALWAYS_MOVES = frozenset({"LastModifiedDate", "EstimatedNumberOfUsers"})
_CUSTOM = "custom:"


class ManagedPool(UserPool):
    """A user pool whose settings may be changed."""

    def add_attribute(self, attribute: Attribute) -> None:
        """Add a custom attribute; it can never be changed or removed. Raises UserError if there is one of that name."""
        self._call("AddCustomAttributes", repeatable=False, CustomAttributes=[attribute_to_api(attribute)])

    def settings(self) -> Mapping[str, Any]:
        """Return the `UserPool` of DescribeUserPool."""
        settings: Mapping[str, Any] = self._call("DescribeUserPool")["UserPool"]
        return settings

    def change(self, *, seen: Mapping[str, Any] | None = None, **changes: Any) -> Mapping[str, Any]:
        """Change these settings, by their names in UpdateUserPool, and nothing else; return all, read again.

        Raises FatalError, with what to do, if what is to be changed is not as it was `seen`, or if anything else is
        not as it was before.
        """
        before = self.settings()
        if seen is not None and (moved := differing(seen, before) & changes.keys()):
            raise self._at_the_same_time(moved)
        known = self._client.meta.service_model.operation_model("UpdateUserPool").input_shape.members
        try:
            self._call("UpdateUserPool", **update_arguments(before, known, changes))
        except UserError as error:
            if error.code != "ConcurrentModificationException":
                raise
            raise self._at_the_same_time(changes) from None
        after = self.settings()
        if others := differing(before, after) - changes.keys():
            raise FatalError(
                f"UpdateUserPool on {self.pool_id} has changed what it was not asked to: {', '.join(sorted(others))}. "
                "Put that back as your template has it, and update boto3, which may not know a newer setting."
            )
        return after

    def _at_the_same_time(self, names: Collection[str]) -> FatalError:
        return FatalError(
            f"Somebody else changes {', '.join(sorted(names))} of {self.pool_id} at the same time: nothing "
            "was written. Give the command again, and look at what it shows."
        )


def update_arguments(
    described: Mapping[str, Any], accepted: Collection[str], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the parameters of UpdateUserPool that change what is in `changes`, and leave everything else as described.

    `accepted` are the parameters that the operation knows, but for the pool's id.
    """
    kept = {name: value for name, value in described.items() if name in accepted and value is not None}
    if "PoolName" in accepted and "Name" in described:
        kept["PoolName"] = described["Name"]  # by its other name; a pool that is given none keeps its own or loses it
    return _without_what_was_replaced(kept) | dict(changes)


def _without_what_was_replaced(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out UnusedAccountValidityDays: described beside what replaced it, and refused beside it (API reference)."""
    kept = dict(settings)
    policy = kept.get("Policies", {}).get("PasswordPolicy", {})
    invitation = kept.get("AdminCreateUserConfig")
    if invitation and "TemporaryPasswordValidityDays" in policy:
        kept["AdminCreateUserConfig"] = {
            name: value for name, value in invitation.items() if name != "UnusedAccountValidityDays"
        }
    return kept


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Name the settings that are not the same in two answers of DescribeUserPool; nothing and empty are the same."""
    old, new = _without_what_was_replaced(before), _without_what_was_replaced(after)
    names = (old.keys() | new.keys()) - _ALWAYS_MOVES
    return {name for name in names if (old.get(name) or None) != (new.get(name) or None)}


def attribute_to_api(attribute: Attribute) -> dict[str, Any]:
    """Return the `SchemaAttributeType` of a custom attribute, whose name there has no prefix."""
    made: dict[str, Any] = {
        "Name": attribute.name.removeprefix(_CUSTOM),
        "AttributeDataType": attribute.type,
        "Mutable": attribute.mutable,
    }
    length = _bounds(MinLength=attribute.shortest, MaxLength=attribute.longest)
    size = _bounds(MinValue=attribute.least, MaxValue=attribute.greatest)
    if attribute.type == "String" and length:
        made["StringAttributeConstraints"] = length
    if attribute.type == "Number" and size:
        made["NumberAttributeConstraints"] = size
    return made


def _bounds(**bounds: float | None) -> dict[str, str]:
    return {name: f"{value:.15g}" for name, value in bounds.items() if value is not None}
