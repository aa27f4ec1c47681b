"""DynamoDB Local, AWS's own engine, for the tests of the ledger. `make ledger` sets it up; nothing else needs it.

As a program it sets it up and runs a command with its address in LEDGER_TESTS_ENDPOINT: what `make ledger` does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

FOLDER = Path(__file__).parents[3] / ".dynamodb-local"
PACKAGE = "amplify-dynamodb-simulator@2.9.30"
SHA256 = "454305e9bc3e6ebcca5b62569869e31563b8d7e346474e94557b2600702146c7"
ENDPOINT = "LEDGER_TESTS_ENDPOINT"
_JAR = FOLDER / "package" / "emulator" / "DynamoDBLocal.jar"


def missing() -> str:
    """Return why it cannot be used, as a sentence; "" if it can."""
    if not _JAR.exists():
        return "DynamoDB Local is not set up: make ledger."
    return "" if shutil.which("java") else "DynamoDB Local needs Java: apt-get install default-jre-headless."


def set_up() -> None:
    """Fetch the package, unless it is there already. Exits with a sentence where that is not possible."""
    for program, package in (("java", "default-jre-headless"), ("npm", "npm")):
        if not shutil.which(program):
            sys.exit(f"make ledger needs {program}: apt-get install {package}")
    if not _JAR.exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [str(shutil.which("npm")), "pack", "--silent", "--pack-destination", folder, PACKAGE], check=True
            )
            (archive,) = Path(folder).iterdir()
            with tarfile.open(archive) as content:
                content.extractall(FOLDER, filter="data")
    if hashlib.sha256(_JAR.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{_JAR} is not the one of {PACKAGE} that was tested: remove {FOLDER}, and try again.")


@contextmanager
def serving() -> Iterator[str]:
    """Start it, in memory; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    words = ["java", "-Djava.library.path=./DynamoDBLocal_lib", "-jar", _JAR.name, "-port", str(port)]
    words += ["-inMemory", "-sharedDb", "-disableTelemetry"]
    quiet: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, cwd=_JAR.parent, **quiet) as process:
        try:
            while not _answers(port):
                assert process.poll() is None, "DynamoDB Local ended before it served."
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def client_at(endpoint_url: str) -> Any:
    """Return a client of it."""
    config = Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=50)
    return boto3.Session("any", "any", region_name="us-east-1").client(
        "dynamodb", endpoint_url=endpoint_url, config=config
    )


if __name__ == "__main__":
    set_up()
    with serving() as address:
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, ENDPOINT: address}, check=False).returncode)
