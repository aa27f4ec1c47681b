"""What `check --live` does not test, because it would need a mail, a function, an hour or a bill; and how to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByHand:
    """A point that is not tested: what is asked, `why` not, `how` a person would, and what depends on it."""

    id: str
    question: str
    why: str
    how: str
    matters: str


_FUNCTION = "it needs a Lambda function, and none is made"
_MAIL = "it sends a mail"
_UNUSED = "Nothing: it is not used."

BY_HAND = (
    ByHand(
        "confirmed.mail",
        "Whether a CONFIRMED user with a verified e-mail address gets a code by ForgotPassword, and in by it.",
        _MAIL,
        "In a pool of your own, for a mailbox of your own: admin-create-user --message-action SUPPRESS with "
        "email_verified=true, admin-set-user-password --permanent, forgot-password, confirm-forgot-password.",
        "Whoever is not captured comes back this way alone.",
    ),
    ByHand(
        "reset.sign-in",
        "What signing in answers in RESET_REQUIRED, also with PreventUserExistenceErrors.",
        _MAIL,
        "After admin-reset-user-password, for a mailbox of your own: initiate-auth by USER_PASSWORD_AUTH.",
        "The app opens forgot-password after PasswordResetRequiredException; let it do so after another answer, too, "
        "if that is the one.",
    ),
    ByHand(
        "custom-auth.reset",
        "Whether CUSTOM_AUTH lets a user in RESET_REQUIRED in.",
        f"{_FUNCTION}, and it sends a mail",
        "With the trigger attached to a pool of your own, after admin-reset-user-password: initiate-auth --auth-flow "
        "CUSTOM_AUTH.",
        "Nothing: the trigger captures nobody in that status, whatever Cognito does.",
    ),
    ByHand(
        "custom-auth.expired",
        "Whether CUSTOM_AUTH works in FORCE_CHANGE_PASSWORD when the temporary password has expired.",
        f"{_FUNCTION}, and it takes a day",
        "With the trigger attached, and TemporaryPasswordValidityDays=1, a day after admin-create-user.",
        "Nothing: `run` leaves nobody in that status.",
    ),
    ByHand(
        "custom-auth.pre-auth",
        "Whether PreAuthentication runs in CUSTOM_AUTH.",
        _FUNCTION,
        "With a PreAuthentication function of yours that logs, and the trigger: initiate-auth --auth-flow CUSTOM_AUTH.",
        "If your own PreAuthentication refuses users, it may not refuse them there.",
    ),
    ByHand(
        "pre-auth.set-password",
        "Whether a password that PreAuthentication sets counts in the same sign-in.",
        _FUNCTION,
        "With such a function on a pool of your own.",
        _UNUSED,
    ),
    ByHand(
        "migration.answers",
        "What becomes of a sign-in when UserMigration answers a sub, an attribute that the schema lacks, or the "
        "literal RESET_REQUIRED; and when somebody else makes the user meanwhile.",
        _FUNCTION,
        "With a UserMigration function of yours on a pool of your own: initiate-auth by USER_PASSWORD_AUTH.",
        "Nothing: the trigger answers none of these, and claims a person before it answers.",
    ),
    ByHand(
        "migration.managed-login",
        "Which triggers follow UserMigration in managed login, and whether the first token has the groups.",
        _FUNCTION,
        "With the trigger attached to a pool of your own that has managed login: sign in once, and look at the token's "
        "cognito:groups and at the functions' logs.",
        "If the groups are not in it, let managed login's users cross by `run`, and reset their passwords.",
    ),
    ByHand(
        "listing.token-life",
        "How long a page token of ListUsers lives.",
        "it takes an hour",
        "Ask for a page, and for the next an hour later.",
        "Nothing: a listing whose token has expired begins anew.",
    ),
    ByHand(
        "groups.most",
        "What the hundred-and-first group of a user answers.",
        "it takes 200 calls",
        "create-group and admin-add-user-to-group in a pool of your own.",
        "Nothing: such a user is named as failed.",
    ),
    ByHand(
        "groups.active",
        "Whether AdminListGroupsForUser makes a user monthly active.",
        "only the bill tells",
        "Call it in a month in which nobody signs in, and read the bill.",
        "If so, and your old pool has many idle users: `groups: {read: group}`.",
    ),
    ByHand(
        "import.hash",
        "What CSV import with the hash of a random secret leaves: status, ForgotPassword, monthly active users.",
        "it needs a role and a file",
        "create-user-import-job with PasswordHashingAlgorithm, in a pool of your own.",
        _UNUSED,
    ),
    ByHand(
        "federation",
        "Links to identity providers, of disabled users as well; whether a linked user who never came from there can "
        "sign in with a password; and profiles of federated users.",
        "it needs an identity provider",
        "admin-link-provider-for-user in a pool of your own with a provider; then initiate-auth.",
        "If they cannot, let linked users come from their provider first. Refused links are conflicts, tried again.",
    ),
    ByHand(
        "mfa.preference",
        "Whether AdminSetUserMFAPreference is refused in RESET_REQUIRED and UNCONFIRMED.",
        "it needs a sender of SMS, and a mail",
        "admin-set-user-mfa-preference in a pool of your own.",
        _UNUSED,
    ),
)
