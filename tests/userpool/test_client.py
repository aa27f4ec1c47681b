from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st
from listening import listening

from batch.inventory.runs import user_agent
from userpool.client import caller_arn, cognito_client, instant, is_loopback
from userpool.errors import DroppedError, FatalError, SettingsError, ThrottledError
from userpool.pool import UserPool
from userpool.settings import PoolSettings

POOL = "eu-west-1_AbCdEf123"
ROLE = "arn:aws:iam::999999999999:role/migration"


DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::999999999999:assumed-role/migration/me</Arn>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Aws:
    """A server that stands in for STS and Cognito, and remembers who asked what."""

    def __init__(self) -> None:
        self.assumed: list[dict[str, str]] = []
        self.asked: list[dict[str, str]] = []
        self.connections: set[tuple[str, int]] = set()
        self.lifetime = timedelta(hours=1)
        self.refuses_roles = False
        self.answer = (200, b'{"UserPool": {"Id": "x"}}')
        self.together: threading.Barrier | None = None
        self.never = threading.Event()
        self.hangs = False
        self.hides_callers = False

    @property
    def keys(self) -> list[str]:
        """The access keys that calls to Cognito were signed with."""
        return [headers["Authorization"].partition("Credential=")[2].partition("/")[0] for headers in self.asked]

    def sts(self, form):
        """Answer GetCallerIdentity, or AssumeRole; each time the keys are others."""
        if form["Action"] == ["GetCallerIdentity"]:
            return (403, DENIED) if self.hides_callers else (200, IDENTITY)
        self.assumed.append({name: values[0] for name, values in form.items()})
        if self.refuses_roles:
            return 403, DENIED
        number = len(self.assumed)
        expiration = (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, (
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>ROLEKEY{number}</AccessKeyId><SecretAccessKey>secret{number}</SecretAccessKey>"
            f"<SessionToken>token{number}</SessionToken><Expiration>{expiration}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()

    def cognito(self, headers):
        """Answer anything, when as many have asked as the test wants at once."""
        self.asked.append(headers)
        if self.hangs:
            self.never.wait()
        if self.together:
            self.together.wait(60)
        return self.answer


@pytest.fixture
def aws(monkeypatch):
    """The stand-in, where the environment says that STS and Cognito are."""
    stand_in = Aws()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stand_in.connections.add(self.client_address)
            to_cognito = "X-Amz-Target" in self.headers
            answer = stand_in.cognito(dict(self.headers)) if to_cognito else stand_in.sts(parse_qs(body.decode()))
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            with suppress(OSError):  # whoever asked may have gone
                self.wfile.write(answer[1])

        def log_message(self, *_):
            pass

    with listening(Handler) as stand_in.url:
        for service in ("STS", "COGNITO_IDENTITY_PROVIDER"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", stand_in.url)
        yield stand_in
        stand_in.never.set()


@pytest.fixture
def keys(monkeypatch):
    """Credentials in the environment, as on most machines."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")


def pool(*, connections: int = 2, read_seconds: float = 20, **settings) -> UserPool:
    made = PoolSettings(POOL, **settings)
    return UserPool(cognito_client(made, connections=connections, read_seconds=read_seconds), POOL)


@pytest.mark.parametrize("lost", ["profile", "files", "everything", "proxy"])
def test_a_stand_in_needs_nothing_of_this_machine(aws, monkeypatch, tmp_path, lost):
    """A loopback endpoint works with no credentials, with a profile that is not there, and behind a proxy."""
    if lost in {"profile", "everything"}:
        monkeypatch.setenv("AWS_PROFILE", "not-there")
    if lost in {"files", "everything"}:
        broken = tmp_path / "broken"
        broken.write_text("[not closed\n==\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(broken))
    if lost in {"proxy", "everything"}:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
    pool(endpoint_url=aws.url).describe()
    assert len(aws.asked) == 1


def test_a_stand_in_sees_no_credentials_of_this_machine(aws, keys, monkeypatch):
    """Keys, tokens, profiles and roles of the machine are not used for a loopback endpoint."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "env-token")
    pool(endpoint_url=aws.url, profile="production", role_arn=ROLE).describe()
    assert aws.assumed == []
    assert "ENVKEY" not in str(aws.asked)
    assert "env-token" not in str(aws.asked)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://127.8.9.1", True),
        ("http://localhost:5000/", True),
        ("http://LOCALHOST:5000", True),
        ("http://[::1]:5000", True),
        (None, False),
        ("", False),
        ("https://cognito-idp.eu-west-1.amazonaws.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://10.0.0.1:5000", False),
        ("http://0.0.0.0:5000", False),
    ],
)
def test_only_this_machine_is_a_stand_in(url, loopback):
    """Only a loopback address, or localhost, is taken for a stand-in; a host that looks like one is not."""
    assert is_loopback(url) == loopback


def test_without_settings_the_credentials_of_the_environment_count(aws, keys):
    """Calls are signed with the keys of the environment unless something else is configured."""
    pool().describe()
    assert aws.keys == ["ENVKEY"]


def test_a_profile_is_used(aws, keys, monkeypatch, tmp_path):
    """A configured profile goes before the keys of the environment."""
    (tmp_path / "credentials").write_text("[old]\naws_access_key_id = OLDKEY\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    pool(profile="old").describe()
    assert aws.keys == ["OLDKEY"]


@pytest.mark.parametrize("where", ["config", "environment"])
def test_an_unknown_profile_is_named(aws, monkeypatch, where):
    """A profile that is not there is a settings error with its name, wherever it was named."""
    if where == "environment":
        monkeypatch.setenv("AWS_PROFILE", "tpyo")
    with pytest.raises(SettingsError, match="tpyo"):
        pool(profile="tpyo" if where == "config" else None)


def test_without_credentials_the_first_call_says_so(aws):
    """Where there are no credentials at all, the error says to set the profile."""
    with pytest.raises(FatalError, match="credentials"):
        pool().describe()
    assert aws.asked == []


@pytest.mark.parametrize("external_id", [None, "agreed-upon"])
def test_a_role_is_assumed(aws, keys, external_id):
    """A configured role is assumed, with the external id if there is one, and signs the calls."""
    pool(role_arn=ROLE, external_id=external_id).describe()
    (assumed,) = aws.assumed
    assert (assumed["Action"], assumed["RoleArn"], assumed.get("ExternalId")) == ("AssumeRole", ROLE, external_id)
    assert aws.keys == ["ROLEKEY1"]
    assert aws.asked[0]["X-Amz-Security-Token"] == "token1"


def test_a_role_of_a_profile_and_one_to_assume(aws, monkeypatch, tmp_path):
    """A role is assumed with the credentials of the configured profile."""
    (tmp_path / "credentials").write_text("[old]\naws_access_key_id = OLDKEY\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    pool(profile="old", role_arn=ROLE).describe()
    assert aws.keys == ["ROLEKEY1"]


def test_a_role_is_assumed_once_for_many_calls(aws, keys):
    """As long as a role's credentials are good, they are used."""
    assuming = pool(role_arn=ROLE)
    for _ in range(5):
        assuming.describe()
    assert len(aws.assumed) == 1
    assert aws.keys == ["ROLEKEY1"] * 5


def test_a_role_is_renewed_before_it_expires(aws, keys):
    """Credentials that are good for a few more minutes are renewed before the next call, in any thread."""
    aws.lifetime = timedelta(minutes=5)
    assuming = pool(role_arn=ROLE)
    aws.lifetime = timedelta(hours=1)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(8):
            threads.submit(assuming.describe)
    assert len(aws.assumed) == 2
    assert aws.keys == ["ROLEKEY2"] * 8


def test_a_role_that_cannot_be_assumed_is_fatal(aws, keys):
    """A role that is refused is named, with what to check, before any call to Cognito."""
    aws.refuses_roles = True
    with pytest.raises(FatalError, match=ROLE):
        pool(role_arn=ROLE)
    assert aws.asked == []


def test_a_role_that_can_no_longer_be_assumed_is_fatal(aws, keys):
    """A role that is taken away in the middle ends the run with its name, when its credentials end."""
    aws.lifetime = timedelta(minutes=5)
    assuming = pool(role_arn=ROLE)
    aws.refuses_roles = True
    with pytest.raises(FatalError, match=ROLE):
        assuming.describe()


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_a_call_reaches_cognito_once(aws, keys, monkeypatch, mode):
    """Whatever goes wrong, and whatever the environment wishes, boto3 does not repeat a call by itself."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    calling = pool()
    for number, (status, body, kind) in enumerate(
        (
            (400, b'{"__type": "TooManyRequestsException", "message": "Rate exceeded"}', ThrottledError),
            (429, b"{}", ThrottledError),
            (500, b'{"__type": "InternalErrorException"}', DroppedError),
            (503, b"busy", DroppedError),
        ),
        start=1,
    ):
        aws.answer = (status, body)
        with pytest.raises(kind):
            calling.describe()
        assert len(aws.asked) == number


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(aws, keys):
    """A call that is not answered in time counts as dropped: it may have been carried out."""
    aws.hangs = True
    with pytest.raises(DroppedError):
        pool(read_seconds=0.1).describe()


def test_as_many_calls_at_once_as_asked_for_keep_their_connections(aws, keys):
    """Connections are kept for as many calls as may be under way: a second round opens no new one."""
    at_once = 24
    wide = pool(connections=at_once)
    aws.together = threading.Barrier(at_once)
    for _ in range(2):
        with ThreadPoolExecutor(at_once) as threads:
            for done in [threads.submit(wide.describe) for _ in range(at_once)]:
                done.result()
    assert len(aws.asked) == 2 * at_once
    assert len(aws.connections) == at_once


@pytest.mark.parametrize(
    "settings", [{"region": "not a region"}, {"endpoint_url": "https://not a host"}, {"region": "eu west 1"}]
)
def test_what_no_client_can_be_made_for_is_a_matter_of_settings(aws, keys, settings, monkeypatch):
    """An impossible region or endpoint is a settings error that says what to check."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
    with pytest.raises(SettingsError, match=r"region|endpoint_url"):
        pool(**settings)


@pytest.mark.parametrize(("region", "expected"), [(None, "eu-west-1"), ("eu-west-1", "eu-west-1")])
def test_the_region_is_that_of_the_pool_unless_configured(aws, keys, monkeypatch, region, expected):
    """Calls go to the region of the pool's id, whatever region the environment names, unless one is configured."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    pool(region=region).describe()
    assert f"/{expected}/cognito-idp/" in aws.asked[0]["Authorization"]


def test_calls_say_which_run_makes_them(aws):
    """The user agent, which CloudTrail shows, ends with the program's version and the run."""
    agent = user_agent("20261123T220000Z-ab12cd")
    UserPool(cognito_client(PoolSettings(POOL, endpoint_url=aws.url), connections=1, agent=agent), POOL).describe()
    pool(endpoint_url=aws.url).describe()
    told, untold = (headers["User-Agent"] for headers in aws.asked)
    assert told.endswith(" run/20261123T220000Z-ab12cd")
    assert " cognito-migrate/" in told
    assert untold.endswith(" cognito-migrate")
    assert told.startswith("Boto3/")


@pytest.fixture(params=["UTC", "Europe/Amsterdam", "America/St_Johns"])
def zone(request, monkeypatch):
    """A machine in a time zone."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@given(st.integers(-62_135_596_800, 253_402_300_799) | st.floats(-1e8, 5e9))
@example(1729994400)  # an hour that Amsterdam's clocks show twice
@example(1700000000.1234567)
@example(2**33)
def test_a_time_of_an_answer_is_the_moment_that_botocore_reads(number):
    """Whatever number of seconds Cognito answers, whole or not, it is the same moment as by botocore's own reading."""
    assert instant(number).timestamp() == parse_timestamp(number).timestamp()
    assert instant(number).utcoffset() == timedelta(0)


@pytest.mark.parametrize("number", [0, 1711846800, 1729990800.5, 1729994400, 1772409600.123, 4102444800])
def test_a_time_of_an_answer_is_the_same_in_every_time_zone(zone, number):
    """The machine's time zone, and its summer time, change nothing about it."""
    assert instant(number).timestamp() == parse_timestamp(number).timestamp() == number


@pytest.mark.parametrize(
    "text", ["2026-11-23T22:00:00Z", "2026-11-23T22:00:00+02:00", "Mon, 23 Nov 2026 22:00:00 GMT", "1763935200", "1e9"]
)
def test_a_time_that_is_text_is_read_by_botocore(text):
    """Text, as other services and stand-ins answer, is what botocore makes of it."""
    assert instant(text) == parse_timestamp(text)


@pytest.mark.parametrize("nonsense", ["yesterday", "", None, [], 1e20, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused_as_botocore_refuses_it(nonsense):
    """What is no time is an error, of the kind that botocore makes of it."""
    with pytest.raises((ValueError, TypeError, RuntimeError)) as theirs:
        parse_timestamp(nonsense)
    with pytest.raises(theirs.type):
        instant(nonsense)


@pytest.mark.parametrize("settings", [{}, {"profile": "old"}, {"role_arn": ROLE}, {"endpoint_url": "stand-in"}])
def test_times_are_read_quickly_however_calls_are_signed(aws, keys, monkeypatch, tmp_path, settings):
    """With the keys of the environment, a profile, a role or a stand-in's, times come in UTC, as they were sent."""
    (tmp_path / "credentials").write_text("[old]\naws_access_key_id = OLDKEY\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    aws.answer = (200, b'{"UserPool": {"Id": "x", "CreationDate": 1700000000.25, "LastModifiedDate": 1700000001}}')
    if "endpoint_url" in settings:
        settings = {"endpoint_url": aws.url}
    described = cognito_client(PoolSettings(POOL, **settings), connections=1).describe_user_pool(UserPoolId=POOL)
    assert described["UserPool"]["CreationDate"] == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
    assert described["UserPool"]["LastModifiedDate"].tzinfo is UTC


def test_it_is_known_as_whom_calls_are_made(aws, keys):
    """Whose credentials are used is asked of STS, with a role as without."""
    assert caller_arn(PoolSettings(POOL)) == "arn:aws:sts::999999999999:assumed-role/migration/me"
    assert caller_arn(PoolSettings(POOL, role_arn=ROLE)) == "arn:aws:sts::999999999999:assumed-role/migration/me"
    assert len(aws.assumed) == 1


def test_who_calls_may_stay_unknown(aws, keys, monkeypatch):
    """A stand-in is not asked, and a refusal, missing credentials or a role that is denied are no failure."""
    assert caller_arn(PoolSettings(POOL, endpoint_url=aws.url)) is None
    aws.hides_callers = aws.refuses_roles = True
    assert caller_arn(PoolSettings(POOL)) is None
    assert caller_arn(PoolSettings(POOL, role_arn=ROLE)) is None
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert caller_arn(PoolSettings(POOL)) is None
