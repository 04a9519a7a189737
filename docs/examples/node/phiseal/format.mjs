// The bytes of docs/FORMAT.md: envelopes, keys, blind indexes, wrapped keys. Reads no table and no file.
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { DoesNotOpen, KeysUnusable } from "./errors.mjs";

/** Joins Buffers and strings. */
export const join = (...parts) => Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));

/** A number as that many bytes, big-endian, in two's complement where it is negative. */
export const be = (number, size) =>
  Buffer.from(BigInt.asUintN(size * 8, BigInt(number)).toString(16).padStart(size * 2, "0"), "hex");

/** The length of bytes or of a text in four bytes, then these. */
export const lp = (data) => join(be(Buffer.byteLength(data), 4), data);

/** Derives 32 bytes from a key. */
export const expand = (key, label, info = "") => createHmac("sha256", key).update(join(label, "\0", info, "\x01")).digest();

/** What a value is bound to beside its row. `table` and `column` are labels; `tenant` is "" where there is none. */
export const contextOf = (tenant, table, column) => join(lp(tenant), lp(table), lp(column));

const TAG = { authTagLength: 16 };

function encrypt(key, nonce, aad, plain) {
  const aes = createCipheriv("aes-256-gcm", key, nonce, TAG).setAAD(aad);
  return join(aes.update(plain), aes.final(), aes.getAuthTag());
}

function decrypt(key, nonce, aad, body) { // throws where the tag does not verify
  const aes = createDecipheriv("aes-256-gcm", key, nonce, TAG).setAAD(aad).setAuthTag(body.subarray(-16));
  const plain = aes.update(body.subarray(0, -16));
  aes.final();
  return plain;
}

function withCellKey(dataKey, context, rowKey, use) {
  const columnKey = expand(dataKey, "ps1/col", context);
  const cellKey = expand(columnKey, "ps1/cell", rowKey);
  try {
    return use(cellKey);
  } finally {
    columnKey.fill(0);
    cellKey.fill(0);
  }
}

/** The envelope of a value (a Buffer) for one cell. `padTo` is the field's; 0 hides no length. */
export function seal(keyId, dataKey, context, rowKey, plain, padTo = 0) {
  const head = join(Buffer.from([0xe7, padTo ? 2 : 1]), be(keyId, 4));
  const nonce = randomBytes(12);
  const padded = padTo ? join(plain, Buffer.from([0x80]), Buffer.alloc(padTo - 1 - (plain.length % padTo))) : plain;
  const aad = join(head, context, rowKey);
  return withCellKey(dataKey, context, rowKey, (key) => join(head, nonce, encrypt(key, nonce, aad, padded)));
}

/** The id of the key that an envelope names. Throws DoesNotOpen where this is no envelope. */
export function keyIdOf(envelope) {
  if (envelope.length < 34 || envelope[0] !== 0xe7 || ![1, 2].includes(envelope[1])) {
    throw new DoesNotOpen("this is not a sealed value");
  }
  return envelope.readUInt32BE(2);
}

/** The value (a Buffer) in an envelope. Throws DoesNotOpen. */
export function open(dataKey, context, rowKey, envelope) {
  keyIdOf(envelope);
  const aad = join(envelope.subarray(0, 6), context, rowKey);
  let plain;
  try {
    const [nonce, body] = [envelope.subarray(6, 18), envelope.subarray(18)];
    plain = withCellKey(dataKey, context, rowKey, (key) => decrypt(key, nonce, aad, body));
  } catch {
    throw new DoesNotOpen("the value was sealed for another row, column, table or tenant, or was altered");
  }
  if (envelope[1] === 1) return plain;
  let end = plain.length - 1;
  while (end >= 0 && plain[end] === 0) end -= 1;
  if (plain[end] !== 0x80) throw new DoesNotOpen("the value says that it is padded, and is not");
  return plain.subarray(0, end);
}

/** The form of an envelope in a text column. */
export const toText = (envelope) => `ps1.${envelope.toString("base64url")}`;

/** The envelope in a text. An envelope has one text; any other throws DoesNotOpen. */
export function fromText(text) {
  const envelope = Buffer.from(text.slice(4), "base64url");
  if (toText(envelope) !== text) throw new DoesNotOpen("this is not a sealed text");
  return envelope;
}

/** Whether a stored text or Buffer begins as a sealed value does. For columns that are sealed in place. */
export const isSealed = (stored) => (typeof stored === "string" ? stored.startsWith("ps1.5w") : stored[0] === 0xe7);

const trim = (text) => text.replace(/^\p{White_Space}+/u, "").replace(/(?<!\p{White_Space})\p{White_Space}+$/u, "");
const nfkc = (text) => text.normalize("NFKC");
const caseless = (text) => trim(nfkc(nfkc(text).toUpperCase()));

export const normalisers = {
  exact: (text) => text,
  trim,
  caseless,
  alnum: (text) => caseless(text).replace(/[^\p{L}\p{M}\p{N}]/gu, ""),
  digits: (text) => nfkc(text).replace(/[^0-9]/g, ""),
};

/** The blind index (a Buffer) of a text; null where it normalises to nothing. */
export function blindIndex(indexKey, context, normaliser, bits, text) {
  const normalised = normalisers[normaliser](text);
  if (!normalised) return null;
  const size = Math.ceil(bits / 8);
  const index = createHmac("sha256", expand(indexKey, "ps1/bidx", context)).update(normalised).digest().subarray(0, size);
  index[size - 1] &= 0xff << (size * 8 - bits);
  return index;
}

/** The 32 bytes in the line of a wrapping key; null where it is none. */
export function wrappingKey(line) {
  const [, text] = /^phiseal-wk-1\.([A-Za-z0-9_-]{43})\n?$/.exec(line) ?? [];
  const secret = Buffer.from(text ?? "", "base64url");
  return text && secret.toString("base64url") === text ? secret : null;
}

/** The name of a wrapping key, as `encryption_keys.kek_ref` has it. */
export const reference = (wrapping) => `wk:${expand(wrapping, "ps1/ref").toString("hex").slice(0, 16)}`;

/** A data key or blind index key (32 bytes) out of its row of encryption_keys. Throws KeysUnusable. */
export function unwrap(wrapping, keyId, purpose, tenant, wrapped, check) {
  if (wrapped.length !== 62 || wrapped.readUInt16BE(0) !== 0xe801) {
    throw new KeysUnusable(`key ${keyId} is wrapped in a way that this program does not know`);
  }
  const aad = join(lp("ps1/wrap"), be(keyId, 4), lp(purpose), lp(tenant), lp("AES-256-GCM"));
  let secret;
  try {
    secret = decrypt(wrapping, wrapped.subarray(2, 14), aad, wrapped.subarray(14));
  } catch {
    throw new KeysUnusable(`key ${keyId} does not unwrap: its row in encryption_keys was altered`);
  }
  if (check.length !== 32 || !timingSafeEqual(expand(secret, "ps1/check"), check)) {
    throw new KeysUnusable(`key ${keyId} is not the key that its check value was made from`);
  }
  return secret;
}
