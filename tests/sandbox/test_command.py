"""The sandbox as a program: its options, what it keeps, and what it says to those it cannot serve."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import warm
from command_line import command
from listening import listening
from live import create_user, refused
from pools import by_name, client_of, read_pool
from signing_in import add_bob, new_client, sign_in

ROOT = Path(__file__).resolve().parents[2]

FUNCTIONS = """
import json

NOT_A_FUNCTION = 5


def migrate(event, context):
    if event["userName"] != "ann" or event["request"]["password"] != "Correct-h0rse!":
        raise ValueError("nobody of that name")
    event["response"] = {
        "userAttributes": {"email": "ann@example.com", "email_verified": "true"},
        "finalUserStatus": "CONFIRMED",
        "messageAction": "SUPPRESS",
    }
    return event


def deny(event, context):
    raise ValueError("not today")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder of the programs, with a module of functions."""
    (tmp_path / "functions.py").write_text(FUNCTIONS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(*options):
    """Begin `python -m sandbox` in a process that has everything imported."""
    words = ("--until-stdin-closes", *map(str, options))
    return warm.start("sandbox", *words, stdin=warm.PIPE, stdout=warm.PIPE, stderr=warm.PIPE)


def begun_cold(*options, program=("-m", "sandbox")):
    """Begin a program as a terminal does, which takes a second."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, *program, "--until-stdin-closes", *map(str, options)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(*options, begin=begun, by_signal=False):
    """Run the program; gives what it announced, and a client."""
    process = begin(*options)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        announced = json.loads(line)
        with client_of(announced["endpoint_url"]) as client:
            yield announced, client
        if by_signal:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    finally:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("by_signal", [False, True], ids=["stdin closes", "SIGTERM"])
def test_the_state_survives_a_restart(folder, by_signal):
    """With --state pools, users, memberships and passwords are there again, and nobody else can read the file."""
    state = folder / "state.json"
    with running("--state", state, "--seed", 25, by_signal=by_signal) as (first, client):
        add_bob(client, first["target_pool_id"])
        client_id = new_client(client, first["target_pool_id"])
        source = read_pool(client, first["source_pool_id"], by_name)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".py" and path.is_file()) == ["state.json"]
    with running("--state", state, "--seed", 99) as (again, client):
        pools = ("source_pool_id", "target_pool_id")
        assert [again[pool] for pool in pools] == [first[pool] for pool in pools]
        assert read_pool(client, again["source_pool_id"], by_name) == source
        assert "AuthenticationResult" in sign_in(client, client_id)
        create_user(client, again["target_pool_id"], "made-after-the-restart")
    assert "made-after-the-restart" in state.read_text(encoding="utf-8")


def test_a_function_is_attached_to_the_new_pool_and_called(folder):
    """A function of the current folder, named like a trigger, is the new pool's, and signs in whom it knows."""
    words = ("--seed", 1, "--lambda", "UserMigration=functions:migrate")
    with running(*words, begin=begun_cold) as (announced, client):
        target = announced["target_pool_id"]
        config = client.describe_user_pool(UserPoolId=target)["UserPool"]["LambdaConfig"]
        assert list(config) == ["UserMigration"]
        assert config["UserMigration"].endswith(":function:UserMigration")
        old = client.describe_user_pool(UserPoolId=announced["source_pool_id"])["UserPool"]
        assert not old.get("LambdaConfig")
        client_id = new_client(client, target)
        assert "AuthenticationResult" in sign_in(client, client_id, "ann")
        assert client.admin_get_user(UserPoolId=target, Username="ann")["UserStatus"] == "CONFIRMED"
        with refused("UserNotFoundException"):
            sign_in(client, client_id, "eve")


def test_a_function_of_another_name_is_attached_to_nothing(folder):
    """A function under a name of one's own is there for pools that name it."""
    with running("--lambda", "mine=functions:deny") as (announced, client):
        target = announced["target_pool_id"]
        assert not client.describe_user_pool(UserPoolId=target)["UserPool"].get("LambdaConfig")
        add_bob(client, target)
        client_id = new_client(client, target)
        assert "AuthenticationResult" in sign_in(client, client_id)
        arn = "arn:aws:lambda:us-east-1:123456789012:function:mine"
        client.update_user_pool(UserPoolId=target, LambdaConfig={"PreAuthentication": arn})
        with refused("UserLambdaValidationException", "not today"):
            sign_in(client, client_id)


def test_functions_are_added_to_a_kept_pool_and_its_settings_stay(folder):
    """After a restart with another --lambda the new pool has both, and the settings that it was given."""
    state = folder / "state.json"
    with running("--state", state, "--lambda", "UserMigration=functions:migrate") as (announced, client):
        client.update_user_pool(
            UserPoolId=announced["target_pool_id"],
            AutoVerifiedAttributes=["email"],
            Policies={"PasswordPolicy": {"MinimumLength": 20}},
            LambdaConfig=client.describe_user_pool(UserPoolId=announced["target_pool_id"])["UserPool"]["LambdaConfig"],
        )
    with running("--state", state, "--lambda", "PreAuthentication=functions:deny") as (announced, client):
        pool = client.describe_user_pool(UserPoolId=announced["target_pool_id"])["UserPool"]
        assert set(pool["LambdaConfig"]) == {"UserMigration", "PreAuthentication"}
        assert pool["AutoVerifiedAttributes"] == ["email"]
        assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 20


class Denies(BaseHTTPRequestHandler):
    """A Lambda Invoke endpoint whose function always raises."""

    def do_POST(self):
        """Answer as Lambda does."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"errorMessage": "said the endpoint"}).encode()
        self.send_response(200)
        self.send_header("X-Amz-Function-Error", "Unhandled")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def test_a_function_can_be_behind_a_url(folder):
    """A function given by the address of a local Invoke endpoint is called there."""
    with listening(Denies) as endpoint:
        url = f"{endpoint}/2015-03-31/functions/f/invocations"
        with running("--lambda", f"PreAuthentication={url}") as (announced, client):
            add_bob(client, announced["target_pool_id"])
            with refused("UserLambdaValidationException", "said the endpoint"):
                sign_in(client, new_client(client, announced["target_pool_id"]))


def test_quotas_of_a_file_are_enforced(folder):
    """With --quotas FILE its quotas are enforced and told, and AWS's defaults for the rest."""
    quotas = folder / "quotas.json"
    quotas.write_text(json.dumps({"UserCreation": 1, "UserRead": 250}), encoding="utf-8")
    with running("--quotas", quotas) as (announced, client):
        pool = announced["target_pool_id"]

        def told(category):
            definition = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": category}}
            return client.get_provisioned_limit(LimitDefinition=definition)["Limit"]["ProvisionedLimitValue"]

        assert told("UserRead") == 250
        with refused("TooManyRequestsException"):  # one a second, and no second has gone by in so many calls
            for number in range(1000):
                create_user(client, pool, f"user{number}")


def test_default_quotas_are_enforced(folder):
    """With --quotas default AWS's are: one GetProvisionedLimit a second."""
    definition = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": "UserList"}}
    with running("--quotas", "default") as (_, client), refused("TooManyRequestsException"):
        for _ in range(100):
            client.get_provisioned_limit(LimitDefinition=definition)


def test_cognito_migrate_sandbox_is_the_same_program(folder):
    """`cognito-migrate sandbox` takes the same options and serves."""
    begin = partial(begun_cold, program=("-m", "batch", "sandbox"))
    with running("--seed", 3, "--target-kind", "email", begin=begin) as (told, client):
        assert len(read_pool(client, told["source_pool_id"], by_name).users) == 3
        target = client.describe_user_pool(UserPoolId=told["target_pool_id"])["UserPool"]
        assert target["UsernameAttributes"] == ["email"]


def test_shares_of_users_with_links_and_factors(folder):
    """With shares the old pool has such users, and both pools offer the providers and the factors."""
    shares = (
        "--federated",
        "10%",
        "--linked",
        "5%",
        "--sms",
        "20%",
        "--totp",
        "10",
        "--email",
        "5%",
        "--passkey",
        "5%",
    )
    with running("--seed", 40, *shares) as (announced, client):
        pool_id = announced["source_pool_id"]
        users = read_pool(client, pool_id, by_name).users
        told = [client.admin_get_user_auth_factors(UserPoolId=pool_id, Username=name) for name in users]
        for one in (pool_id, announced["target_pool_id"]):
            assert client.get_user_pool_mfa_config(UserPoolId=one)["MfaConfiguration"] == "OPTIONAL"
            assert len(client.list_identity_providers(UserPoolId=one)["Providers"]) == 2
    assert Counter(factor for one in told for factor in one.get("UserMFASettingList", [])) == {
        "SMS_MFA": 8,
        "SOFTWARE_TOKEN_MFA": 4,
        "EMAIL_OTP": 2,
    }
    assert sum("WEB_AUTHN" in one["ConfiguredUserAuthFactors"] for one in told) == 2
    assert Counter(user.status == "EXTERNAL_PROVIDER" for user in users.values()) == {False: 36, True: 4}
    assert sum("identities" in user.attributes for user in users.values()) == 6


def test_cognito_migrate_sandbox_has_its_own_help():
    """`cognito-migrate sandbox --help` lists the sandbox's options, and `--help` names the command."""
    result = command("sandbox", "--help")
    assert result.code == 0
    for option in ("--state", "--from", "--real", "--quotas", "--lambda", "--seed"):
        assert option in result.out
    assert "sandbox" in command("--help").out


@pytest.mark.parametrize("real", [False, True])
def test_a_pool_is_filled_from_a_scan(seeded, client, migration, folder, real):
    """With --from the old pool has the scanned users, under made-up names unless --real is given."""
    source, target = seeded(30)
    made = migration(source.pool_id, target)
    assert made("scan").code == 0
    options = ["--from", made.state, *(["--real"] if real else [])]
    with running(*options) as (announced, there):
        users = read_pool(there, announced["source_pool_id"], by_name).users
    original = read_pool(client, source.pool_id, by_name).users
    assert len(users) == len(original)
    assert (users.keys() == original.keys()) is real
    assert users.keys().isdisjoint(original) is not real


BAD = {
    "a state that is no JSON": (["--state", "text"], "text is no JSON"),
    "a state that is a list": (["--state", "list"], "list is no JSON object"),
    "a state of something else": (["--state", "object"], "object holds no state"),
    "a state of no dump": (["--state", "wrong"], "not a dump of a sandbox"),
    "a state that is damaged": (["--state", "damaged"], "damaged"),
    "a state without pools": (["--state", "poolless"], "poolless holds no state"),
    "a state in no folder": (["--state", "gone/state.json"], "no folder for gone/state.json"),
    "no such scan": (["--from", "missing.db"], "no inventory at missing.db"),
    "a scan that is something else": (["--from", "text"], "is not an inventory"),
    "no such quotas": (["--quotas", "missing"], "missing"),
    "quotas that are no JSON": (["--quotas", "text"], "text is no JSON"),
    "quotas that are a list": (["--quotas", "list"], "list is no JSON object"),
    "quotas of no category": (["--quotas", "object"], "UserLaughter is no category"),
    "a quota that is no number": (["--quotas", "null"], "quota of UserRead is a number"),
    "a quota of nothing": (["--quotas", "zero"], "quota of UserRead is a number"),
    "a function without a name": (["--lambda", "functions:migrate"], "--lambda functions:migrate"),
    "a function that is nowhere": (["--lambda", "UserMigration="], "--lambda UserMigration="),
    "no such module": (["--lambda", "UserMigration=no_such_module:f"], "no_such_module"),
    "no such function": (["--lambda", "UserMigration=functions:gone"], "gone"),
    "what is no function": (["--lambda", "UserMigration=functions:NOT_A_FUNCTION"], "NOT_A_FUNCTION is no function"),
    "a module without a function": (["--lambda", "UserMigration=functions"], "--lambda UserMigration=functions"),
    "a module that is no Python": (["--lambda", "UserMigration=broken:f"], "broken.py"),
    "no such port": (["--port", "70000"], "port"),
    "a share that is no number": (["--seed", "5", "--sms", "many"], "invalid share value"),
    "a share of more than all": (["--seed", "5", "--sms", "101%"], "invalid share value"),
    "a kind that is none": (["--kind", "odd"], "invalid choice"),
}
FILES = {
    "text": "no JSON",
    "list": "[]",
    "object": '{"UserLaughter": 5}',
    "poolless": '{"sandbox": {"version": 1, "provisioned": {}, "pools": []}, "pools": {}}',
    "wrong": '{"sandbox": {"version": 0}, "pools": {"target_pool_id": "us-east-1_x"}}',
    "damaged": '{"sandbox": {"version": 1, "provisioned": {}, "pools": [{}]}, "pools": {"target_pool_id": "gone"}}',
    "null": '{"UserRead": null}',
    "zero": '{"UserRead": 0}',
    "broken.py": "def f(:",
}


@pytest.mark.parametrize(("options", "sentence"), BAD.values(), ids=BAD)
def test_what_cannot_be_served_is_said_in_a_sentence(folder, options, sentence):
    """A bad value ends the program with status 2 and one sentence, without a traceback, before it serves."""
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    process = begun(*options)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert sentence in said
    assert "Traceback" not in said
    assert "usage:" in said or said.count("\n") == 1


def test_a_port_that_is_taken_is_said_in_a_sentence(folder):
    """A port that another program has ends it with status 2."""
    with running() as (announced, _):
        process = begun("--port", announced["endpoint_url"].rpartition(":")[2])
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "in use" in said
    assert "Traceback" not in said
