"""What an application needs to seal and open values: docs/FORMAT.md in code (`pip install cryptography`).
To be copied into the application; django/ uses it as it is."""
import base64, hashlib, hmac, os, re, time, unicodedata, uuid
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def be(n, size): return int(n).to_bytes(size, "big", signed=int(n) < 0)
def lp(x): return be(len(x), 4) + x  # length-prefixed
def mac(key, message): return hmac.new(key, message, hashlib.sha256).digest()
def expand(key, label, info): return mac(key, label + b"\0" + info + b"\1")


PART = {  # of a row key. timestamp: microseconds since 1970 UTC
    "int": lambda v: b"i" + be(v, 8),
    "uuid": lambda v: b"u" + uuid.UUID(str(v)).bytes,
    "text": lambda v: b"t" + v.encode(),
    "numeric": lambda v: b"n" + v.encode(),
    "date": lambda v: b"d" + v.encode(),
    "timestamp": lambda v: b"z" + be(v, 8),
    "bytes": lambda v: b"b" + v,
    "bool": lambda v: b"o\1" if v else b"o\0",
}
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
def nfkc(s): return unicodedata.normalize("NFKC", s)
def caseless(s): return nfkc(nfkc(s).upper()).strip(SPACE)


NORMALISE = {
    "exact": str,
    "trim": lambda s: s.strip(SPACE),
    "caseless": caseless,
    "alnum": lambda s: "".join(c for c in caseless(s) if unicodedata.category(c)[0] in "LMN"),
    "digits": lambda s: re.sub("[^0-9]", "", nfkc(s)),
}


class Keys:
    """The data keys of phiseal.encryption_keys, read again before they are a minute old."""

    QUERY = ("SELECT key_id, tenant, purpose, version, status, wrapped_key, check_value "
             "FROM phiseal.encryption_keys WHERE wrapped_key IS NOT NULL")

    def __init__(self, line, query):
        """`line`: the wrapping key's line. `query`: runs Keys.QUERY and returns its rows as tuples."""
        text = line.strip().removeprefix("phiseal-wk-1.")
        self.wrapping = AESGCM(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        self.query, self.keys, self.loaded_at = query, [], None

    def load(self):
        begun, keys = time.monotonic(), []
        for key_id, tenant, purpose, version, status, wrapped, check in self.query(self.QUERY):
            aad = lp(b"ps1/wrap") + be(key_id, 4) + lp(purpose.encode()) + lp(tenant.encode()) + lp(b"AES-256-GCM")
            key = self.wrapping.decrypt(bytes(wrapped[2:14]), bytes(wrapped[14:]), aad)
            if not hmac.compare_digest(expand(key, b"ps1/check", b""), bytes(check)):
                raise ValueError(f"key {key_id}: wrong check value")
            keys.append((key_id, tenant, purpose, version, status, key))
        self.keys, self.loaded_at = keys, begun

    def all(self):
        if self.loaded_at is None or time.monotonic() - self.loaded_at > 50:
            self.load()
        return self.keys

    def active(self, tenant, purpose):
        """Id and key that seal: the tenant's active one."""
        for key_id, whose, what, _, status, key in self.all():
            if (whose, what, status) == (tenant, purpose, "active"):
                return key_id, key
        raise LookupError(f"no active {purpose} key")

    def named(self, tenant, key_id):
        """The key that a sealed value names. It may have been made since the keys were read."""
        for again in (False, True):
            if again:
                self.load()
            for known, whose, what, _, _, key in self.all():
                if (known, whose, what) == (key_id, tenant, "cell"):
                    return key
        raise LookupError(f"key {key_id} cannot open")

    def indexing(self, tenant):
        """All keys that a blind index may be made with at this moment, the newest first."""
        own = [(version, key) for _, whose, what, version, _, key in self.all() if (whose, what) == (tenant, "blind_index")]
        return [key for _, key in sorted(own, key=lambda k: -k[0])]


class Field:
    """One sealed column. `table` and `column` are its labels: what phiseal.encrypted_field_metadata says.
    A row key is a list of (type, value), for example [("int", 42)]."""

    def __init__(self, keys, table, column, normalise="exact", bits=256, pad_to=0):
        self.keys, self.table, self.column = keys, table, column
        self.normalise, self.bits, self.pad_to = NORMALISE[normalise], bits, pad_to

    def seal(self, row_key, value, tenant=""):
        key_id, key = self.keys.active(tenant, "cell")
        head, nonce, plain = bytes([0xE7, 2 if self.pad_to else 1]) + be(key_id, 4), os.urandom(12), value.encode()
        if self.pad_to:
            plain += b"\x80" + bytes(self.pad_to - 1 - len(plain) % self.pad_to)
        cell, place = self._cell(key, tenant, row_key)
        return head + nonce + AESGCM(cell).encrypt(nonce, plain, head + place)

    def open(self, row_key, sealed, tenant=""):
        sealed = bytes(sealed)
        if len(sealed) < 34 or sealed[0] != 0xE7 or sealed[1] not in (1, 2):
            raise ValueError("not a sealed value")
        key = self.keys.named(tenant, int.from_bytes(sealed[2:6], "big"))
        cell, place = self._cell(key, tenant, row_key)
        plain = AESGCM(cell).decrypt(sealed[6:18], sealed[18:], sealed[:6] + place)  # raises InvalidTag
        return (plain[:plain.rindex(b"\x80")] if sealed[1] == 2 else plain).decode()

    def index(self, value, tenant=""):
        """The blind index to store; None where the value normalises to nothing."""
        return self._index(self.keys.active(tenant, "blind_index")[1], value, tenant)

    def lookups(self, value, tenant=""):
        """The blind indexes to look for: `WHERE ssn_bidx = ANY (...)`. More than one while a key is rotated."""
        found = (self._index(key, value, tenant) for key in self.keys.indexing(tenant))
        return [index for index in found if index is not None]

    def _index(self, key, value, tenant):
        text, size = self.normalise(value), -(-self.bits // 8)
        if not text:
            return None
        whole = int.from_bytes(mac(expand(key, b"ps1/bidx", self._context(tenant)), text.encode())[:size], "big")
        spare = size * 8 - self.bits
        return be(whole >> spare << spare, size)

    def _context(self, tenant):
        return b"".join(lp(x.encode()) for x in (tenant, self.table, self.column))

    def _cell(self, key, tenant, row_key):
        context, row = self._context(tenant), b"".join(lp(PART[kind](value)) for kind, value in row_key)
        return expand(expand(key, b"ps1/col", context), b"ps1/cell", row), context + row
