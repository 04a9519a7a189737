// The wrapping key, and the data keys of one database: loaded in the background, never used when older than a minute.
import { spawnSync } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as format from "./format.mjs";
import { DoesNotOpen, KeysUnusable, NoTenantKey, PhisealError, StaleKeys } from "./errors.mjs";

const AGE_MAX = 60_000; // milliseconds: older keys seal and open nothing until they are loaded again
const PAUSE = 1000; // milliseconds between two loads because of a key that is not there
const MISSING = 2000; // milliseconds for which a key that was not found is not looked for again

/** The key that unwraps data keys. It exists in this process only: no SQL text and no error holds it. */
export class WrappingKey {
  #secret;

  constructor(line, origin = "the text given") {
    this.#secret = format.wrappingKey(line);
    if (!this.#secret) {
      throw new KeysUnusable(`${origin} is no wrapping key: that is a line of \`phiseal-wk-1.\` and 43 characters`);
    }
    this.reference = format.reference(this.#secret);
  }

  unwrap(...row) {
    return format.unwrap(this.#secret, ...row);
  }

  wipe() {
    this.#secret.fill(0);
  }
}

/** The wrapping key in a file: a regular one, of this user, that nobody else may read or write (mode 0600). */
export function keyFromFile(path) {
  let file;
  const bytes = Buffer.alloc(100);
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const facts = fstatSync(file);
    if (!facts.isFile() || facts.mode & 0o077 || facts.uid !== process.geteuid()) {
      throw new KeysUnusable(`the key file ${path} must be a regular file of this user, with mode 0600`);
    }
    return new WrappingKey(bytes.toString("latin1", 0, readSync(file, bytes)), `the key file ${path}`);
  } catch (error) {
    throw error instanceof PhisealError ? error : new KeysUnusable(`the key file ${path} cannot be read: ${error.code}`);
  } finally {
    bytes.fill(0);
    if (file !== undefined) closeSync(file);
  }
}

/** The wrapping key in an environment variable. */
export const keyFromEnv = (name) => new WrappingKey(process.env[name] ?? "", `the environment variable ${name}`);

/** The wrapping key that a program prints. `command` is an array, the program and its arguments; no shell is used. */
export function keyFromCommand([program, ...args]) {
  const done = spawnSync(program, args, { stdio: ["ignore", "pipe", "inherit"], timeout: 30_000 });
  if (done.error || done.status !== 0) {
    throw new KeysUnusable(`the key command ${program} failed (${done.error?.code ?? done.signal ?? done.status})`);
  }
  const line = done.stdout.toString("latin1");
  done.stdout.fill(0);
  return new WrappingKey(line, `the output of the key command ${program}`);
}

/** The data keys of one database. `query` reads the rows of encryption_keys. */
export class Keys {
  #wrapping; #query; #refresh; #timer; #loading; #next;
  #keys = new Map();
  #loadedAt = -Infinity;
  #missing = new Map();

  constructor(wrapping, query, refresh) {
    this.#wrapping = new Map(wrapping.map((key) => [key.reference, key]));
    this.#query = query;
    this.#refresh = Math.min(refresh, AGE_MAX);
  }

  /** Ends the loading in the background and overwrites the keys. */
  close() {
    clearTimeout(this.#timer);
    for (const key of this.#wrapping.values()) key.wipe();
    for (const key of this.#keys.values()) key.secret?.fill(0);
    this.#wrapping = null;
    this.#keys = new Map();
    this.#loadedAt = -Infinity;
  }

  /** Loads the keys now. Calls at the same time share a load, but never one that began before. Throws KeysUnusable, or what the
   *  driver throws. */
  load() {
    this.#next ??= Promise.resolve(this.#loading).catch(() => {}).then(() => {
      this.#next = undefined;
      this.#loading = this.#load();
      return this.#loading;
    });
    return this.#next;
  }

  async #load() {
    if (!this.#wrapping) throw new PhisealError("the client is closed");
    const begun = performance.now(); // the keys are as old as the question for them
    const rows = await this.#query();
    if (!this.#wrapping) throw new PhisealError("the client is closed");
    const keys = rows.map((row) => this.#key(row)).filter(Boolean);
    this.#keys = new Map(keys.map((key) => [key.keyId, key]));
    this.#loadedAt = begun;
    if (!this.#timer) this.#loadLater(this.#refresh);
  }

  #loadLater(pause) {
    this.#timer = setTimeout(async () => {
      const again = await this.load().then(() => this.#refresh, () => Math.min(5000, this.#refresh));
      if (this.#wrapping) this.#loadLater(again); // who needs the keys once they are too old is told
    }, pause);
    this.#timer.unref();
  }

  #key({ key_id, tenant, purpose, version, status, kek_ref, wrapped, checked }) {
    const key = { keyId: Number(key_id), tenant, purpose, version: Number(version), status, checked };
    const known = this.#keys.get(key.keyId);
    if (status === "destroyed") return key;
    // Also where it is under a new wrapping key meanwhile.
    if (known?.secret && known.checked === checked) return { ...key, secret: known.secret };
    try {
      const wrapping = this.#wrapping.get(kek_ref);
      if (!wrapping) {
        const given = [...this.#wrapping.keys()].join(" or ");
        throw new KeysUnusable(`key ${key_id} is wrapped under ${kek_ref}, and the wrapping key given is ${given}`);
      }
      const secret = wrapping.unwrap(key.keyId, purpose, tenant, Buffer.from(wrapped, "hex"), Buffer.from(checked, "hex"));
      return { ...key, secret };
    } catch (error) {
      if (status === "pre_active") return null; // no value names it yet
      throw error;
    }
  }

  async #current() {
    if (this.#loadedAt === -Infinity) await this.load();
    if (performance.now() - this.#loadedAt > AGE_MAX) {
      await this.load().catch((cause) => {
        const why = cause instanceof PhisealError ? ` (${cause.message})` : "";
        throw new StaleKeys(`the keys are more than a minute old and cannot be loaded again${why}`, { cause });
      });
    }
    return this.#keys;
  }

  /** The key that seals for a tenant, or makes its blind indexes: the active one. Throws NoTenantKey. */
  async sealing(tenant, purpose) {
    const own = (status) => (keys) => [...keys.values()].find(
      (key) => key.tenant === tenant && key.purpose === purpose && key.status === status);
    const key = await this.#found(own("active"), `${purpose} ${tenant}`);
    if (key) return key;
    throw new NoTenantKey(own("suspended")(this.#keys)
      ? `the ${purpose} key of this tenant is suspended: an operator resumes it or makes another`
      : `this tenant has no active ${purpose} key: \`phiseal keys create --tenant T --if-missing\` makes it`);
  }

  /** The key that an envelope names. Throws DoesNotOpen. */
  async opening(tenant, keyId) {
    const named = (keys) => (keys.get(keyId)?.status === "pre_active" ? undefined : keys.get(keyId));
    const key = await this.#found(named, keyId);
    if (!key) throw new DoesNotOpen(`there is no key ${keyId} that opens values`);
    if (!key.secret) throw new DoesNotOpen(`key ${keyId} was destroyed`);
    if (key.tenant !== tenant || key.purpose !== "cell") {
      throw new DoesNotOpen(`key ${keyId} is of another tenant, or of blind indexes`);
    }
    return key;
  }

  /** What `find` finds in the keys. If that is nothing, the keys are loaded: it may have been made a moment ago. */
  async #found(find, name) {
    const known = find(await this.#current());
    const now = performance.now();
    if (known || now - (this.#missing.get(name) ?? -Infinity) < MISSING) return known;
    await sleep(Math.max(0, this.#loadedAt + PAUSE - now));
    await this.load();
    const found = find(this.#keys);
    if (!found) {
      if (this.#missing.size >= 100) this.#missing.clear();
      this.#missing.set(name, performance.now());
    }
    return found;
  }

  /** All keys that a blind index of the tenant may be made with, the newest first: while a rotation prepares a key, that one
   *  too. */
  async indexing(tenant) {
    const own = [...(await this.#current()).values()].filter(
      (key) => key.tenant === tenant && key.purpose === "blind_index" && key.secret);
    return own.length ? own.sort((a, b) => b.version - a.version) : [await this.sealing(tenant, "blind_index")];
  }
}
