#!/usr/bin/env bash
# Four packages that compute a client's part of USER_SRP_AUTH, against one server: cognito-srp 0.2.0, cognito-srp-helper 2.3.4,
# aws-cognito-srp-client 1.0.0, and Amazon's own amazon-cognito-identity-js 6.3.21.
#
# Guess: for the same password and the same SRP_B all four make the signature that the server expects.
# Is: where SRP_B, a number in hexadecimal, has an odd count of digits (one sign-in in sixteen), cognito-srp drops its last digit,
# and the signature is wrong: a right password is told as a wrong one, and the next try passes. The others put a zero before it.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund cognito-srp@0.2.0 cognito-srp-helper@2.3.4 aws-cognito-srp-client@1.0.0 \
    amazon-cognito-identity-js@6.3.21 >/dev/null

cat >client.js <<'JS'
const [, , name, pool] = process.argv;
const short = pool.split("_")[1], time = "Tue Dec 1 01:00:00 UTC 2026";
const { createHmac } = require("crypto");
const hex = (value) => (Buffer.isBuffer(value) ? value.toString("hex") : value);
let made;
const clients = {
  "cognito-srp": {
    begin: async (user, password) => {
      const { UserPool } = require("cognito-srp");
      made = await new UserPool(short).getClientChallenge({ username: user, password });
      return hex(made.calculateA());
    },
    sign: (one) => [made.getSession(one.B, one.salt).calculateSignature(one.secret, time), time],
  },
  "cognito-srp-helper": {
    begin: (user, password) => (made = require("cognito-srp-helper").createSrpSession(user, password, pool, false)).largeA,
    sign: (one) => {
      const told = { USER_ID_FOR_SRP: one.user, SRP_B: one.B, SALT: one.salt, SECRET_BLOCK: one.secret };
      const session = { ChallengeName: "PASSWORD_VERIFIER", ChallengeParameters: told };
      const signed = require("cognito-srp-helper").signSrpSession(made, session);
      return [signed.passwordSignature, signed.timestamp];
    },
  },
  "aws-cognito-srp-client": {
    begin: () => {
      const found = require("aws-cognito-srp-client");
      made = new (found.default || found)(pool);
      return made.getA();
    },
    sign: (one) => {
      const signed = made.getSignature(one.user, one.B, one.salt, one.secret, one.password);
      return [signed.signature, signed.timestamp];
    },
  },
  "amazon-cognito-identity-js": {
    begin: () => {
      made = new (require("amazon-cognito-identity-js/lib/AuthenticationHelper").default)(short);
      return new Promise((done) => made.getLargeAValue((_, value) => done(value.toString(16))));
    },
    sign: (one) => {
      const Number16 = require("amazon-cognito-identity-js/lib/BigInteger").default;
      const [B, salt] = [new Number16(one.B, 16), new Number16(one.salt, 16)];
      return new Promise((done) =>
        made.getPasswordAuthenticationKey(one.user, one.password, B, salt, (_, key) => {
          const signed = createHmac("sha256", Buffer.from(key)).update(short).update(one.user);
          done([signed.update(Buffer.from(one.secret, "base64")).update(time).digest("base64"), time]);
        }),
      );
    },
  },
};
require("readline").createInterface({ input: process.stdin }).on("line", async (line) => {
  const one = JSON.parse(line), client = clients[name];
  console.log(JSON.stringify(one.B ? await client.sign(one) : await client.begin(one.user, one.password)));
});
JS

cat >server.py <<'PYTHON'
import base64
import hashlib
import hmac
import json
import re
import subprocess

POOL, USER, PASSWORD, TIMES = "eu-west-1_Example01", "carol", "Example-1", 6
SHORT = POOL.split("_")[1]
text = open("node_modules/amazon-cognito-identity-js/lib/AuthenticationHelper.js").read()
N = int("".join(re.findall(r"'([0-9A-F]{20,})'", text)), 16)


def data(number):
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def number(*parts):
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest(), "big")


def salted(salt):
    return number(data(salt), hashlib.sha256(f"{SHORT}{USER}:{PASSWORD}".encode()).digest())


def verdicts(name, digits):
    """Whether the signature was right, for values of SRP_B with so many digits, the first that the server's secrets give."""
    client = subprocess.Popen(["node", "client.js", name, POOL], stdin=-1, stdout=-1, text=True)

    def ask(**values):
        client.stdin.write(json.dumps({"user": USER, "password": PASSWORD, **values}) + "\n")
        client.stdin.flush()
        return json.loads(client.stdout.readline())

    salt, secret, found, own = 0x7FEDCBA987654321, b"secret block", [], 2**200
    verifier, k = pow(2, salted(salt), N), number(data(N), data(2))
    while len(found) < TIMES:
        own += 1
        B = (k * verifier + pow(2, own, N)) % N
        if len(f"{B:x}") != digits:
            continue
        A = int(ask(), 16)
        if len(f"{A:x}") != 768:  # a short A is another matter
            continue
        u = number(data(A), data(B))
        S = pow(A * pow(verifier, u, N), own, N)
        if len(f"{S:x}") != 768:
            continue
        signature, time = ask(B=f"{B:x}", salt=f"{salt:x}", secret=base64.b64encode(secret).decode())
        first = hmac.new(data(u), data(S), hashlib.sha256).digest()
        key = hmac.new(first, b"Caldera Derived Key\x01", hashlib.sha256).digest()[:16]
        wanted = hmac.new(key, SHORT.encode() + USER.encode() + secret + time.encode(), hashlib.sha256).digest()
        found.append(base64.b64encode(wanted).decode() == signature)
    client.kill()
    return found


for name in "amazon-cognito-identity-js", "cognito-srp-helper", "aws-cognito-srp-client", "cognito-srp":
    even, odd = sum(verdicts(name, 768)), sum(verdicts(name, 767))
    print(f"{name}: {even} of {TIMES} right with 768 digits, {odd} of {TIMES} with 767")
PYTHON

cat >expected <<'TEXT'
amazon-cognito-identity-js: 6 of 6 right with 768 digits, 6 of 6 with 767
cognito-srp-helper: 6 of 6 right with 768 digits, 6 of 6 with 767
aws-cognito-srp-client: 6 of 6 right with 768 digits, 6 of 6 with 767
cognito-srp: 6 of 6 right with 768 digits, 0 of 6 with 767
TEXT

python3 server.py >seen 2>&1 || true
cat seen
if ! diff expected seen; then
    echo "The packages now sign other sessions rightly than they did." >&2
    exit 1
fi
