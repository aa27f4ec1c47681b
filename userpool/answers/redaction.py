"""Take personal values out of a text that somebody else wrote: Cognito, or a function that it called.

The text may quote a value in another case, in part or encoded. So each word of the text is compared with each word of
each value, and whatever looks like an address or a phone number goes as well.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote_plus

_VALIDATION_VALUE = re.compile(r"Value '.*?' at", re.DOTALL)
_PHONE = re.compile(r"\+?\d[\d ()./-]{5,}\d")
_WORD = re.compile(r"[^\W_]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SHORTEST_SECRET = 2  # replacing single letters would leave no message
# From this length on, a word counts as quoted wherever it stands within another one. Shorter words must be equal.
_TELLING = 4
_TELLING_DIGITS = 3
_LONGEST = 400
_GONE = "…"


def redact(message: str, secrets: Iterable[str]) -> str:
    """Return the message in one line, without the given values, without parts of them, and without addresses."""
    values = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    message = _VALIDATION_VALUE.sub(f"Value '{_GONE}' at", message)
    for value in sorted(values, key=len, reverse=True):
        message = re.sub(re.escape(value), _GONE, message, flags=re.IGNORECASE)
    folded = [[*_words(value)] for value in values]
    wholes = {"".join(words) for words in folded}
    parts = {part for words in folded for part in words if len(part) >= _SHORTEST_SECRET}
    kept = (_GONE if _quotes(token, wholes, parts) else token for token in _PHONE.sub(_GONE, message).split())
    said = " ".join(kept)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}{_GONE}"


def _quotes(token: str, wholes: set[str], parts: set[str]) -> bool:
    """Return whether a token of a message quotes a value, or a part of one."""
    return any("@" in form or _has_part(form, wholes, parts) for form in _decoded(token))


def _has_part(form: str, wholes: set[str], parts: set[str]) -> bool:
    words = [*_words(form)]
    joined = "".join(words)
    if any(len(part) >= _TELLING and part in joined for part in parts | wholes):
        return True
    return any(word in parts or (_is_telling(word) and any(word in whole for whole in wholes)) for word in words)


def _is_telling(word: str) -> bool:
    return len(word) >= (_TELLING_DIGITS if word.isdigit() else _TELLING)


def _decoded(token: str) -> Iterator[str]:
    yield token
    yield unquote_plus(token)
    yield html.unescape(token)
    yield _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), token)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a text, without case and accents."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return iter(_WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter))))


def values_carried(params: Mapping[str, object]) -> Iterator[str]:
    """Every value of a call that must not be repeated in a message: attribute values and passwords."""
    for name, value in params.items():
        if isinstance(value, list):
            yield from (item["Value"] for item in value if isinstance(item, dict) and "Value" in item)
        elif isinstance(value, dict):  # AuthParameters
            yield from (item for key, item in value.items() if key != "USERNAME" and isinstance(item, str))
        elif "Password" in name and isinstance(value, str):
            yield value
