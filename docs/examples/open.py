"""Opens one sealed value, or computes one blind index: `pip install cryptography`, nothing else.
To be pasted into an application: q is a row of its table and one of phiseal's encryption_keys."""
import base64, hashlib, hmac, json, re, sys, unicodedata, uuid
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

be = lambda n, size: int(n).to_bytes(size, "big", signed=int(n) < 0)
lp = lambda x: be(len(x), 4) + x  # length-prefixed
mac = lambda key, message: hmac.new(key, message, hashlib.sha256).digest()
expand = lambda key, label, info: mac(key, label + b"\0" + info + b"\1")
b64 = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def unwrap(line, key):  # the data key (or blind index key) itself; once per key, then cached
    blob, wrapping = bytes.fromhex(key["wrapped_key"]), b64(line.strip().removeprefix("phiseal-wk-1."))
    aad = lp(b"ps1/wrap") + be(key["key_id"], 4) + lp(key["purpose"].encode())
    return AESGCM(wrapping).decrypt(blob[2:14], blob[14:], aad + lp(key["tenant"].encode()) + lp(b"AES-256-GCM"))
PART = {  # of a row key. timestamp: microseconds since 1970 UTC. bytes: hexadecimal digits
    "int": lambda v: b"i" + be(v, 8), "uuid": lambda v: b"u" + uuid.UUID(v).bytes, "text": lambda v: b"t" + v.encode(),
    "numeric": lambda v: b"n" + v.encode(), "date": lambda v: b"d" + v.encode(), "timestamp": lambda v: b"z" + be(v, 8),
    "bytes": lambda v: b"b" + bytes.fromhex(v), "bool": lambda v: b"o\1" if str(v).lower() == "true" else b"o\0"}
def open_sealed(data_key, context, row_key, sealed):  # bytes 2 to 6 are the key id to look up
    raw = b64(sealed[4:]) if sealed.startswith("ps1.") else bytes.fromhex(sealed)
    cell_key = expand(expand(data_key, b"ps1/col", context), b"ps1/cell", row_key)
    plain = AESGCM(cell_key).decrypt(raw[6:18], raw[18:], raw[:6] + context + row_key)  # raises InvalidTag
    return plain[:plain.rindex(b"\x80")] if raw[1] == 2 else plain  # suite 2 is padded
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
nfkc = lambda s: unicodedata.normalize("NFKC", s)
caseless = lambda s: nfkc(nfkc(s).upper()).strip(SPACE)
NORMALISE = {"exact": str, "trim": lambda s: s.strip(SPACE), "caseless": caseless, "digits": lambda s: re.sub("[^0-9]", "", nfkc(s)),
    "alnum": lambda s: "".join(c for c in caseless(s) if unicodedata.category(c)[0] in "LMN")}
def blind_index(index_key, context, how, bits, value):  # None means NULL
    text, size = NORMALISE[how](value), -(-bits // 8)
    whole = int.from_bytes(mac(expand(index_key, b"ps1/bidx", context), text.encode())[:size], "big")
    return be(whole >> (size * 8 - bits) << (size * 8 - bits), size) if text else None

q = json.load(sys.stdin.buffer)
context = b"".join(lp(q[name].encode()) for name in ("tenant", "table", "column"))
sys.stdout.buffer.write((blind_index(unwrap(q["key_line"], q["blind_index_key"]), context, q["normalise"], q["bits"], q["value"]) or b"").hex().encode() if "blind_index_key" in q
    else open_sealed(unwrap(q["key_line"], q), context, b"".join(lp(PART[k["type"]](k["value"])) for k in q["row_key"]), q["sealed"]))
