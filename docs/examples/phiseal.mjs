// What an application needs to seal and open values, with nothing but Node 18: docs/FORMAT.md in code.
// To be copied into the application; sequelize/ and typeorm/ use it as it is.
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const join = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const be = (n, size) => Buffer.from(BigInt.asUintN(size * 8, BigInt(n)).toString(16).padStart(size * 2, "0"), "hex");
const lp = (x) => join(be(Buffer.from(x).length, 4), x); // length-prefixed
const hmac = (key, message) => createHmac("sha256", key).update(message).digest();
const expand = (key, label, info) => hmac(key, join(label, [0], info, [1]));
const decrypt = (key, nonce, aad, body) => { // throws when the tag does not verify
  const aes = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad).setAuthTag(body.subarray(-16));
  return join(aes.update(body.subarray(0, -16)), aes.final());
};
const encrypt = (key, nonce, aad, plain) => {
  const aes = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad);
  return join(aes.update(plain), aes.final(), aes.getAuthTag());
};
const part = { // of a row key. timestamp: microseconds since 1970 UTC
  int: (v) => join("i", be(v, 8)), uuid: (v) => join("u", Buffer.from(v.replaceAll("-", ""), "hex")), text: (v) => "t" + v,
  numeric: (v) => "n" + v, date: (v) => "d" + v, timestamp: (v) => join("z", be(v, 8)), bytes: (v) => join("b", v), bool: (v) => join("o", [v ? 1 : 0]),
};
const trim = (s) => s.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
const caseless = (s) => trim(s.normalize("NFKC").toUpperCase().normalize("NFKC"));
const normalisers = {
  exact: (s) => s, trim, caseless,
  alnum: (s) => caseless(s).replace(/[^\p{L}\p{M}\p{N}]/gu, ""),
  digits: (s) => s.normalize("NFKC").replace(/[^0-9]/g, ""),
};

/** The data keys of phiseal.encryption_keys, read again before they are a minute old. */
export class Keys {
  static QUERY = "SELECT key_id, tenant, purpose, version, status, wrapped_key, check_value FROM phiseal.encryption_keys WHERE wrapped_key IS NOT NULL";
  #wrapping; #query; #keys = []; #loadedAt = -Infinity;

  /** `line`: the wrapping key's line. `query`: runs Keys.QUERY, outside of any transaction, and returns the rows. */
  constructor(line, query) {
    this.#wrapping = Buffer.from(line.trim().replace(/^phiseal-wk-1\./, ""), "base64url");
    this.#query = query;
  }

  async load() {
    const begun = performance.now();
    const rows = await this.#query(Keys.QUERY);
    this.#keys = rows.map((row) => {
      const aad = join(lp("ps1/wrap"), be(row.key_id, 4), lp(row.purpose), lp(row.tenant), lp("AES-256-GCM"));
      const key = decrypt(this.#wrapping, row.wrapped_key.subarray(2, 14), aad, row.wrapped_key.subarray(14));
      if (!timingSafeEqual(expand(key, "ps1/check", ""), row.check_value)) throw new Error(`key ${row.key_id}: wrong check value`);
      return { ...row, key };
    });
    this.#loadedAt = begun;
  }

  async #all() {
    if (performance.now() - this.#loadedAt > 50_000) await this.load();
    return this.#keys;
  }

  /** The key that seals: the tenant's active one. */
  async active(tenant, purpose) {
    const found = (await this.#all()).find((k) => k.tenant === tenant && k.purpose === purpose && k.status === "active");
    if (!found) throw new Error(`no active ${purpose} key`);
    return found;
  }

  /** The key that a sealed value names. It may have been made since the keys were read. */
  async named(tenant, keyId) {
    const find = (keys) => keys.find((k) => k.key_id === keyId && k.tenant === tenant && k.purpose === "cell");
    const known = find(await this.#all());
    if (known) return known;
    await this.load();
    const found = find(this.#keys);
    if (!found) throw new Error(`key ${keyId} cannot open`);
    return found;
  }

  /** All keys that a blind index may be made with at this moment, the newest first. */
  async indexing(tenant) {
    return (await this.#all()).filter((k) => k.tenant === tenant && k.purpose === "blind_index").sort((a, b) => b.version - a.version);
  }
}

/** One sealed column. `table` and `column` are its labels: what phiseal.encrypted_field_metadata says.
 *  A row key is a list of [type, value], for example [["int", 42]]. */
export class Field {
  constructor(keys, table, column, { normalise = "exact", bits = 256, padTo = 0 } = {}) {
    Object.assign(this, { keys, table, column, normalise: normalisers[normalise], bits, padTo });
  }

  async seal(rowKey, value, tenant = "") {
    const { key_id, key } = await this.keys.active(tenant, "cell");
    const head = join([0xe7, this.padTo ? 2 : 1], be(key_id, 4)), nonce = randomBytes(12);
    return join(head, nonce, encrypt(this.#cell(key, tenant, rowKey), nonce, join(head, this.#place(tenant, rowKey)), this.#padded(value)));
  }

  async open(rowKey, sealed, tenant = "") {
    if (sealed.length < 34 || sealed[0] !== 0xe7 || ![1, 2].includes(sealed[1])) throw new Error("not a sealed value");
    const { key } = await this.keys.named(tenant, sealed.readUInt32BE(2));
    const aad = join(sealed.subarray(0, 6), this.#place(tenant, rowKey));
    const plain = decrypt(this.#cell(key, tenant, rowKey), sealed.subarray(6, 18), aad, sealed.subarray(18));
    return (sealed[1] === 2 ? plain.subarray(0, plain.lastIndexOf(0x80)) : plain).toString();
  }

  /** The blind index to store; null where the value normalises to nothing. */
  async index(value, tenant = "") {
    return this.#index(await this.keys.active(tenant, "blind_index"), value, tenant);
  }

  /** The blind indexes to look for: `WHERE ssn_bidx = ANY (...)`. More than one while a key is rotated. */
  async lookups(value, tenant = "") {
    return (await this.keys.indexing(tenant)).map((k) => this.#index(k, value, tenant)).filter((index) => index);
  }

  #index({ key }, value, tenant) {
    const text = this.normalise(value), size = Math.ceil(this.bits / 8);
    if (!text) return null;
    const index = hmac(expand(key, "ps1/bidx", this.#context(tenant)), text).subarray(0, size);
    index[size - 1] &= 0xff << (size * 8 - this.bits);
    return index;
  }

  #context(tenant) { return join(lp(tenant), lp(this.table), lp(this.column)); }
  #place(tenant, rowKey) { return join(this.#context(tenant), ...rowKey.map(([type, value]) => lp(part[type](value)))); }
  #cell(key, tenant, rowKey) {
    return expand(expand(key, "ps1/col", this.#context(tenant)), "ps1/cell", join(...rowKey.map(([type, value]) => lp(part[type](value)))));
  }
  #padded(value) {
    const plain = Buffer.from(value);
    return this.padTo ? join(plain, [0x80], Buffer.alloc(this.padTo - 1 - (plain.length % this.padTo))) : plain;
  }
}
