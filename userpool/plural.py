"""A number with its noun, in every message: singular and plural agree."""

from __future__ import annotations


def plural(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, and with the verb that follows: `1 user is left`, `2 users are left`.

    Without `many`, an s is added to `one`.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
