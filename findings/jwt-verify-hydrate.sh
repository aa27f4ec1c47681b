#!/usr/bin/env bash
# aws-jwt-verify 5.2.1: what `hydrate()` says of a verifier that takes the tokens of two user pools, as APIs do at a cut-over.
#
# Guess: it fetches one set of keys for each pool, and fails if one of them cannot be had, since it is there to find out at start.
# Is: it fetches two for each pool, of the original issuer and of the updated one (`issuer-cognito-idp`), and fails only if none of
# all can be had. So where one pool's id is misspelt, or the pool is gone, start goes well and each of its tokens is refused.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
npm install --silent --no-audit --no-fund aws-jwt-verify@5.2.1 >/dev/null

cat >program.mjs <<'JS'
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";
import { createSign, generateKeyPairSync } from "crypto";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...publicKey.export({ format: "jwk" }), kid: "a", alg: "RS256", use: "sig" };
const [OLD, NEW] = ["eu-west-1_Old", "eu-west-1_New"];
const issuer = (pool) => `https://cognito-idp.eu-west-1.amazonaws.com/${pool}`;

function token(pool) {
  const told = { iss: issuer(pool), token_use: "access", client_id: "1example", sub: "a", iat: 1, exp: 4e9 };
  const text = [{ alg: "RS256", kid: "a" }, told].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey).toString("base64url")}`;
}

async function shown(words, pools, missing) {
  const fetched = [];
  const fetch = async (url) => {
    fetched.push(url.replace("https://", "").replace(".eu-west-1.amazonaws.com", "").replace("/.well-known/jwks.json", ""));
    if (missing.some((part) => url.includes(part))) throw new Error("not there");
    return Buffer.from(JSON.stringify({ keys: [key] }));
  };
  const all = pools.map((userPoolId) => ({ userPoolId, tokenUse: "access", clientId: "1example" }));
  const verifier = CognitoJwtVerifier.create(all, { jwksCache: new SimpleJwksCache({ fetcher: { fetch } }) });
  const tried = async (act) => act().then(() => "well", (error) => error.message);
  console.log(`${words}: hydrate ${await tried(() => verifier.hydrate())}`);
  console.log(`  asked: ${fetched.join(", ")}`);
  for (const pool of pools) console.log(`  token of ${pool}: ${await tried(() => verifier.verify(token(pool)))}`);
}

await shown("one pool", [OLD], []);
await shown("one pool, nothing there", [OLD], [OLD]);
await shown("one pool, only the updated issuer there", [OLD], ["//cognito-idp"]);
await shown("two pools, nothing of the new one there", [OLD, NEW], [NEW]);
JS

cat >expected <<'TEXT'
one pool: hydrate well
  asked: cognito-idp/eu-west-1_Old, issuer-cognito-idp/eu-west-1_Old
  token of eu-west-1_Old: well
one pool, nothing there: hydrate not there
  asked: cognito-idp/eu-west-1_Old, issuer-cognito-idp/eu-west-1_Old
  token of eu-west-1_Old: not there
one pool, only the updated issuer there: hydrate well
  asked: cognito-idp/eu-west-1_Old, issuer-cognito-idp/eu-west-1_Old
  token of eu-west-1_Old: not there
two pools, nothing of the new one there: hydrate well
  asked: cognito-idp/eu-west-1_Old, issuer-cognito-idp/eu-west-1_Old, cognito-idp/eu-west-1_New, issuer-cognito-idp/eu-west-1_New
  token of eu-west-1_Old: well
  token of eu-west-1_New: not there
TEXT

node program.mjs >seen 2>&1 || true
cat seen
if ! diff expected seen; then
    echo "aws-jwt-verify now fetches, or misses, other keys at start." >&2
    exit 1
fi
