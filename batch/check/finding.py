"""What `check` finds: how bad it is, what it is about, and the remedy. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is. An error: users would be lost, locked out or weakened, or a command would end."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `code` is its name for programs; `command` is what the remedy is done with.

    `command` is a command line, or lines of a template.
    """

    severity: Severity
    topic: str
    code: str
    what: str
    remedy: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """What findings are about; makes them."""

    name: str

    def ok(self, what: str) -> Finding:
        """Return what is as it must be."""
        return Finding(Severity.OK, self.name, self.name.replace(" ", "-"), what)

    def note(self, code: str, what: str, remedy: str = "", command: str = "") -> Finding:
        """Return what a person should know."""
        return Finding(Severity.NOTE, self.name, code, what, remedy, command)

    def warning(self, code: str, what: str, remedy: str = "", command: str = "") -> Finding:
        """Return what some users will notice."""
        return Finding(Severity.WARNING, self.name, code, what, remedy, command)

    def error(self, code: str, what: str, remedy: str, command: str = "") -> Finding:
        """Return what must be mended first."""
        return Finding(Severity.ERROR, self.name, code, what, remedy, command)

    def or_ok(self, findings: Iterable[Finding], what: str) -> list[Finding]:
        """Return the findings; if none is worse than a note, also that all is well."""
        found = list(findings)
        bad = any(finding.severity in {Severity.ERROR, Severity.WARNING} for finding in found)
        return found if bad else [self.ok(what), *found]


def template(*lines: str) -> str:
    """Return lines of a CloudFormation template, for what no command changes without resetting other settings."""
    return "\n".join(lines)
