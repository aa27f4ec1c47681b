"""What IAM says that a caller may do: with a stand-in for IAM and STS."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest
from listening import listening

from userpool.errors import FatalError, NotAllowedError
from userpool.iam import allowed_by_policies
from userpool.settings import PoolSettings

OWNER = PoolSettings("eu-west-1_AbCdEf123")
POOL_ARN = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEf123"
USER = "arn:aws:iam::123456789012:user/ada"
ROLE = "arn:aws:iam::123456789012:role/jobs/migration"
ASSUMED = "arn:aws:sts::123456789012:assumed-role/migration/session"
_RESULT = "<member><EvalActionName>{}</EvalActionName><EvalDecision>{}</EvalDecision></member>"


class Aws:
    """IAM and STS: who asks, what is allowed, and whether it may be asked. Notes the requests."""

    def __init__(self) -> None:
        self.caller = USER
        self.allowed = {"cognito-idp:ListUsers"}
        self.refuses = ""
        self.asked: list[dict[str, list[str]]] = []

    def answer(self, request: dict[str, list[str]]) -> tuple[int, str]:
        """Answer a request of the query protocol."""
        self.asked.append(request)
        action = request["Action"][0]
        if action == self.refuses:
            return 403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        body = {"GetCallerIdentity": self._identity, "GetRole": self._role}.get(action, self._simulated)(request)
        return 200, f"<{action}Response><{action}Result>{body}</{action}Result></{action}Response>"

    def _identity(self, _: dict[str, list[str]]) -> str:
        return f"<Arn>{self.caller}</Arn>"

    def _role(self, request: dict[str, list[str]]) -> str:
        assert request["RoleName"] == ["migration"]
        return (
            f"<Role><Path>/jobs/</Path><RoleName>migration</RoleName><RoleId>AROA</RoleId><Arn>{ROLE}</Arn>"
            "<CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
        )

    def _simulated(self, request: dict[str, list[str]]) -> str:
        asked = sorted(value[0] for name, value in request.items() if name.startswith("ActionNames."))
        middle = len(asked) // 2
        some, truncated = (asked[:middle], "true") if "Marker" not in request else (asked[middle:], "false")
        told = [_RESULT.format(name, "allowed" if name in self.allowed else "implicitDeny") for name in some]
        results = f"<EvaluationResults>{''.join(told)}</EvaluationResults>"
        return f"<IsTruncated>{truncated}</IsTruncated><Marker>m</Marker>{results}"


@pytest.fixture
def aws(monkeypatch):
    """IAM and STS on this machine."""
    told = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = told.answer(parse_qs(body.decode()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with listening(Handler) as url:
        for service in ("IAM", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        yield told


def test_iam_says_what_a_user_may_do(aws):
    """Each action is asked about on the ARN, over as many pages as the answer has."""
    asked = {"cognito-idp:ListUsers", "cognito-idp:AdminCreateUser"}
    found = allowed_by_policies(OWNER, asked, POOL_ARN)
    assert found == {"cognito-idp:ListUsers": True, "cognito-idp:AdminCreateUser": False}
    assert [request["Action"][0] for request in aws.asked] == ["GetCallerIdentity", *["SimulatePrincipalPolicy"] * 2]
    assert aws.asked[-1]["PolicySourceArn"] == [USER]
    assert aws.asked[-1]["ResourceArns.member.1"] == [POOL_ARN]


def test_of_who_has_assumed_a_role_the_role_is_asked_about(aws):
    """A session has no policies of its own; the role's ARN has a path that only IAM knows."""
    aws.caller = ASSUMED
    assert allowed_by_policies(OWNER, {"cognito-idp:ListUsers"}, POOL_ARN) == {"cognito-idp:ListUsers": True}
    assert aws.asked[-1]["PolicySourceArn"] == [ROLE]


@pytest.mark.parametrize("refused", ["SimulatePrincipalPolicy", "GetRole"])
def test_who_may_not_ask_iam_is_told_so(aws, refused):
    """Then it is not known what is allowed, and that is one sentence."""
    aws.caller, aws.refuses = ASSUMED, refused
    with pytest.raises(NotAllowedError, match="iam:SimulatePrincipalPolicy"):
        allowed_by_policies(OWNER, {"cognito-idp:ListUsers"}, POOL_ARN)


def test_nobody_knows_who_asks(aws):
    """Where even the caller cannot be found out, IAM is not asked."""
    aws.refuses = "GetCallerIdentity"
    with pytest.raises(FatalError, match="not known as whom"):
        allowed_by_policies(OWNER, {"cognito-idp:ListUsers"}, POOL_ARN)


def test_iam_that_cannot_be_reached(monkeypatch, aws):
    """A network that fails is a FatalError, with nothing foreign in it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:9")
    with pytest.raises(FatalError, match="check the network"):
        allowed_by_policies(OWNER, {"cognito-idp:ListUsers"}, POOL_ARN)
