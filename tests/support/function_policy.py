"""A stand-in for Lambda and Secrets Manager, and the policy of a function."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import pytest
from listening import listening

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:capture"
ALLOWS = {
    "Effect": "Allow",
    "Principal": {"Service": "cognito-idp.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": FUNCTION,
}


@pytest.fixture
def aws(monkeypatch):
    """What the next requests are answered with, and the paths that were asked for."""
    told = {"status": 200, "body": {}, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told["asked"].append(self.path)
            body = json.dumps(told["body"]).encode()
            self.send_response(told["status"])
            if told["status"] != 200:
                self.send_header("X-Amzn-ErrorType", told["body"]["__type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with listening(Handler) as url:
        for service in ("LAMBDA", "SECRETS_MANAGER"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        yield told


def policy(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})
