"""Fills an old user pool with invented users, and makes the empty new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sandbox.made_up.mixing import PROVIDERS, Mix, invent_mixed
from sandbox.made_up.people import GROUPS, Group, Person, PoolKind, State, invent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from random import Random

    AddFederated = Callable[[str, str, dict[str, str]], None]
    Enrol = Callable[[str, str, Collection[str]], None]

CognitoClient = Any  # boto3 makes its clients' classes at run time
TargetKind = Literal["plain", "email", "alias"]
SchemaAttribute = dict[str, Any]

PASSWORD = "Sandbox-Passw0rd!"  # noqa: S105 - every invented user's, and good for nothing else


def _string(name: str, *, mutable: bool, shortest: int = 0, longest: int = 256) -> SchemaAttribute:
    limits = {"MinLength": str(shortest), "MaxLength": str(longest)}
    return {
        "Name": name,
        "AttributeDataType": "String",
        "Mutable": mutable,
        "Required": False,
        "StringAttributeConstraints": limits,
    }


_LEVEL: SchemaAttribute = {
    "Name": "level",
    "AttributeDataType": "Number",
    "Mutable": True,
    "Required": False,
    "NumberAttributeConstraints": {"MinValue": "0", "MaxValue": "99"},
}
_SHARED_SCHEMA = (_string("tenant", mutable=True, shortest=1, longest=20), _LEVEL, _string("plan", mutable=False))
_SOURCE_SCHEMA = (*_SHARED_SCHEMA, _string("obsolete", mutable=True))
_TARGET_SCHEMA = (*_SHARED_SCHEMA, _string("legacy_sub", mutable=False, longest=64))

EVERY_FACTOR: dict[str, Any] = {
    "SmsMfaConfiguration": {"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sandbox-sms"}},
    "SoftwareTokenMfaConfiguration": {"Enabled": True},
    "EmailMfaConfiguration": {"Message": "Your code is {####}.", "Subject": "Your code"},
}
"""Every second factor, in the form of SetUserPoolMfaConfig."""

_PASSKEYS = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
_PROVIDER_DETAILS = {
    "Google": {"client_id": "sandbox", "client_secret": "sandbox", "authorize_scopes": "openid email"},
    "SAML": {"MetadataURL": "https://corp.example.com/metadata.xml"},
}
_BY_ADMINISTRATOR = ("SMS_MFA", "EMAIL_OTP")
_SETTINGS = {
    "SMS_MFA": "SMSMfaSettings",
    "EMAIL_OTP": "EmailMfaSettings",
    "SOFTWARE_TOKEN_MFA": "SoftwareTokenMfaSettings",
}

_POOL_OPTIONS: dict[TargetKind, dict[str, Any]] = {
    "plain": {},
    "email": {"UsernameAttributes": ["email"]},
    "alias": {"AliasAttributes": ["email", "preferred_username"]},
}


@dataclass(frozen=True)
class Seeded:
    """A filled user pool: its id, and the `Username` Cognito gave each user, in order of creation."""

    pool_id: str
    usernames: tuple[str, ...]


def seed_source(
    client: CognitoClient,
    *,
    users: int,
    random: Random,
    kind: PoolKind = "plain",
    mix: Mix | None = None,
    cast: Sequence[Person] = (),
    add_federated: AddFederated | None = None,
    enrol: Enrol | None = None,
    name: str = "old-users",
) -> Seeded:
    """Make an old, case-sensitive user pool with a cast and this many invented users, 12 groups and memberships.

    The same `random` state invents the same users; ids, subs and times are Cognito's. Federated users can only be made
    by `add_federated(pool id, user name, attributes)`, since no call makes one; without it they are left out. With a
    `mix` there are links and second factors, too, the pool offers all of these, and federated users are in the groups
    that Cognito makes for them. What no administrator can set is set by `enrol(pool id, user name, factors)`, and left
    out without it.
    """
    pool_id = _create_pool(client, name, kind, _SOURCE_SCHEMA, case_sensitive=True, mix=mix)
    for group in (*GROUPS, *(_own_groups(pool_id) if mix and add_federated else ())):
        _create_group(client, pool_id, group)
    app_client = client.create_user_pool_client(UserPoolId=pool_id, ClientName="sandbox-sign-up")["UserPoolClient"]
    seeder = _Seeder(client, pool_id, app_client["ClientId"], add_federated, enrol, mix is not None)
    invented = invent(users, random, kind) if mix is None else invent_mixed(users, random, kind, mix)
    people = [*cast, *invented]
    if add_federated is None:
        people = [person for person in people if person.state is not State.EXTERNAL_PROVIDER]
    return Seeded(pool_id, tuple(seeder.add(person) for person in people))


def make_target(
    client: CognitoClient,
    *,
    kind: TargetKind,
    case_sensitive: bool = False,
    extra_schema: Sequence[SchemaAttribute] = (),
    mix: Mix | None = None,
    name: str = "new-users",
) -> str:
    """Make an empty new user pool of this kind and return its id.

    It lacks the old pool's custom:obsolete, has custom:legacy_sub, and whatever `extra_schema` adds in the form of
    CreateUserPool's `Schema`. With a `mix` it offers the providers and factors of an old pool that has one.
    """
    schema = (*_TARGET_SCHEMA, *extra_schema)
    return _create_pool(client, name, kind, schema, case_sensitive=case_sensitive, mix=mix)


def _create_pool(
    client: CognitoClient,
    name: str,
    kind: TargetKind,
    schema: Sequence[SchemaAttribute],
    *,
    case_sensitive: bool,
    mix: Mix | None,
) -> str:
    answer = client.create_user_pool(
        PoolName=name,
        Schema=list(schema),
        UsernameConfiguration={"CaseSensitive": case_sensitive},
        **_POOL_OPTIONS[kind],
        **({"Policies": _PASSKEYS} if mix and mix.passkey else {}),
    )
    pool_id: str = answer["UserPool"]["Id"]
    if mix is not None:
        _offer(client, pool_id, mix)
    return pool_id


def _offer(client: CognitoClient, pool_id: str, mix: Mix) -> None:
    """Let the pool's users sign in through the providers, and have the second factors."""
    for name, kind in PROVIDERS.items():
        client.create_identity_provider(
            UserPoolId=pool_id, ProviderName=name, ProviderType=kind, ProviderDetails=_PROVIDER_DETAILS[kind]
        )
    if any(mix.factors.values()):
        client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", **EVERY_FACTOR)


def _own_groups(pool_id: str) -> list[Group]:
    """Return the groups that Cognito itself makes when the first user of a provider signs in."""
    told = "Autogenerated group for users who sign in using "
    return [Group(f"{pool_id}_{provider}", told + provider) for provider in PROVIDERS]


def _create_group(client: CognitoClient, pool_id: str, group: Group) -> None:
    optional = {"Description": group.description, "Precedence": group.precedence, "RoleArn": group.role_arn}
    given = {name: value for name, value in optional.items() if value is not None}
    client.create_group(UserPoolId=pool_id, GroupName=group.name, **given)


@dataclass(frozen=True)
class _Seeder:
    client: CognitoClient
    pool_id: str
    app_client_id: str
    add_federated: AddFederated | None
    enrol: Enrol | None
    mixed: bool

    def add(self, person: Person) -> str:
        """Make the user, bring it into its state and its groups, and return Cognito's `Username`."""
        username = self._make(person)
        self._bring_into_state(username, person)
        for group in (*person.groups, *self._own_group(person)):
            self.client.admin_add_user_to_group(UserPoolId=self.pool_id, Username=username, GroupName=group)
        return username

    def _own_group(self, person: Person) -> list[str]:
        external = self.mixed and person.state is State.EXTERNAL_PROVIDER
        return [f"{self.pool_id}_{person.username.partition('_')[0]}"] if external else []

    def _make(self, person: Person) -> str:
        if person.state is State.UNCONFIRMED:
            return self._sign_up(person)
        if person.state is State.EXTERNAL_PROVIDER and self.add_federated is not None:
            self.add_federated(self.pool_id, person.username, dict(person.attributes))
            return person.username
        return self._create(person)

    def _create(self, person: Person) -> str:
        answer = self.client.admin_create_user(
            UserPoolId=self.pool_id,
            Username=person.username,
            UserAttributes=_attributes(person),
            TemporaryPassword=PASSWORD,
            MessageAction="SUPPRESS",
        )
        username: str = answer["User"]["Username"]
        return username

    def _sign_up(self, person: Person) -> str:
        self.client.sign_up(
            ClientId=self.app_client_id,
            Username=person.username,
            Password=PASSWORD,
            UserAttributes=_attributes(person),
        )
        # SignUp tells the sub only, which is not the Username in every kind of pool.
        answer = self.client.admin_get_user(UserPoolId=self.pool_id, Username=person.username)
        username: str = answer["Username"]
        return username

    def _bring_into_state(self, username: str, person: Person) -> None:
        whom, state = {"UserPoolId": self.pool_id, "Username": username}, person.state
        if state in (State.CONFIRMED, State.RESET_REQUIRED, State.DISABLED):
            self.client.admin_set_user_password(**whom, Password=PASSWORD, Permanent=True)
        self._link(username, person.links)
        self._set_factors(username, person.factors)
        if state is State.RESET_REQUIRED:
            self.client.admin_reset_user_password(**whom)
        if state is State.DISABLED or person.disabled:
            self.client.admin_disable_user(**whom)

    def _link(self, username: str, links: Sequence[tuple[str, str]]) -> None:
        for provider, subject in links:
            self.client.admin_link_provider_for_user(
                UserPoolId=self.pool_id,
                DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": username},
                SourceUser={
                    "ProviderName": provider,
                    "ProviderAttributeName": "Cognito_Subject",
                    "ProviderAttributeValue": subject,
                },
            )

    def _set_factors(self, username: str, factors: Sequence[str]) -> None:
        if self.enrol is None:
            factors = [factor for factor in factors if factor in _BY_ADMINISTRATOR]
        else:
            self.enrol(self.pool_id, username, [factor for factor in factors if factor not in _BY_ADMINISTRATOR])
        settings = [factor for factor in factors if factor in _SETTINGS]
        if settings:
            wanted = {
                _SETTINGS[factor]: {"Enabled": True, "PreferredMfa": factor == settings[0]} for factor in settings
            }
            self.client.admin_set_user_mfa_preference(UserPoolId=self.pool_id, Username=username, **wanted)


def _attributes(person: Person) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in person.attributes.items()]
