"""Make the boto3 clients. The one file that knows profiles, roles and endpoints."""

from __future__ import annotations

import ipaddress
import logging
import os
import platform
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
from botocore.utils import parse_timestamp

from userpool.answers.credentials import why_not_accepted
from userpool.answers.parser import NotAnAnswerError, StrictFactory
from userpool.departure import at_departure
from userpool.errors import (
    FatalError,
    MigrationError,
    NotAllowedError,
    SettingsError,
    code_of,
    from_botocore_error,
    not_aws,
)
from userpool.settings import LedgerSettings, PoolSettings

_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_SECRET_SECONDS = 1
_AGENT = "cognito-migrate"
# Fixed, because botocore puts its own together anew, twice for each call: a tenth of what a call costs.
_SDK = f"Boto3/{boto3.__version__} lang/python#{platform.python_version()}"

# At DEBUG these write down whole requests and answers, and so passwords, tokens and attributes.
for _talkative in ("auth", "endpoint", "hooks", "httpsession", "parsers", "regions", "retries", "signers"):
    logging.getLogger(f"botocore.{_talkative}").setLevel(logging.WARNING)


def cognito_client(
    pool: PoolSettings,
    *,
    connections: int,
    read_seconds: float = _READ_SECONDS,
    connect_seconds: float = _CONNECT_SECONDS,
    agent: str = _AGENT,
) -> Any:
    """Return a `cognito-idp` client that tries once: pacing and retries belong to whoever calls.

    `connections` is how many calls may be under way at once; `agent` is what CloudTrail shows of who makes them. Raises
    SettingsError for an unknown profile, or an impossible region or endpoint, and FatalError for a role that cannot be
    assumed. A loopback endpoint is a stand-in: no credentials are read for it.
    """
    config = _config(
        agent,
        retries={"total_max_attempts": 1},  # botocore's own retries would go past the limiter
        max_pool_connections=connections,  # the default of 10 starves more threads than that
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        proxies={} if is_loopback(pool.endpoint_url) else None,  # a stand-in is not behind the proxy of the environment
    )
    return at_departure(_made(pool, "cognito-idp", pool.endpoint_url, config))


def _config(agent: str = _AGENT, **given: Any) -> Config:
    return Config(user_agent=_SDK, user_agent_extra=agent, **given)


_SECRETS = _config(retries={"mode": "standard"}, connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
# For the function, which has five seconds for all that it does.
_SECRETS_IN_TIME = _config(
    retries={"mode": "standard", "total_max_attempts": 2},
    connect_timeout=_SECRET_SECONDS,
    read_timeout=_SECRET_SECONDS,
)


def _made(
    pool: PoolSettings, service: str, endpoint_url: str | None, config: Config, place: _Place | None = None
) -> Any:
    try:
        return _session(pool, place or _Place.of(pool)).client(service, endpoint_url=endpoint_url, config=config)
    except ProfileNotFound as error:
        raise SettingsError(f"{error}: add it to ~/.aws/config, or correct `profile` or AWS_PROFILE.") from None
    except (BotoCoreError, ValueError) as error:  # ValueError: what botocore says of an impossible endpoint
        raise SettingsError(
            f"No client for {pool.user_pool_id}: {error}; check region, profile, endpoint_url."
        ) from None


def dynamodb_client(
    ledger: LedgerSettings,
    owner: PoolSettings,
    *,
    connections: int,
    connect_seconds: float = _CONNECT_SECONDS,
    read_seconds: float = _READ_SECONDS,
    attempts: int = 5,
    agent: str = _AGENT,
) -> Any:
    """Return a `dynamodb` client for the ledger, with the credentials of the pool that it belongs to.

    It may try again: every write of the ledger is safe to repeat. Raises as `cognito_client` does.
    """
    config = _config(
        agent,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        proxies={} if is_loopback(ledger.endpoint_url) else None,
    )
    place = _Place(ledger.region or owner.region_name, stand_in=is_loopback(ledger.endpoint_url))
    return _made(owner, "dynamodb", ledger.endpoint_url, config, place)


def lambda_client(owner: PoolSettings, region: str) -> Any:
    """Return a `lambda` client with the credentials of the pool whose functions they are. Raises as the others do."""
    place = replace(_Place.of(owner), region=region)
    return _made(owner, "lambda", None, _config(), place)


def iam_client(owner: PoolSettings) -> Any:
    """Return an `iam` client with the credentials that a pool is called with. Raises as the others do."""
    return _made(owner, "iam", None, _config(), replace(_Place.of(owner), stand_in=False))


def caller_arn(pool: PoolSettings) -> str | None:
    """Return as whom the pool's calls are made; None for a stand-in, or where that cannot be found out."""
    if is_loopback(pool.endpoint_url):
        return None
    config = _config(retries={"total_max_attempts": 1}, connect_timeout=_CONNECT_SECONDS, read_timeout=_CONNECT_SECONDS)
    try:
        return str(_made(pool, "sts", None, config).get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError, MigrationError):
        return None


def secret_text(arn: str, owner: PoolSettings | None = None) -> str:
    """Return a secret of Secrets Manager, read with a pool's credentials or the surroundings' own.

    Raises FatalError if it cannot be read, NotAllowedError if these credentials may not.
    """
    region = arn.split(":")[3] if arn.count(":") > 3 else None  # noqa: PLR2004 -- where an ARN has it
    try:
        session = (
            _session(owner, replace(_Place.of(owner), stand_in=False))
            if owner
            else boto3.Session(botocore_session=_quick(botocore.session.Session()))
        )
        client = session.client("secretsmanager", region_name=region, config=_SECRETS if owner else _SECRETS_IN_TIME)
        secret = client.get_secret_value(SecretId=arn).get("SecretString")
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, NotAnAnswerError):
            raise not_aws(arn, "Secrets Manager") from None
        if isinstance(error, ClientError) and (problem := why_not_accepted(error, f"the secret {arn}")):
            raise FatalError(problem) from None
        code = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        kind = NotAllowedError if code == "AccessDeniedException" else FatalError
        raise kind(
            f"The secret {arn} cannot be read ({code}): correct SOURCE_CLIENT_SECRET_ARN, or grant "
            "secretsmanager:GetSecretValue."
        ) from None
    if secret is None:
        raise FatalError(f"The secret {arn} has no text: store the app client's secret as SecretString.")
    return str(secret)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a pool's credentials are used: a ledger or a function may be in another region than the pool."""

    region: str
    stand_in: bool

    @classmethod
    def of(cls, pool: PoolSettings) -> _Place:
        return cls(pool.region_name, stand_in=is_loopback(pool.endpoint_url))


def _session(pool: PoolSettings, place: _Place) -> boto3.Session:
    if place.stand_in:
        return stand_in_session(place.region)
    session = boto3.Session(
        profile_name=pool.profile, region_name=place.region, botocore_session=_quick(botocore.session.Session())
    )
    return _with_role(session, pool, place.region) if pool.role_arn else session


def is_loopback(endpoint_url: str | None) -> bool:
    """Whether the endpoint is on this machine, and so a stand-in for AWS."""
    host = urlsplit(endpoint_url or "").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def stand_in_session(region: str) -> boto3.Session:
    """Return a session with made-up keys, which looks at no profile, file or credentials of this machine."""
    # Shared: making one takes longer than making a client, which copies what it needs of it.
    return boto3.Session("stand-in", "stand-in", region_name=region, botocore_session=bare_session())


def bare_session() -> botocore.session.Session:
    """Return a botocore session that looks at no profile, configuration or credentials file of this machine."""
    session = _quick(botocore.session.Session())
    # A profile or file that the environment names may not exist, or may name another account.
    session.session_var_map["profile"] = (None, None, None, None)
    for variable in ("config_file", "credentials_file"):
        session.session_var_map[variable] = (None, None, os.devnull, None)
    return session


def _quick(session: botocore.session.Session) -> botocore.session.Session:
    """Let the session's clients refuse what is no answer, and read times by `instant`: a third of a page's cost."""
    factory = StrictFactory()
    factory.set_parser_defaults(timestamp_parser=instant)
    session.register_component("response_parser_factory", factory)
    return session


def instant(value: Any) -> datetime:
    """Return a time in an answer, in UTC; numbers are seconds since 1970, as Cognito has them.

    botocore's own parser, to which all else is left, works out the machine's time zone for each. Raises as it does.
    """
    if isinstance(value, int | float):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError, ValueError):
            pass
    parsed: datetime = parse_timestamp(value)
    return parsed


def _with_role(session: boto3.Session, pool: PoolSettings, region: str) -> boto3.Session:
    """Return a session that acts as the role, and renews it before it expires (an hour, by default)."""
    sts = session.client("sts", region_name=region)

    def assume() -> dict[str, str]:
        wanted = {"RoleArn": pool.role_arn, "RoleSessionName": f"cognito-migrate-{uuid.uuid4().hex[:8]}"}
        if pool.external_id:
            wanted["ExternalId"] = pool.external_id
        try:
            got = sts.assume_role(**wanted)["Credentials"]
        except ClientError as error:
            if problem := why_not_accepted(error, pool.role_arn or ""):
                raise FatalError(problem) from None
            raise FatalError(
                f"Cannot assume {pool.role_arn} ({code_of(error)}): check its trust policy, the external id, "
                "and that the caller may call sts:AssumeRole."
            ) from None
        except BotoCoreError as error:
            raise from_botocore_error(error, operation="AssumeRole", pool_id=pool.user_pool_id, service="STS") from None
        return {
            "access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "token": got["SessionToken"],
            "expiry_time": got["Expiration"].isoformat(),
        }

    inner = bare_session()
    # botocore offers no public way to hand a session credentials that renew themselves.
    inner._credentials = RefreshableCredentials.create_from_metadata(  # noqa: SLF001
        metadata=assume(), refresh_using=assume, method="sts-assume-role"
    )
    return boto3.Session(botocore_session=inner, region_name=region)
