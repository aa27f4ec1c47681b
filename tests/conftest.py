"""Fixtures: a clean environment, user pools in this process, local servers, and the command line."""

from __future__ import annotations

import gc
import itertools
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import direct
import hypothesis
import pytest
import warm
from command_line import FAST, Migration
from ending import moving, own_server  # noqa: F401 -- pytest looks for them here
from function_policy import aws  # noqa: F401 -- the same
from ledgers import dynamodb, ledger, ledger_table  # noqa: F401 -- the same
from live import cognito, live_client, local, new_pool, pytest_addoption  # noqa: F401 -- the same
from setting_back import recovery_rules, whole_pools  # noqa: F401 -- the same
from signing_in import client_id, lambdas, new_app, pool_id, signed_in  # noqa: F401 -- the same
from triggering import world  # noqa: F401 -- the same

from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import Seeded, make_target, seed_source
from sandbox.server import Sandbox
from userpool.pool import UserPool

# No example has a time limit: a busy machine is no fault of the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")
warm.share_models()
# What was imported stays: looking for garbage in it, over and over, takes a quarter of the time of a small test.
gc.freeze()
gc.set_threshold(20_000)


@pytest.fixture(scope="session", autouse=True)
def _processes() -> Iterator[None]:
    """What warm processes are forked from ends with the tests."""
    yield
    warm.end()


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch, tmp_path_factory):
    """No credentials, profile, endpoint or proxy of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    nowhere = tmp_path_factory.getbasetemp()  # not a folder of the test's own, which most tests need none of
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A boto3 client of the local Cognito of this process."""
    with local_client() as client:
        yield client


@pytest.fixture
def make_pool(client) -> Callable[..., UserPool]:
    """Makes user pools in this process; options are those of CreateUserPool."""
    numbers = itertools.count()

    def make(*, case_sensitive: bool = True, policy: Any = None, **options: Any) -> UserPool:
        answer = client.create_user_pool(
            PoolName=f"pool-{next(numbers)}",
            UsernameConfiguration={"CaseSensitive": case_sensitive},
            **options,
        )
        pool = UserPool(client, answer["UserPool"]["Id"])
        return pool.paced_by(policy) if policy else pool

    return make


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A local Cognito over HTTP in this process; it shares its pools with `client`."""
    with Sandbox() as sandbox, direct.called(sandbox):
        yield sandbox


@pytest.fixture
def migration(tmp_path, sandbox) -> Callable[..., Migration]:
    """Makes a configured migration; `source` and `target` are pool ids, settings top-level keys of config.yaml."""

    def make(
        source: str,
        target: str,
        *,
        source_endpoint: str | None = None,
        target_endpoint: str | None = None,
        **settings: Any,
    ) -> Migration:
        made = Migration(tmp_path, source, target)
        made.configure(
            source={"user_pool_id": source, "endpoint_url": source_endpoint or sandbox.endpoint_url},
            target={"user_pool_id": target, "endpoint_url": target_endpoint or sandbox.endpoint_url},
            **{"rate": {"share": 1.0, "limits": FAST}, **settings},
        )
        return made

    return make


@pytest.fixture
def seeded(client) -> Callable[..., tuple[Seeded, str]]:
    """Fills an old pool with made-up users and makes an empty new one, in this process."""

    def make(users: int, *, kind: Any = "plain", target_kind: Any = "plain", seed: int = 7) -> tuple[Seeded, str]:
        source = seed_source(client, users=users, random=random.Random(seed), kind=kind, add_federated=add_federated)
        return source, make_target(client, kind=target_kind)

    return make


@dataclass
class Server:
    """A local Cognito in a process of its own, with its counts and faults over HTTP."""

    process: warm.Process
    endpoint_url: str
    source_pool_id: str | None
    target_pool_id: str

    def counts(self) -> dict[str, Any]:
        """Return the calls and creations so far."""
        return json.loads(self._send("GET", "calls"))

    def fail(self, *faults: dict[str, Any]) -> None:
        """Replace the faults."""
        self._send("PUT", "faults", list(faults))

    def _send(self, method: str, path: str, body: Any = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.endpoint_url}/_sandbox/{path}", data=data, method=method)
        with urlopen(request) as answer:
            return bytes(answer.read())


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Starts local servers, each with pools of its own; they end with the test."""
    processes = []

    def start(*options: str) -> Server:
        process = warm.start("sandbox", "--until-stdin-closes", *options, stdin=warm.PIPE, stdout=warm.PIPE)
        processes.append(process)
        assert process.stdout
        return Server(process, **json.loads(process.stdout.readline()))

    yield start
    for process in processes:
        process.communicate(timeout=60)
