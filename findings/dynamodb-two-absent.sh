#!/usr/bin/env bash
# Conditions that compare two attributes of an item, on DynamoDB Local 1.25.1 (amplify-dynamodb-simulator 2.9.30) and on three
# stand-ins: moto 5.2.5, ministack 1.5.33, dynalite 4.0.0.
#
# Guess: where neither attribute is there, `a = b` does not hold on any of them, as `a = :value` does not.
# Is: that is so on DynamoDB Local alone, where `a <> b` holds. On the three others nothing equals nothing: a condition like
# `#token = #expected` lets a write through that AWS's own engine refuses, and a test on a stand-in is green. With one of the two
# there, and for `<`, all agree. DynamoDB itself was not asked.
set -euo pipefail
here=$(mktemp -d)
servers=()
trap '[ ${#servers[@]} = 0 ] || kill "${servers[@]}"; rm -rf "$here"' EXIT
venv() {
    python3 -m venv "$here/$1"
    "$here/$1/bin/pip" install -qq --disable-pip-version-check "${@:2}"
}
venv client boto3==1.44.8 botocore==1.44.8
venv moto "moto[server]==5.2.5" boto3==1.44.8 botocore==1.44.8
venv ministack ministack==1.5.33
(cd "$here" && npm install --silent --no-audit --no-fund dynalite@4.0.0 >/dev/null)
(cd "$here" && npm pack --silent amplify-dynamodb-simulator@2.9.30 >archive && tar xzf ./*.tgz)

start() {
    cd "$here"
    env -i HOME="$here" PATH="$PATH" GATEWAY_PORT="$1" BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 SERVICES=dynamodb \
        "${@:2}" >>"$here/said" 2>&1 &
    servers+=($!)
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 $! || { cat "$here/said" >&2; exit 1; }
        sleep 0.2
    done
}
ports=()
for _ in 1 2 3 4; do
    ports+=("$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')")
done
engine=$here/package/emulator
start "${ports[0]}" java -Djava.library.path="$engine/DynamoDBLocal_lib" -jar "$engine/DynamoDBLocal.jar" \
    -port "${ports[0]}" -inMemory -disableTelemetry
start "${ports[1]}" "$here/moto/bin/moto_server" -p "${ports[1]}"
start "${ports[2]}" "$here/ministack/bin/ministack"
start "${ports[3]}" "$here/node_modules/.bin/dynalite" --host 127.0.0.1 --port "${ports[3]}" --createTableMs 0

cat >"$here/program.py" <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError

ITEMS = {"neither": {}, "one": {"a": "x"}, "two that differ": {"a": "x", "b": "y"}, "two alike": {"a": "x", "b": "x"}}
for name, port in zip(("local", "moto", "ministack", "dynalite"), sys.argv[1:], strict=True):
    url = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("dynamodb", "us-east-1", endpoint_url=url, **keys)
    client.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName="table")

    def holds(condition, there):
        item = {"id": {"S": "1"}} | {key: {"S": value} for key, value in there.items()}
        client.put_item(TableName="table", Item=item)
        try:
            client.delete_item(TableName="table", Key={"id": {"S": "1"}}, ConditionExpression=condition)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return "no" if code == "ConditionalCheckFailedException" else code
        return "yes"

    for condition in "a = b", "a <> b", "a < b":
        print(f"{name}, {condition}:", ", ".join(f"{words} {holds(condition, there)}" for words, there in ITEMS.items()))
PYTHON

cat >"$here/expected" <<'TEXT'
local, a = b: neither no, one no, two that differ no, two alike yes
local, a <> b: neither yes, one yes, two that differ yes, two alike no
local, a < b: neither no, one no, two that differ yes, two alike no
moto, a = b: neither yes, one no, two that differ no, two alike yes
moto, a <> b: neither no, one yes, two that differ yes, two alike no
moto, a < b: neither no, one no, two that differ yes, two alike no
ministack, a = b: neither yes, one no, two that differ no, two alike yes
ministack, a <> b: neither no, one yes, two that differ yes, two alike no
ministack, a < b: neither no, one no, two that differ yes, two alike no
dynalite, a = b: neither yes, one no, two that differ no, two alike yes
dynalite, a <> b: neither no, one yes, two that differ yes, two alike no
dynalite, a < b: neither no, one no, two that differ yes, two alike no
TEXT

env -i HOME="$here" PATH="$PATH" "$here/client/bin/python" "$here/program.py" "${ports[@]}" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "The stand-ins of DynamoDB now compare absent attributes otherwise." >&2
    exit 1
fi
