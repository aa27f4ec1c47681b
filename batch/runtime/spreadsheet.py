"""Values that a spreadsheet would take for a formula, made harmless in a CSV file and read back."""

from __future__ import annotations

# "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection ; and the quote itself, so that every value
# can be told apart again.
_SIGNS = ("=", "+", "-", "@")
# Full-width signs, too, begin a formula where East Asian input is usual.
_DANGEROUS = (*_SIGNS, *(chr(ord(sign) + 0xFEE0) for sign in _SIGNS), "\t", "\r", "\n", "'")


def guarded(value: str) -> str:
    """Put a quote before what a spreadsheet could take for a formula."""
    return f"'{value}" if value.startswith(_DANGEROUS) else value


def unguarded(value: str) -> str:
    """Return what `guarded` was given; any other value as it is."""
    return value[1:] if value.startswith("'") and value[1:].startswith(_DANGEROUS) else value
