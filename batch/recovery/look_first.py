"""An error after which a person has to look first. Its parts stand apart in the document of a failure."""

from __future__ import annotations

from userpool.errors import FatalError


class LookFirstError(FatalError):
    """Something became of a pool, and nothing goes on before a person has looked. `name` is the kind, for programs."""

    def __init__(self, name: str, why: str, unchanged: str, remedy: str) -> None:
        super().__init__(f"{why} {unchanged} {remedy}")
        self.name = name
        self.why = why
        self.unchanged = unchanged
        self.remedy = remedy
