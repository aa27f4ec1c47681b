"""The function's zip, unpacked, and boto3 beside it with nothing else."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path

from batch.lambda_trigger.package import build

BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
RUNTIME = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""AWS's own client of Lambda's runtime API, and what it needs."""


def unpacked(folder: Path) -> Path:
    """The zip, unpacked."""
    with zipfile.ZipFile(io.BytesIO(build().content)) as package:
        package.extractall(folder)
    return folder


def boto3_alone(folder: Path, *more: str) -> Path:
    """A folder in which boto3 and what it needs can be imported, `more`, and nothing else."""
    folder.mkdir()
    for name in (*BOTO3, *more):
        origin = Path(find_spec(name).origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)
    return folder
