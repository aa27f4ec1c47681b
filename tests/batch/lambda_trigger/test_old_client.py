"""Whether the function's secret is that of the old app client, where Cognito keeps it in Secrets Manager."""

from __future__ import annotations

import pytest

from batch.lambda_trigger.findings import StepVerdict
from batch.lambda_trigger.old_client import ConfiguredSecret, old_client
from userpool.app_client import AppClient

OLD_ACCOUNT, NEW_ACCOUNT = "444455556666", "111122223333"
ARN = f"arn:aws:secretsmanager:eu-west-1:{OLD_ACCOUNT}:secret:cognito-client-AbCdEf"
OWN = f"arn:aws:secretsmanager:eu-west-1:{OLD_ACCOUNT}:secret:cognito-client-copy-AbCdEf"
FLOWS = frozenset({"ALLOW_ADMIN_USER_PASSWORD_AUTH"})
MANAGED = AppClient("client", secret_arn=ARN, flows=FLOWS)
READ = AppClient("client", "1n7example0secret9of8an7app6client5")
OK, WRONG, UNCHECKED = StepVerdict.OK, StepVerdict.WRONG, StepVerdict.UNCHECKED


@pytest.mark.parametrize(
    ("configured", "verdict", "said", "remedy"),
    [
        (ConfiguredSecret(ARN, READ, account=OLD_ACCOUNT), OK, "that Cognito keeps", ""),
        (ConfiguredSecret(ARN, READ), OK, "that Cognito keeps", ""),
        (ConfiguredSecret(ARN, None, account=OLD_ACCOUNT), UNCHECKED, "could not be read", ""),
        (ConfiguredSecret(ARN, None, "It is gone.", OLD_ACCOUNT), WRONG, "It is gone.", ""),
        (ConfiguredSecret(None, READ, account=OLD_ACCOUNT), WRONG, "none is configured", ARN),
        (ConfiguredSecret(OWN, READ, account=OLD_ACCOUNT), WRONG, "another secret is configured", ARN),
        (ConfiguredSecret(OWN, None, "It is gone.", OLD_ACCOUNT), WRONG, "another secret is configured", ARN),
        (ConfiguredSecret("a-name", READ, account=OLD_ACCOUNT), WRONG, "another secret is configured", ARN),
        (ConfiguredSecret(None, READ, account=NEW_ACCOUNT), WRONG, f"account {OLD_ACCOUNT}", "does not keep there"),
        (ConfiguredSecret(OWN, READ, account=NEW_ACCOUNT), WRONG, f"account {OLD_ACCOUNT}", "does not keep there"),
        (ConfiguredSecret(ARN, None, account=NEW_ACCOUNT), WRONG, f"account {OLD_ACCOUNT}", "does not keep there"),
        (ConfiguredSecret(ARN, None, "Denied.", NEW_ACCOUNT), WRONG, f"account {OLD_ACCOUNT}", "does not keep there"),
        (ConfiguredSecret(ARN, READ, account=NEW_ACCOUNT), OK, "that Cognito keeps", ""),
    ],
)
def test_a_secret_that_cognito_keeps_is_judged_by_its_arn(configured, verdict, said, remedy):
    """That very secret is right, a copy goes stale, and across accounts it counts only if it was read."""
    found = old_client(MANAGED, configured)
    assert found.verdict is verdict
    assert said in found.said
    assert remedy in found.remedy
    assert READ.secret not in repr(found)
    assert READ.secret not in repr(configured)


@pytest.mark.parametrize(
    "configured",
    [
        ARN.replace(":secret:", ":secret/"),
        ARN.removesuffix("-AbCdEf"),
        ARN.replace("eu-west-1", "eu-central-1"),
        ARN.replace("arn:aws:", "arn:aws-cn:"),
    ],
)
def test_one_secret_may_be_named_in_several_ways(configured):
    """With a colon or a slash, without the six characters at the end, and in the Region of a replica."""
    assert old_client(MANAGED, ConfiguredSecret(configured, READ)).verdict is OK


@pytest.mark.parametrize("configured", [f"{ARN}-GhIjKl2", ARN.replace(OLD_ACCOUNT, NEW_ACCOUNT), ARN + "x", ARN[:-10]])
def test_another_secret_is_another(configured):
    """A name that only begins alike, or another account, is not that secret."""
    assert old_client(MANAGED, ConfiguredSecret(configured, READ)).verdict is WRONG


def test_the_flow_comes_first():
    """A client that proves nothing is told as that, whatever its secret is."""
    found = old_client(AppClient("client", secret_arn=ARN), ConfiguredSecret(None, None))
    assert found.code == "old-flow-not-allowed"
