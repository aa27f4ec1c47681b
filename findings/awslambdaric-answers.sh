#!/usr/bin/env bash
# awslambdaric 4.2.2 (AWS's runtime client for Python functions): how a trigger's answer becomes JSON.
#
# Guess: as json.dumps makes it: a named tuple is a list, bytes are an error that fails the trigger.
# Is: it encodes with simplejson. A named tuple goes out as an object, bytes as text, bytes as a key too. A unit test that holds
# the answer through json.dumps therefore sees another answer than Cognito does, or an error where there is none.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check awslambdaric==4.2.2 simplejson==4.3.0

cat >"$here/program.py" <<'PYTHON'
import json
from typing import NamedTuple

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller


class Claim(NamedTuple):
    name: str
    value: str


def by_json(answer):
    try:
        return json.dumps(answer)
    except TypeError as error:
        return f"TypeError: {error}"


for answer in {"claim": Claim("tenant", "a")}, {"userAttributes": {"email": b"a@example.com"}}, {b"issueTokens": True}:
    print("json:        ", by_json(answer))
    print("awslambdaric:", LambdaMarshaller().marshal_response(answer)[0])
PYTHON

cat >"$here/expected" <<'TEXT'
json:         {"claim": ["tenant", "a"]}
awslambdaric: {"claim": {"name": "tenant", "value": "a"}}
json:         TypeError: Object of type bytes is not JSON serializable
awslambdaric: {"userAttributes": {"email": "a@example.com"}}
json:         TypeError: keys must be str, int, float, bool or None, not bytes
awslambdaric: {"issueTokens": true}
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "awslambdaric now makes other JSON of a function's answer." >&2
    exit 1
fi
