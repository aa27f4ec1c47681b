#!/usr/bin/env bash
# DynamoDB Local 1.25.1 (amplify-dynamodb-simulator 2.9.30): the form of a number, and a transaction that meets a wrong type.
#
# Guess: a number has one form, however it came in: 1.50 is read as 1.5. And a transaction of which one update meets a value of
# another type is cancelled, with ValidationError among its reasons, as the API reference of TransactWriteItems lists it.
# Is: the sum of an update keeps the zeros that it was reckoned with (1.50), where the same number that was put has none; so
# whoever compares texts sees two numbers. And the whole transaction is a ValidationException: there are no reasons to read.
set -euo pipefail
here=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -qq --disable-pip-version-check boto3==1.44.8 botocore==1.44.8
(cd "$here" && npm pack --silent amplify-dynamodb-simulator@2.9.30 >archive && tar xzf ./*.tgz)
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$here/package/emulator"
java -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar -port "$port" -inMemory -disableTelemetry >"$here/said" 2>&1 &
server=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$server" || { cat "$here/said" >&2; exit 1; }
    sleep 0.2
done

cat >"$here/program.py" <<'PYTHON'
import sys

import boto3
from botocore.exceptions import ClientError

client = boto3.client(
    "dynamodb", "us-east-1", endpoint_url=sys.argv[1], aws_access_key_id="a", aws_secret_access_key="b"
)
client.create_table(
    TableName="table",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
)


def put(key, **attributes):
    client.put_item(TableName="table", Item={"id": {"S": key}, **attributes})


def read(key):
    return client.get_item(TableName="table", Key={"id": {"S": key}}, ConsistentRead=True)["Item"]["n"]


def added(key, number):
    values = {":v": {"N": number}}
    key = {"id": {"S": key}}
    return {"TableName": "table", "Key": key, "UpdateExpression": "SET n = n + :v", "ExpressionAttributeValues": values}


put("put", n={"N": "1.50"})
put("sum", n={"N": "1.0"})
client.update_item(**added("sum", "0.50"))
print("put 1.50:", read("put"))
print("put 1.0, added 0.50:", read("sum"))
put("text", n={"S": "x"})
try:
    client.transact_write_items(TransactItems=[{"Update": added("sum", "1")}, {"Update": added("text", "1")}])
except ClientError as error:
    print("transaction:", error.response["Error"]["Code"], error.response.get("CancellationReasons"))
PYTHON

cat >"$here/expected" <<'TEXT'
put 1.50: {'N': '1.5'}
put 1.0, added 0.50: {'N': '1.50'}
transaction: ValidationException None
TEXT

env -i HOME="$here" PATH="$PATH" "$here/venv/bin/python" "$here/program.py" "http://127.0.0.1:$port" >"$here/seen" 2>&1 || true
cat "$here/seen"
if ! diff "$here/expected" "$here/seen"; then
    echo "DynamoDB Local now gives sums, or refused transactions, another form." >&2
    exit 1
fi
