"""App clients whose secret Cognito keeps in Secrets Manager, and rotates: what `check` says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checking import Setup, set_up

from batch.check.check import findings
from batch.check.facts import Client, Facts, Read
from batch.check.finding import Finding, Severity


@pytest.fixture
def made(tmp_path) -> Setup:
    """A set-up in which everything is right."""
    made = set_up(tmp_path)
    made.announce()
    return made


def with_secret_at(facts: Facts, side: str, arn: str, *, alone: bool = True) -> Facts:
    """The facts if Cognito kept the secret of a pool's app client in Secrets Manager, and perhaps another client."""
    pool = getattr(facts, side)
    (client,) = pool.clients.value
    told = {"ClientId": client.app.client_id, "ClientName": client.name, "ExplicitAuthFlows": [*client.app.flows]}
    managed = replace(Client.from_api({**told, "ClientSecretArn": arn}), hides_users=client.hides_users)
    clients = (managed,) if alone else (client, managed)
    return replace(facts, **{side: replace(pool, clients=Read(clients))})


def by_code(found: list[Finding]) -> dict[str, Finding]:
    """The findings by their code, without those that say only that something is well."""
    return {one.code: one for one in found if one.code}


@pytest.mark.parametrize("form", ["secret:{}-AbCdEf", "secret/{}", "secret:{}"])
def test_a_secret_that_cognito_keeps_is_named(made, form):
    """The function is to be given that very ARN; nothing else is new, and nothing is wrong."""
    facts = made.facts()
    arn = f"arn:aws:secretsmanager:us-east-1:{facts.target.description.account}:{form.format('old')}"
    before, after = by_code(findings(facts)), by_code(findings(with_secret_at(facts, "source", arn)))
    assert after.keys() - before.keys() == {"old-client-secret-rotates"}
    assert after["old-client-secret-rotates"].severity is Severity.NOTE
    assert arn in after["old-client-secret-rotates"].remedy


def test_a_secret_that_cognito_keeps_in_another_account_is_an_error(made):
    """The function's role cannot read it: another client is to be made, and where there is one it is a note."""
    facts = made.facts()
    arn = "arn:aws:secretsmanager:us-east-1:444455556666:secret:old-AbCdEf"
    found = by_code(findings(with_secret_at(facts, "source", arn)))["old-client-secret-elsewhere"]
    assert found.severity is Severity.ERROR
    assert "444455556666" in found.what
    assert "--generate-secret" in found.command
    assert "publish" not in found.command
    others = by_code(findings(with_secret_at(facts, "source", arn, alone=False)))
    assert others["old-client-secret-elsewhere"].severity is Severity.NOTE


def test_a_secret_of_the_new_pools_client_rotates_as_well(made):
    """The app has to read it where Cognito keeps it, in whatever account."""
    arn = "arn:aws:secretsmanager:us-east-1:444455556666:secret:app-AbCdEf"
    facts = made.facts()
    before, after = by_code(findings(facts)), by_code(findings(with_secret_at(facts, "target", arn)))
    assert after.keys() - before.keys() == {"client-has-secret", "client-secret-rotates"}


def test_clients_whose_secret_cognito_keeps_are_read_without_it(tmp_path):
    """Of both pools' clients the ARN is known, the old one's is named, and there is neither an error nor a warning."""
    kept = {"GenerateSecret": True, "PublishSecretsInAWSSecretsManager": True}
    made = set_up(tmp_path, old_app=kept, new_app=kept)
    made.announce()
    facts = made.facts()
    found = by_code(findings(facts))
    assert {"old-client-secret-rotates", "client-secret-rotates", "client-has-secret"} <= found.keys()
    (old,) = facts.source.clients.value
    assert old.app.secret_arn
    assert old.app.secret_arn in found["old-client-secret-rotates"].remedy
    assert not {one.severity for one in found.values()} & {Severity.ERROR, Severity.WARNING}
