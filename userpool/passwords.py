"""A password nobody knows, so that the user can reset it: forgot-password needs a user who has one.

And which passwords no call can set, whatever the pool's policy is.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

# Cognito's symbols, less those that some password policies of applications choke on.
_SYMBOLS = "!@#$%^&*()-_=+[]{}<>?"
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _SYMBOLS)
_LENGTH = 32
_LONGEST = 256  # PasswordType of the API model, as is that no blank may be in it


def random_password(policy: Mapping[str, Any]) -> str:
    """Return a random password with every character class, as long as the pool's `PasswordPolicy` asks, or 32.

    It is never stored nor shown.
    """
    length = max(_LENGTH, int(policy.get("MinimumLength", 0)))
    characters = [secrets.choice(kind) for kind in _CLASSES]
    characters += [secrets.choice("".join(_CLASSES)) for _ in range(length - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def has_settable_form(password: str) -> bool:
    """Whether a call can set the password at all. Some that an import or UserMigration brought in cannot be set.

    The model does not say whether only ASCII's blanks count. So all do: forgot-password is open to those users anyway.
    """
    return len(password) <= _LONGEST and not any(map(str.isspace, password))
