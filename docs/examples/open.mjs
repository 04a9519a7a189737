// Opens one sealed value, or computes one blind index, with nothing but Node 18. Meant to be pasted
// into an application: `q` is then a row of its own table and one of phiseal's `encryption_keys`.
import { createDecipheriv, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

const join = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const be = (n, size) => Buffer.from(BigInt.asUintN(size * 8, BigInt(n)).toString(16).padStart(size * 2, "0"), "hex");
const lp = (x) => join(be(Buffer.from(x).length, 4), x); // length-prefixed
const hmac = (key, message) => createHmac("sha256", key).update(message).digest();
const expand = (key, label, info) => hmac(key, join(label, [0], info, [1]));
const gcm = (key, nonce, aad, body) => { // throws when the tag does not verify
  const aes = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad).setAuthTag(body.subarray(-16));
  return join(aes.update(body.subarray(0, -16)), aes.final());
};
// The data key (or blind index key), unwrapped with the key line. Once per key, then cached.
const unwrap = (line, { wrapped_key, key_id, purpose, tenant }) => {
  const blob = Buffer.from(wrapped_key, "hex");
  const aad = join(lp("ps1/wrap"), be(key_id, 4), lp(purpose), lp(tenant), lp("AES-256-GCM"));
  return gcm(Buffer.from(line.trim().slice("phiseal-wk-1.".length), "base64url"), blob.subarray(2, 14), aad, blob.subarray(14));
};
// One part for each key column. timestamp: microseconds since 1970 UTC. bytes: hexadecimal digits.
const part = { int: (v) => join("i", be(v, 8)), uuid: (v) => join("u", Buffer.from(v.replaceAll("-", ""), "hex")), text: (v) => "t" + v,
  numeric: (v) => "n" + v, date: (v) => "d" + v, timestamp: (v) => join("z", be(v, 8)), bytes: (v) => join("b", Buffer.from(v, "hex")), bool: (v) => join("o", [String(v) === "true" ? 1 : 0]) };
const open = (dataKey, context, rowKey, sealed) => { // the first 6 bytes name the key: look it up by them
  const bytes = sealed.startsWith("ps1.") ? Buffer.from(sealed.slice(4), "base64url") : Buffer.from(sealed, "hex");
  const cellKey = expand(expand(dataKey, "ps1/col", context), "ps1/cell", rowKey);
  const plain = gcm(cellKey, bytes.subarray(6, 18), join(bytes.subarray(0, 6), context, rowKey), bytes.subarray(18));
  return bytes[1] === 2 ? plain.subarray(0, plain.lastIndexOf(0x80)) : plain; // suite 2 is padded
};
const trim = (s) => s.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
const caseless = (s) => trim(s.normalize("NFKC").toUpperCase().normalize("NFKC"));
const normalise = { exact: (s) => s, trim, caseless, alnum: (s) => caseless(s).replace(/[^\p{L}\p{M}\p{N}]/gu, ""), digits: (s) => s.normalize("NFKC").replace(/[^0-9]/g, "") };
const index = (indexKey, context, { normalise: how, bits, value }) => { // an empty one means NULL
  const text = normalise[how](value), bytes = hmac(expand(indexKey, "ps1/bidx", context), text).subarray(0, text ? Math.ceil(bits / 8) : 0);
  return bytes.map((b, i) => (i === bytes.length - 1 ? b & (0xff << (bytes.length * 8 - bits)) : b)).toString("hex");
};
const q = JSON.parse(readFileSync(0, "utf8")), context = join(lp(q.tenant), lp(q.table), lp(q.column));
process.stdout.write(q.blind_index_key ? index(unwrap(q.key_line, q.blind_index_key), context, q) : open(unwrap(q.key_line, q), context, join(...q.row_key.map((k) => lp(part[k.type](k.value)))), q.sealed));
