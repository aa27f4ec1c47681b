#!/usr/bin/env bash
# aws-sam-translator 1.115.0: the event source `Cognito` of a function, which attaches it to a user pool.
#
# Guess: `Trigger` is one of the triggers that there are, and a trigger that the pool writes as an object (CustomEmailSender with
# its version) is written so, or refused.
# Is: any word becomes a member of LambdaConfig with the function's bare ARN, misspelt ones and objects included; to refuse them
# is left to CloudFormation. What is told is a trigger attached twice.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check aws-sam-translator==1.115.0 boto3==1.44.8

cat >"$here/program.py" <<'PYTHON'
import json
import logging
import os

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
logging.disable()

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform


class NoPolicies:
    def load(self):
        return {}


def attached(trigger, **pool):
    source = {"Type": "Cognito", "Properties": {"UserPool": {"Ref": "Pool"}, "Trigger": trigger}}
    function = {"Runtime": "python3.13", "Handler": "a.b", "CodeUri": "s3://bucket/key", "Events": {"Event": source}}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Pool": {"Type": "AWS::Cognito::UserPool", "Properties": pool},
            "Function": {"Type": "AWS::Serverless::Function", "Properties": function},
        },
    }
    try:
        made = transform(template, {}, NoPolicies())
    except InvalidDocumentException as error:
        return [cause.message for cause in error.causes]
    return json.dumps(made["Resources"]["Pool"]["Properties"]["LambdaConfig"])


for trigger in "UserMigration", "UserMigratoin", "CustomEmailSender":
    print(f"{trigger}:", attached(trigger))
arn = "arn:aws:lambda:us-east-1:123456789012:function:other"
print("twice:", attached("UserMigration", LambdaConfig={"UserMigration": arn}))
PYTHON

cat >"$here/expected" <<'TEXT'
UserMigration: {"UserMigration": {"Fn::GetAtt": ["Function", "Arn"]}}
UserMigratoin: {"UserMigratoin": {"Fn::GetAtt": ["Function", "Arn"]}}
CustomEmailSender: {"CustomEmailSender": {"Fn::GetAtt": ["Function", "Arn"]}}
twice: ['Resource with id [Function] is invalid. Event with id [Event] is invalid. Cognito trigger "UserMigration" defined multiple times.']
TEXT

env -i HOME="$here" "$here/venv/bin/python" "$here/program.py" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "SAM now makes something else of the Cognito trigger of a function." >&2
    exit 1
fi
