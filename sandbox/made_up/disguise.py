"""Replace personal values by made-up ones of the same form, so that a team rehearses with its own collisions.

Letters become other letters of the same case, digits other digits, the rest stays. The choice depends on the value
without its case, so `Bob@x.com` and `bob@x.com` still differ by case alone, and equal values stay equal. Different
ones stay different, as far as the form leaves room for it: made-up collisions would be nobody's.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from itertools import chain
from random import Random

_ATTEMPTS = 200
_FOREIGN = "áéíóúñçøåüþð"


class Disguise:
    """Disguises values, the same value always the same way; another run of the program does it another way."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(16)
        self._originals: dict[str, str] = {}  # by what they became, both without their case
        self._chosen: dict[str, int] = {}  # which attempt, by original: a form may have no room left

    def value(self, name: str, value: str) -> str:
        """Return the made-up value of an attribute; flags are kept."""
        return value if name.endswith("_verified") else self.text(value)

    def text(self, text: str) -> str:
        """Return made-up text of the same form."""
        original, made_up = text.casefold(), text
        for attempt in range(self._chosen.get(original, 0), _ATTEMPTS):
            made_up, self._chosen[original] = self._attempt(text, f"{attempt}:{original}"), attempt
            if self._originals.setdefault(made_up.casefold(), original) == original:
                break
        return made_up

    def _attempt(self, text: str, seed: str) -> str:
        random = Random(hashlib.blake2b(seed.encode(), key=self._key).digest())  # noqa: S311 -- seeded by a keyed hash
        before = chain(" ", text)
        return "".join(_other(character, previous, random) for character, previous in zip(text, before, strict=False))


def _other(character: str, previous: str, random: Random) -> str:
    if character.isdigit():
        # No country code begins with 0: such a phone number would be refused.
        return random.choice(string.digits[1:] if previous == "+" else string.digits)
    if not character.isalpha():
        return character
    made_up = random.choice(string.ascii_lowercase if character.isascii() else _FOREIGN)
    return made_up.upper() if character.isupper() else made_up
