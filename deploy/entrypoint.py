# ruff: noqa: INP001 -- a file of the image, of no package
"""Where the container begins: put the task's configuration beside its inventory, and become `cognito-migrate`.

It gives way to the command (exec), so that signals reach that and its exit code is the task's. Paths in the
configuration (`state`, `collisions`) are relative to it, and so in the folder that outlives the task.
"""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import NoReturn

_USAGE, _FATAL = 2, 3  # exit codes, as the README has them


def main() -> None:
    """Become `cognito-migrate --config FOLDER/config.yaml`, with the words that the container was given.

    COGNITO_MIGRATE_FOLDER is made if it is not there. COGNITO_MIGRATE_CONFIG is the text of the configuration; without
    it, the config.yaml stands that is in the folder.
    """
    place = os.environ.get("COGNITO_MIGRATE_FOLDER")
    if not place:
        _end(_USAGE, "COGNITO_MIGRATE_FOLDER is not set: name the folder of the inventory.")
    config = Path(place) / "config.yaml"
    text = os.environ.get("COGNITO_MIGRATE_CONFIG")
    os.umask(0o077)
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        if text:
            _replace(config, text)
    except OSError as error:
        _end(_FATAL, f"{config} cannot be written ({error.strerror}): check the mount, its access point and its owner.")
    command = Path(sys.executable).with_name("cognito-migrate")
    os.execv(command, [command.name, "--config", str(config), *sys.argv[1:]])  # noqa: S606 -- no shell: signals, exit code


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all: another task may be reading it."""
    new = path.with_name(f".{path.name}.{uuid.uuid4()}")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _end(code: int, sentence: str) -> NoReturn:
    sys.stderr.write(f"Error: {sentence}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
