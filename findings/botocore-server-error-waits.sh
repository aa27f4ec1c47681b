#!/usr/bin/env bash
# botocore 1.44.8, retry mode `standard`: how long a server error is waited for.
#
# Guess: rand * 2^i seconds before retry i, up to 20, as in older releases, whatever the error: a fault of Cognito's own that
# lasts a second or two is outlived by the default three attempts.
# Is: that holds for throttling alone. After HTTP 500 the scale is a twentieth: three attempts are over within 0.15 s at the very
# most, and five within 0.75 s. The figures are upper bounds: the random factor is held at 1.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check boto3==1.44.8 botocore==1.44.8

cat >"$here/program.py" <<'PYTHON'
import random
import time

random.random = lambda: 1.0  # before botocore takes it as a default
slept = []
time.sleep = slept.append

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self, *args, **kwargs):
        yield self.body


def waits(status, code, retries):
    config = Config(retries={"mode": "standard", **retries})
    client = boto3.client("cognito-idp", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b", config=config)
    body = b'{"__type": "%s", "message": "m"}' % code.encode()
    client.meta.events.register(
        "before-send.cognito-idp.*", lambda request, **_: AWSResponse(request.url, status, {}, Raw(body))
    )
    slept.clear()
    try:
        client.list_users(UserPoolId="us-east-1_example")
    except ClientError:
        return [round(seconds, 3) for seconds in slept]


for status, code in (400, "TooManyRequestsException"), (500, "InternalErrorException"):
    print(status, "default:", waits(status, code, {}))
    print(status, "five attempts:", waits(status, code, {"total_max_attempts": 5}))
PYTHON

cat >"$here/expected" <<'TEXT'
400 default: [1.0, 2.0]
400 five attempts: [1.0, 2.0, 4.0, 8.0]
500 default: [0.05, 0.1]
500 five attempts: [0.05, 0.1, 0.2, 0.4]
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "botocore now waits otherwise between the attempts of a call." >&2
    exit 1
fi
