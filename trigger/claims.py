"""What an ID token says besides: the old sub of a profile that came back, and what a user has to enrol anew.

The form of the answer: "Pre token generation Lambda trigger", developer guide, for version 1 of the event and later.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trigger.parts import Work
from userpool.errors import MigrationError, NotAllowedError, UserError
from userpool.factors import PASSKEY
from userpool.person import Person, PersonState


def claims_for(work: Work, person: Person) -> dict[str, str]:
    """Return the claims of a person's ID token, beside those that follow from attributes."""
    if person.state is PersonState.RETURNED:
        return {work.terms.marker: person.sub}
    return _to_enrol(work, person)


def _to_enrol(work: Work, person: Person) -> dict[str, str]:
    """Name the second factors that did not cross, until the user has them. In doubt they are asked once more."""
    name = work.parts.settings.enrol_claim
    if not (name and person.enrol):
        return {}
    left = person.enrol
    with suppress(MigrationError):
        if done := left & _has(work, passkeys=PASSKEY in left):
            work.ledger.enrolled(person.sub, done)
            left -= done
    return {name: ",".join(sorted(left))} if left else {}


def _has(work: Work, *, passkeys: bool) -> frozenset[str]:
    """Return what the user can prove themselves by in the new pool; passkeys too, if Cognito may tell them."""
    username = work.username
    try:
        found = work.target.factors(username, passkeys=passkeys)
    except (NotAllowedError, UserError):  # not granted, or unknown to this version of boto3
        if not passkeys:
            raise
        return _has(work, passkeys=False)
    return found.all if found else frozenset()


def add_claims(work: Work, claims: Mapping[str, str]) -> None:
    """Put claims into the ID token, beside those of a handler before ours."""
    details = _details(work)
    if not _is_first_version(work):
        of_id_token = details.get("idTokenGeneration") or {}
        details["idTokenGeneration"] = of_id_token
        details = of_id_token
    details["claimsToAddOrOverride"] = {**(details.get("claimsToAddOrOverride") or {}), **claims}


def add_groups(work: Work, given: frozenset[str]) -> None:
    """Put the union of the user's groups and those given into the tokens; roles stay what they were.

    What a handler before ours has decided about groups is added to, not replaced.
    """
    details = _details(work)
    there: dict[str, Any] = details.get("groupOverrideDetails") or work.request.get("groupConfiguration") or {}
    groups = dict.fromkeys([*(there.get("groupsToOverride") or ()), *sorted(given)])
    details["groupOverrideDetails"] = {
        "groupsToOverride": list(groups),
        "iamRolesToOverride": there.get("iamRolesToOverride") or [],
        "preferredRole": there.get("preferredRole"),
    }


def _details(work: Work) -> dict[str, Any]:
    """Return what the response says of the tokens, to be added to."""
    key = "claimsOverrideDetails" if _is_first_version(work) else "claimsAndScopeOverrideDetails"
    details: dict[str, Any] = work.response.get(key) or {}
    work.response[key] = details
    return details


def _is_first_version(work: Work) -> bool:
    return bool((work.event.get("version") or "1") == "1")
