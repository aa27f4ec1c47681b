"""Listings page by page: each is a snapshot, and its tokens are good for an hour and for the same request only."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from sandbox.clock import Clock
from sandbox.errors import invalid_parameter

LONGEST_PAGE = 60
_TOKEN_SECONDS = 3600  # developer guide, "Managing and searching for user accounts"

T = TypeVar("T")


class Pages:
    """How long pages are: as long as was asked for, but every so many-th one shorter, or empty with more to come.

    Cognito promises neither full pages nor that an empty page is the last. Lengths are drawn by `seed`.
    """

    def __init__(self, *, short_every: int = 0, empty_every: int = 0, seed: int = 0) -> None:
        if empty_every == 1:
            raise ValueError("With every page empty no listing ends: empty_every is 0, or 2 or more.")
        self._short_every = short_every
        self._empty_every = empty_every
        self._random = Random(seed)  # noqa: S311 -- lengths of pages are no secret
        self._made = 0

    def length(self, limit: int) -> int:
        """Return how long the next page is that may hold `limit`."""
        self._made += 1
        if self._empty_every and self._made % self._empty_every == 0:
            return 0
        if self._short_every and self._made % self._short_every == 0:
            return self._random.randint(1, max(1, limit - 1))
        return limit


@dataclass(frozen=True)
class _Rest:
    """What of a listing is still to be given, and to which request."""

    operation: str
    parameters: dict[str, Any]
    items: Sequence[Any]
    start: int
    expires: float


class Listings:
    """The listings under way in one world. Set `pages` to have short and empty ones."""

    def __init__(self, clock: Clock) -> None:
        self.pages = Pages()
        self._clock = clock
        self._rests: dict[str, _Rest] = {}  # by token; those that expire first are in front

    def page(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        snapshot: Callable[[], Sequence[T]],
        *,
        token: str = "NextToken",  # noqa: S107 -- a parameter's name
        limit: str = "Limit",
    ) -> tuple[Sequence[T], dict[str, str]]:
        """Return the page that a request asks for and, as part of the answer, the token for the next if there is one.

        `snapshot` gives the whole listing and is called for its first page only; `token` is the token's name in
        request and answer, `limit` that of a page's length. Raises InvalidParameterException for a token that was never
        given, was given more than an hour ago, or was given for another request.
        """
        asked = {name: value for name, value in parameters.items() if name != token}
        if given := parameters.get(token):
            rest = self._rest(given, operation, asked)
        else:
            rest = _Rest(operation, asked, snapshot(), 0, 0.0)
        end = rest.start + self.pages.length(parameters.get(limit) or LONGEST_PAGE)
        more = {token: self._promise(replace(rest, start=end))} if end < len(rest.items) else {}
        return rest.items[rest.start : end], more

    def _rest(self, token: str, operation: str, asked: dict[str, Any]) -> _Rest:
        rest = self._rests.get(token)
        if rest is None or (rest.operation, rest.parameters) != (operation, asked):
            raise invalid_parameter("Paging Marker is Invalid for Request")
        if rest.expires < self._clock.now():
            raise invalid_parameter("Pagination token has expired.")
        return rest

    def _promise(self, rest: _Rest) -> str:
        self._forget_expired()
        token = secrets.token_urlsafe(24)
        self._rests[token] = replace(rest, expires=self._clock.now() + _TOKEN_SECONDS)
        return token

    def _forget_expired(self) -> None:
        now = self._clock.now()
        while self._rests and self._rests[first := next(iter(self._rests))].expires < now - _TOKEN_SECONDS:
            del self._rests[first]
