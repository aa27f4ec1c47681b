"""A finding of `check`: its severity, its topic, and the remedy. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, the worst first.

    An error: users would be lost, locked out or weakened, or a command would end. A warning: some users will notice.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `code` is its name for programs.

    `command` carries out the remedy. It is a command line, or lines of a template.
    """

    severity: Severity
    topic: str
    code: str
    what: str
    remedy: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic of some findings. Its methods make them."""

    name: str

    def ok(self, what: str) -> Finding:
        """Return a finding that says that all is well. Its code is the topic's name."""
        return Finding(Severity.OK, self.name, self.name.replace(" ", "-"), what)

    def note(self, code: str, what: str, remedy: str = "", command: str = "") -> Finding:
        """Return a finding that a person should know. Nobody is harmed by it."""
        return Finding(Severity.NOTE, self.name, code, what, remedy, command)

    def warning(self, code: str, what: str, remedy: str = "", command: str = "") -> Finding:
        """Return a finding that some users will notice."""
        return Finding(Severity.WARNING, self.name, code, what, remedy, command)

    def error(self, code: str, what: str, remedy: str, command: str = "") -> Finding:
        """Return a finding that must be corrected before the first write. It needs a remedy."""
        return Finding(Severity.ERROR, self.name, code, what, remedy, command)

    def or_ok(self, findings: Iterable[Finding], what: str) -> list[Finding]:
        """Return the findings. If none is worse than a note, one that says that all is well comes first."""
        found = list(findings)
        bad = any(finding.severity in {Severity.ERROR, Severity.WARNING} for finding in found)
        return found if bad else [self.ok(what), *found]


def template(*lines: str) -> str:
    """Return lines of a CloudFormation template.

    Remedies for a pool or app client are templates: UpdateUserPool and UpdateUserPoolClient reset what is not passed,
    so a short command would clear other settings.
    """
    return "\n".join(lines)
