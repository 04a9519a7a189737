"""The bytes of docs/FORMAT.md: envelopes, keys, blind indexes, wrapped keys. Reads no table and no file."""
import base64
import hmac
import os
import re
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import DoesNotOpen, KeysUnusable


def be(number, size):
    """A number as that many bytes, big-endian, in two's complement where it is negative."""
    return number.to_bytes(size, "big", signed=number < 0)


def lp(data):
    """The length of `data` in four bytes, then `data`."""
    return be(len(data), 4) + data


def expand(key, label, info=b""):
    """Derives 32 bytes from a key."""
    return hmac.digest(key, label + b"\0" + info + b"\1", "sha256")


def context_of(tenant, table, column):
    """What a value is bound to beside its row. `table` and `column` are labels; `tenant` is "" where there is none."""
    return b"".join(lp(part.encode()) for part in (tenant, table, column))


def _cell(data_key, context, row_key):
    return AESGCM(expand(expand(data_key, b"ps1/col", context), b"ps1/cell", row_key))


def seal(key_id, data_key, context, row_key, plain, pad_to=0):
    """The envelope of a value (bytes) for one cell. `pad_to` is the field's; 0 hides no length."""
    head, nonce = bytes([0xE7, 2 if pad_to else 1]) + be(key_id, 4), os.urandom(12)
    if pad_to:
        plain += b"\x80" + bytes(pad_to - 1 - len(plain) % pad_to)
    return head + nonce + _cell(data_key, context, row_key).encrypt(nonce, plain, head + context + row_key)


def key_id_of(envelope):
    """The id of the key that an envelope names. Raises DoesNotOpen where this is no envelope."""
    if len(envelope) < 34 or envelope[0] != 0xE7 or envelope[1] not in (1, 2):
        raise DoesNotOpen("this is not a sealed value")
    return int.from_bytes(envelope[2:6], "big")


def open_(data_key, context, row_key, envelope):
    """The value (bytes) in an envelope. Raises DoesNotOpen."""
    key_id_of(envelope)
    aad = envelope[:6] + context + row_key
    try:
        plain = _cell(data_key, context, row_key).decrypt(envelope[6:18], envelope[18:], aad)
    except InvalidTag:
        raise DoesNotOpen("the value was sealed for another row, column, table or tenant, or was altered") from None
    if envelope[1] == 2:
        plain = plain.rstrip(b"\0")
        if not plain.endswith(b"\x80"):
            raise DoesNotOpen("the value says that it is padded, and is not")
        plain = plain[:-1]
    return plain


def to_text(envelope):
    """The form of an envelope in a text column."""
    return "ps1." + base64.urlsafe_b64encode(envelope).decode().rstrip("=")


def from_text(text):
    """The envelope in a text. An envelope has one text; any other raises DoesNotOpen."""
    try:
        envelope = base64.urlsafe_b64decode(text[4:] + "=" * (-len(text) % 4))
    except ValueError:
        envelope = b""
    if to_text(envelope) != text:
        raise DoesNotOpen("this is not a sealed text")
    return envelope


def is_sealed(stored):
    """Whether a stored text or bytes begin as a sealed value does. For columns that are sealed in place."""
    return stored.startswith("ps1.5w") if isinstance(stored, str) else bytes(stored[:1]) == b"\xe7"


# Unicode's White_Space. `str.strip()` without it would take U+001C too.
SPACE = ("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
         "\u2028\u2029\u202f\u205f\u3000")


def _nfkc(text):
    return unicodedata.normalize("NFKC", text)


def _caseless(text):
    return _nfkc(_nfkc(text).upper()).strip(SPACE)


NORMALISERS = {
    "exact": lambda text: text,
    "trim": lambda text: text.strip(SPACE),
    "caseless": _caseless,
    "alnum": lambda text: "".join(c for c in _caseless(text) if unicodedata.category(c)[0] in "LMN"),
    "digits": lambda text: re.sub("[^0-9]", "", _nfkc(text)),
}


def blind_index(index_key, context, normaliser, bits, text):
    """The blind index (bytes) of a text; None where it normalises to nothing."""
    text, size = NORMALISERS[normaliser](text), -(-bits // 8)
    if not text:
        return None
    whole = hmac.digest(expand(index_key, b"ps1/bidx", context), text.encode(), "sha256")[:size]
    spare = size * 8 - bits
    return be(int.from_bytes(whole, "big") >> spare << spare, size)


def wrapping_key(line):
    """The 32 bytes in the line of a wrapping key. Raises ValueError."""
    match = re.fullmatch(r"phiseal-wk-1\.([A-Za-z0-9_-]{43})\n?", line)
    secret = base64.urlsafe_b64decode(match[1] + "=") if match else b""
    if not match or to_text(secret)[4:] != match[1]:
        raise ValueError
    return secret


def reference(wrapping):
    """The name of a wrapping key, as `encryption_keys.kek_ref` has it."""
    return "wk:" + expand(wrapping, b"ps1/ref").hex()[:16]


def unwrap(wrapping, key_id, purpose, tenant, wrapped, check):
    """A data key or blind index key (32 bytes) out of its row of encryption_keys. Raises KeysUnusable."""
    facts = b"".join(lp(part.encode()) for part in (purpose, tenant, "AES-256-GCM"))
    if len(wrapped) != 62 or wrapped[:2] != b"\xe8\x01":
        raise KeysUnusable(f"key {key_id} is wrapped in a way that this program does not know")
    try:
        secret = AESGCM(wrapping).decrypt(wrapped[2:14], wrapped[14:], lp(b"ps1/wrap") + be(key_id, 4) + facts)
    except InvalidTag:
        raise KeysUnusable(f"key {key_id} does not unwrap: its row in encryption_keys was altered") from None
    if not hmac.compare_digest(expand(secret, b"ps1/check"), check):
        raise KeysUnusable(f"key {key_id} is not the key that its check value was made from")
    return secret
