"""Pack the function of the new pool: one zip, the same bytes from the same files. Also list the settings it needs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

from batch.settings.config import Config

HANDLER = "trigger.handler.handler"
MOST_BYTES = 100_000

_PACKAGES = ("trigger", "userpool")
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_UNIX = 3
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Package:
    """The zip. It has no compiled files, which would tie it to one version of Python and more than double it."""

    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The SHA-256 digest of the zip, in hexadecimal. Equal sources have equal digests on every machine."""
        return hashlib.sha256(self.content).hexdigest()


def build() -> Package:
    """Pack the installed packages. Names are sorted, times and modes are fixed, lines end with LF."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, content in sorted(_sources()):
            entry = zipfile.ZipInfo(name, _NO_TIME)
            # ZipInfo takes the system that it runs on by default, and a file without read permission fails in Lambda.
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
            package.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return Package(buffer.getvalue())


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        yield from _inside(package, files(package))


def _inside(path: str, folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        inside = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _inside(inside, entry)
        elif entry.name.endswith(".py"):
            # A checkout on Windows may have other line ends, and the zip must have the same bytes.
            yield inside, entry.read_bytes().replace(b"\r\n", b"\n")


def environment(config: Config | None) -> dict[str, str | None]:
    """Return the variables that the function needs, None for those that a person must fill in.

    Secrets are never in it.
    """
    if config is None:
        needed = ("SOURCE_USER_POOL_ID", "SOURCE_CLIENT_ID", "TARGET_USER_POOL_ID", "LEDGER_TABLE")
        return dict.fromkeys(needed) | _DEFAULTS
    source, ledger = config.source, config.ledger
    optional = {
        "SOURCE_ROLE_ARN": source.role_arn,
        "SOURCE_EXTERNAL_ID": source.external_id,
        "SOURCE_ENDPOINT_URL": source.endpoint_url,
        "TARGET_ENDPOINT_URL": config.target.endpoint_url,
        "LEDGER_ENDPOINT_URL": ledger.endpoint_url if ledger else None,
    }
    return {
        "SOURCE_USER_POOL_ID": source.user_pool_id,
        "SOURCE_REGION": source.region_name,
        # config.yaml does not have it: the batch job never signs anybody in.
        "SOURCE_CLIENT_ID": None,
        "TARGET_USER_POOL_ID": config.target.user_pool_id,
        "LEDGER_TABLE": ledger.table if ledger else None,
        **{name: value for name, value in optional.items() if value},
        **_DEFAULTS,
    }


_DEFAULTS: dict[str, str | None] = {"MFA_USERS": "reset", "FORGOT_PASSWORD": "on"}
