"""The zip of the function: the same bytes each time, small, and enough with boto3 alone."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from unpacking import boto3_alone, unpacked

import trigger.settings
from batch.lambda_trigger.package import HANDLER, MOST_BYTES, build, environment
from batch.settings import config
from batch.settings.config import Config
from trigger.settings import TriggerSettings
from userpool.attributes import AttributeRules
from userpool.groups import GroupRules
from userpool.settings import LedgerSettings, PoolSettings

ROOT = Path(__file__).parents[3]
OLD, NEW = "eu-west-1_OldPool01", "eu-west-2_NewPool01"

# What Lambda does, and whether anything else of this project's environment is within reach.
CALL = """
import importlib, json, sys
sys.path[:0] = {paths!r}
module, _, name = {handler!r}.rpartition(".")
event = {{"triggerSource": "CustomMessage_SignUp", "request": {{}}, "response": {{}}}}
answer = getattr(importlib.import_module(module), name)(event, None)
reached = [name for name in {strangers!r} if importlib.util.find_spec(name)]
print(json.dumps([answer == event, reached, [sys.modules[module].__file__, sys.modules["userpool"].__file__]]))
"""


def test_the_function_needs_boto3_alone(tmp_path):
    """Unpacked beside boto3, the handler is imported and hands back an event that it does not know."""
    code, libraries = unpacked(tmp_path / "task"), boto3_alone(tmp_path / "runtime")
    script = CALL.format(
        paths=[str(code), str(libraries)],
        handler=HANDLER,
        strangers=["tenacity", "click", "tqdm", "yaml", "moto", "batch", "sandbox"],
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    answered, reached, imported = json.loads(ran.stdout)
    assert answered
    assert reached == []
    assert all(Path(file).is_relative_to(code) for file in imported)


def test_the_zip_is_the_same_bytes_wherever_it_is_made(tmp_path):
    """Another process, in another folder, at another time of another time zone, makes the same zip."""
    script = "import sys; from batch.lambda_trigger.package import build; sys.stdout.write(build().sha256)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"},
        check=True,
    )
    assert ran.stdout == build().sha256


def test_what_is_in_the_zip():
    """It holds the sources of both packages and nothing else, sorted, readable, without a date, and is small."""
    with zipfile.ZipFile(io.BytesIO(build().content)) as package:
        entries = package.infolist()
    expected = sorted(
        path.relative_to(ROOT).as_posix() for name in ("trigger", "userpool") for path in (ROOT / name).rglob("*.py")
    )
    assert [entry.filename for entry in entries] == expected
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert len(build().content) < MOST_BYTES


def test_the_environment_makes_the_settings_of_this_configuration():
    """What is printed, with the app client filled in, is read by the function as this very configuration."""
    configured = Config(
        source=PoolSettings(OLD, role_arn="arn:aws:iam::123456789012:role/reader", external_id="a b"),
        target=PoolSettings(NEW),
        ledger=LedgerSettings("cognito-migration"),
        attributes=AttributeRules(drop=("custom:old",), rename={"nickname": "name"}),
        groups=GroupRules(drop=("staff",)),
    )
    needed = environment(configured)
    assert [name for name, value in needed.items() if value is None] == ["SOURCE_CLIENT_ID"]
    settings = TriggerSettings.of({name: value or "to-be-filled-in" for name, value in needed.items()})
    assert settings.rules is None  # those that the batch keeps in the ledger
    assert (settings.source.user_pool_id, settings.target.user_pool_id) == (OLD, NEW)
    assert (settings.source.role_arn, settings.source.external_id) == (configured.source.role_arn, "a b")
    assert settings.ledger.table == "cognito-migration"


def test_the_environment_without_a_ledger_or_a_configuration():
    """What is not known is left to be filled in."""
    configured = Config(source=PoolSettings(OLD), target=PoolSettings(NEW))
    assert environment(configured)["LEDGER_TABLE"] is None
    assert environment(None)["TARGET_USER_POOL_ID"] is None


@pytest.mark.parametrize("endpoint", ["source", "target", "ledger"])
def test_stand_ins_are_handed_on(endpoint):
    """An endpoint of config.yaml is the function's, too."""
    url = "http://127.0.0.1:5000"
    parts = {
        "source": PoolSettings(OLD, endpoint_url=url if endpoint == "source" else None),
        "target": PoolSettings(NEW, endpoint_url=url if endpoint == "target" else None),
        "ledger": LedgerSettings("table", endpoint_url=url if endpoint == "ledger" else None),
    }
    needed = environment(Config(**parts))
    assert {name for name, value in needed.items() if value == url} == {f"{endpoint.upper()}_ENDPOINT_URL"}


def test_every_variable_is_one_that_the_function_reads():
    """No name is printed that the function would not look at."""
    tree = ast.parse(Path(trigger.settings.__file__).read_text(encoding="utf-8"))
    constants = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    read = {name for name in constants if re.fullmatch(r"[A-Z][A-Z_]+", name)}
    configured = config.Config(source=PoolSettings(OLD), target=PoolSettings(NEW))
    assert set(environment(configured)) | set(environment(None)) <= read
