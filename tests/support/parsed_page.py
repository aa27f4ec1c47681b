"""The page of the report, parsed."""

from __future__ import annotations

from html.parser import HTMLParser

SECTIONS = ["losses", "glance", "plan", "collisions", "result", "passwords", "calls", "runs"]
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Parsed(HTMLParser):
    """A page in parts: elements with their attributes, the text that is seen, and the ends that are missing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self.seen = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        """Keep an element, and what is open."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Keep an element that is empty."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Close what is open, which must be this."""
        assert self._open.pop() == tag
        if tag in {"td", "th", "dt", "dd", "title", "text"}:
            self.seen += " "

    def handle_data(self, data):
        """Keep text, apart from style and script."""
        if self._open and self._open[-1] in {"style", "script"}:
            self.raw[self._open[-1]] = self.raw.get(self._open[-1], "") + data
        else:
            self.seen += data

    def ids(self, tag: str) -> list[str | None]:
        """The ids of all elements of a kind."""
        return [attributes.get("id") for name, attributes in self.elements if name == tag]

    def section(self, name: str) -> str:
        """The text between a heading and the next one."""
        heads = ["Not created, or lost", "At a glance", "The plan", "Collisions", "The result", "Passwords"]
        heads += ["Calls to Cognito", "Runs"]
        place = SECTIONS.index(name)
        text = self.seen[self.seen.rindex("Runs", 0, self.seen.index("users in the old pool")) :]
        begin = text.index(f"\n  {heads[place]}\n")
        end = text.index(f"\n  {heads[place + 1]}\n") if place + 1 < len(heads) else len(text)
        return " ".join(text[begin:end].split())
