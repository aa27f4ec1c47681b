"""The calls that change a pool itself: add attributes, and change a setting. Only a person's own command makes them.

UpdateUserPool resets every setting that is not passed (API reference, "If you don't provide a value for an attribute,
Amazon Cognito sets it to its default value"). So everything that DescribeUserPool tells is passed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from userpool.answers.unknown import UNKNOWN
from userpool.attributes import Attribute
from userpool.errors import FatalError, UserError
from userpool.pool import UserPool

_ALWAYS_MOVES = frozenset({"LastModifiedDate", "EstimatedNumberOfUsers"})
_CUSTOM = "custom:"
_DEVELOPER_ONLY = "dev:custom:"  # only whoever signs requests with credentials of AWS can write these


WITHOUT_UPDATE = (
    "Put the lines into the pool's own template, beside everything that it has, or update boto3 first: "
    "pip install -U boto3"
)
"""What to do where UpdateUserPool must not be called."""


class UnknownSettingError(FatalError):
    """The pool has a setting that this boto3 does not know, and UpdateUserPool would reset it. Nothing was written."""


def said_of_unknown(names: Collection[str]) -> str:
    """Return the sentences that name the settings that this boto3 does not know. Their values are not told."""
    return (
        f"This boto3 does not know {', '.join(names)} of the pool. UpdateUserPool sets to its default what it is not "
        "given."
    )


class ManagedPool(UserPool):
    """A user pool whose settings may be changed."""

    def add_attribute(self, attribute: Attribute) -> None:
        """Add a custom attribute. It can never be changed or removed. Raises UserError if the name already exists."""
        # Not repeatable: after a lost answer, a second call would fail with the attribute that the first one added.
        self._call("AddCustomAttributes", repeatable=False, CustomAttributes=[attribute_to_api(attribute)])

    def settings(self) -> Mapping[str, Any]:
        """Return the pool's settings: the `UserPool` of DescribeUserPool, as it is."""
        return self._look()[0]

    def unknown_settings(self) -> list[str]:
        """Return the names of the settings that this boto3 does not know, such as `Policies.PasswordPolicy.Rounds`."""
        return self._look()[1]

    def _look(self) -> tuple[Mapping[str, Any], list[str]]:
        answer = self._call("DescribeUserPool")
        return answer["UserPool"], [name.removeprefix("UserPool.") for name in answer.get(UNKNOWN, ())]

    def change(self, *, seen: Mapping[str, Any] | None = None, **changes: Any) -> Mapping[str, Any]:
        """Change these settings, by their names in UpdateUserPool, and nothing else. Return all settings, read again.

        Raises UnknownSettingError, and writes nothing, if the pool has a setting that this boto3 does not know. Raises
        FatalError, with what to do, if a setting to be changed is not as it was `seen`, or if any other setting is not
        as it was before.
        """
        # Read just before the update, which writes all settings: what somebody changed in between would be undone.
        before, unknown = self._look()
        if unknown:
            raise UnknownSettingError(
                f"{said_of_unknown(unknown)} Nothing was written to {self.pool_id}. {WITHOUT_UPDATE}"
            )
        if seen is not None and (moved := differing(seen, before) & changes.keys()):
            raise self._at_the_same_time(moved)
        # The parameters that this boto3 knows: DescribeUserPool also tells names that the update refuses.
        known = self._client.meta.service_model.operation_model("UpdateUserPool").input_shape.members
        try:
            self._call("UpdateUserPool", **update_arguments(before, known, changes))
        except UserError as error:
            if error.code != "ConcurrentModificationException":
                raise
            raise self._at_the_same_time(changes) from None
        after = self.settings()
        # A setting that the update takes under another name than it is described by was not passed, and so was reset.
        if others := differing(before, after) - changes.keys():
            raise FatalError(
                f"UpdateUserPool on {self.pool_id} has changed what it was not asked to: {', '.join(sorted(others))}. "
                "Put that back as your template has it."
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
    """Return the parameters of UpdateUserPool that make these changes, and leave everything else as described.

    `accepted` are the parameters that the operation knows, except the pool's id.
    """
    kept = {name: value for name, value in described.items() if name in accepted and value is not None}
    if "PoolName" in accepted and "Name" in described:
        # The name has another key in the update. Whether a pool keeps its name if none is passed is not certain.
        kept["PoolName"] = described["Name"]
    return _without_what_was_replaced(kept) | dict(changes)


def _without_what_was_replaced(settings: Mapping[str, Any]) -> dict[str, Any]:
    # UnusedAccountValidityDays is described beside the setting that replaced it, and refused beside it (API reference).
    kept = dict(settings)
    policy = kept.get("Policies", {}).get("PasswordPolicy", {})
    invitation = kept.get("AdminCreateUserConfig")
    if invitation and "TemporaryPasswordValidityDays" in policy:
        kept["AdminCreateUserConfig"] = {
            name: value for name, value in invitation.items() if name != "UnusedAccountValidityDays"
        }
    return kept


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Name the settings that differ in two answers of DescribeUserPool. Not set and empty are the same."""
    old, new = _without_what_was_replaced(before), _without_what_was_replaced(after)
    names = (old.keys() | new.keys()) - _ALWAYS_MOVES
    return {name for name in names if (old.get(name) or None) != (new.get(name) or None)}


def bare_name(name: str) -> str:
    """Return the name by which a custom attribute is added: without `custom:`, or `dev:custom:` if developer-only."""
    return name.removeprefix(_DEVELOPER_ONLY if name.startswith(_DEVELOPER_ONLY) else _CUSTOM)


def attribute_to_api(attribute: Attribute) -> dict[str, Any]:
    """Return the `SchemaAttributeType` of a custom attribute. Its name has no prefix: Cognito puts one before it."""
    made: dict[str, Any] = {
        "Name": bare_name(attribute.name),
        "AttributeDataType": attribute.type,
        "Mutable": attribute.mutable,
    }
    if attribute.name.startswith(_DEVELOPER_ONLY):
        made["DeveloperOnlyAttribute"] = True
    length = _bounds(MinLength=attribute.shortest, MaxLength=attribute.longest)
    size = _bounds(MinValue=attribute.least, MaxValue=attribute.greatest)
    if attribute.type == "String" and length:
        made["StringAttributeConstraints"] = length
    if attribute.type == "Number" and size:
        made["NumberAttributeConstraints"] = size
    return made


def _bounds(**bounds: float | None) -> dict[str, str]:
    # As text, as the API takes bounds; fifteen digits write a whole number without an exponent.
    return {name: f"{value:.15g}" for name, value in bounds.items() if value is not None}
