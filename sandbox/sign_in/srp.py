"""The server's half of SRP-6a as Cognito speaks it: 3072 bits, generator 2, a key derived with its own label.

The protocol is not documented; this follows AWS's open client libraries (amazon-cognito-identity-js,
AuthenticationHelper.js) and is held against an independent client in tests/sandbox/test_end_to_end.py.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import cached_property

# The 3072-bit group of RFC 5054.
_N = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D"
    "670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
_G = 2
_LABEL = b"Caldera Derived Key\x01"


@dataclass
class Handshake:
    """One sign-in by SRP, from the client's public value to its proof."""

    pool_id: str
    user_id: str
    password: str = field(repr=False)
    client_public: int
    salt: int
    private: int = field(default_factory=lambda: secrets.randbits(256), repr=False)

    @cached_property
    def public(self) -> int:
        """The server's public value, `SRP_B`."""
        return (_K * self._verifier + pow(_G, self.private, _N)) % _N

    def proves(self, signature: str, secret_block: str, timestamp: str) -> bool:
        """Whether the signature was made by somebody who knows the password."""
        message = f"{self._pool_name}{self.user_id}".encode() + base64.b64decode(secret_block) + timestamp.encode()
        expected = hmac.digest(self._key(), message, "sha256")
        try:
            return hmac.compare_digest(expected, base64.b64decode(signature))
        except binascii.Error:
            return False

    @property
    def _pool_name(self) -> str:
        return self.pool_id.partition("_")[2]

    @cached_property
    def _verifier(self) -> int:
        inner = hashlib.sha256(f"{self._pool_name}{self.user_id}:{self.password}".encode()).digest()
        return pow(_G, _hash(_padded(self.salt), inner), _N)

    def _key(self) -> bytes:
        scrambler = _hash(_padded(self.client_public), _padded(self.public))
        shared = pow(self.client_public * pow(self._verifier, scrambler, _N), self.private, _N)
        extracted = hmac.digest(_padded(scrambler), _padded(shared), "sha256")
        return hmac.digest(extracted, _LABEL, "sha256")[:16]


def client_public(text: str) -> int | None:
    """Return the client's public value from `SRP_A`; None if it is none, or one that would give the key away."""
    try:
        value = int(text, 16)
    except ValueError:
        return None
    return value if value % _N else None


def salt(seed: bytes) -> int:
    """Return a salt of 127 bits, the first of them set, as clients disagree about leading zeros."""
    return int.from_bytes(hashlib.sha256(seed).digest()[:16]) >> 1 | 1 << 126


def _padded(number: int) -> bytes:
    """Return a number as Java writes a BigInteger: with a zero byte before a first bit that is set."""
    return number.to_bytes(number.bit_length() // 8 + 1)


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest())


_K = _hash(_padded(_N), _padded(_G))
