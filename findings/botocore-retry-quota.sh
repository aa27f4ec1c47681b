#!/usr/bin/env bash
# botocore 1.44.8, retry mode `standard`: calls that all succeed use up the retry quota.
#
# Guess: a call that succeeds in the end gives back all that its retries took from the client's quota of 500, so a service that
# needs two retries for each call can be called for ever.
# Is: only what the last retry took comes back. With two retries a call, 99 calls succeed when throttled and 34 when the server
# errs; the next is given up after one retry of the four it may make. With one retry a call it does go on for ever.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check boto3==1.44.8 botocore==1.44.8

cat >"$here/program.py" <<'PYTHON'
import itertools
import time

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

time.sleep = lambda seconds: None


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self, *args, **kwargs):
        yield self.body


def calls_until_refused(*answers):
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    client = boto3.client("cognito-idp", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b", config=config)
    script = itertools.cycle(answers)

    def answer(request, **_):
        status, body = next(script)
        return AWSResponse(request.url, status, {}, Raw(body))

    client.meta.events.register("before-send.cognito-idp.*", answer)
    for done in range(500):
        try:
            client.list_users(UserPoolId="us-east-1_example")
        except ClientError as error:
            met = error.response["ResponseMetadata"]
            return f"{done} calls, then {met['RetryAttempts']} retry, RetryQuotaReached={met['RetryQuotaReached']}"
    return "500 calls, none refused"


THROTTLED = 400, b'{"__type": "TooManyRequestsException", "message": "Rate exceeded"}'
BROKEN = 500, b'{"__type": "InternalErrorException", "message": "m"}'
GOOD = 200, b'{"Users": []}'
print("throttled once:", calls_until_refused(THROTTLED, GOOD))
print("throttled twice:", calls_until_refused(THROTTLED, THROTTLED, GOOD))
print("broken once:", calls_until_refused(BROKEN, GOOD))
print("broken twice:", calls_until_refused(BROKEN, BROKEN, GOOD))
PYTHON

cat >"$here/expected" <<'TEXT'
throttled once: 500 calls, none refused
throttled twice: 99 calls, then 1 retry, RetryQuotaReached=True
broken once: 500 calls, none refused
broken twice: 34 calls, then 1 retry, RetryQuotaReached=True
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "botocore now keeps another account of the retries of calls that succeed." >&2
    exit 1
fi
