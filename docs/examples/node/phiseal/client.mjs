// Client, Field and Transaction: what an application works with; and how they reach a database.
import * as format from "./format.mjs";
import { DoesNotOpen, NotChecked, NotRegistered, NotTrusted, StaleKeys, WrongInput } from "./errors.mjs";
import { Keys } from "./keys.mjs";
import { Type, rowKeyOf } from "./values.mjs";

const ATTEMPTS = 3; // of a transaction whose values the guard refuses because their key was replaced

/** The data keys and the registered columns of one database. A process needs one. */
export class Client {
  #query; #own; #fields = new Map();

  /**
   * @param wrapping a WrappingKey (`keyFromFile`, `keyFromEnv`, `keyFromCommand`), or an array of them, for the time in which
   *   data keys are moved from one to another
   * @param query query(sql) gives the rows, each an object by column name; it may be async. On a connection of its own, and
   *   never within a transaction of the application: `ownConnection` makes one. Its role needs USAGE on the schema `phiseal`
   *   and SELECT on encryption_keys and encrypted_field_metadata
   * @param options.schema the schema of phiseal's tables
   * @param options.sqlite whether this is SQLite, where their names begin with `phiseal_`
   * @param options.refresh milliseconds between two loads of the keys in the background; at most 60000
   */
  constructor(wrapping, query, { schema = "phiseal", sqlite = false, refresh = 30_000 } = {}) {
    this.sqlite = sqlite;
    this.#query = query;
    this.#own = sqlite ? "phiseal_" : `"${schema.replaceAll('"', '""')}".`;
    // Drivers show bytes in different ways.
    const hex = (column) => (sqlite ? `lower(hex(${column}))` : `encode(${column}, 'hex')`);
    const sql = `SELECT key_id, tenant, purpose, version, status, kek_ref, ${hex("wrapped_key")} AS wrapped,
      ${hex("check_value")} AS checked FROM ${this.#own}encryption_keys`;
    this.keys = new Keys([wrapping].flat(), async () => query(sql), refresh);
  }

  /** Loads the keys now. Call it when the application starts, to learn then whether the keys can be used. */
  load() {
    return this.keys.load();
  }

  /** Ends the loading in the background, overwrites the keys and closes the connection of `ownConnection`, which otherwise keeps
   *  the process alive. The client cannot be used any more. */
  close() {
    this.keys.close();
    this.#query.close?.();
  }

  /**
   * A sealed column, by its labels as `phiseal fields list` shows them. Its type, key columns, padding and blind index are read
   * from phiseal's registry at the first use. `text`: the sealed values are in a text column; of a column that is sealed in
   * place this is known.
   */
  field(table, column, { text = false } = {}) {
    const name = JSON.stringify([table, column, text]);
    if (!this.#fields.has(name)) this.#fields.set(name, new Field(this, table, column, text));
    return this.#fields.get(name);
  }

  /** The row of encrypted_field_metadata with these labels. Throws NotRegistered. */
  async registered(table, column) {
    const rows = await this.#query(`SELECT * FROM ${this.#own}encrypted_field_metadata WHERE state <> 'forgotten'`);
    const found = rows.find((row) => row.table_label === table && row.column_label === column);
    if (found) return found;
    throw new NotRegistered(`${column} of ${table} is not registered: \`phiseal fields list\` shows the labels, and the first ` +
      "`phiseal backfill` registers a column");
  }

  /**
   * Runs `await work(tx)` in a transaction that may write sealed values, commits, and gives what `work` gave.
   *
   * Throws what `work` and the driver throw, and StaleKeys, NotTrusted, NotChecked, DoesNotOpen: then nothing was committed.
   *
   * @param begin a pool of the driver pg; or an async function that gets a function, calls it in a transaction with
   *   query(sql, params), which gives the rows, each an object, and with whatever else `work` is to get; and commits
   * @param work gets a Transaction. If the guard refuses a value because its key was replaced a moment ago, `work` is called
   *   again, in a new transaction and with new keys; so it changes nothing but the database
   */
  async transaction(begin, work) {
    const enter = typeof begin === "function" ? begin : onPool(begin);
    let refused;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (refused) await this.load();
      try {
        return await enter(async (query, ...more) => {
          const tx = await Transaction.begin(this, query);
          const result = await work(tx, ...more);
          await tx.finish();
          return result;
        });
      } catch (error) {
        const state = guardState(error);
        if (["PS003", "PS006"].includes(state)) {
          throw new NotTrusted(`the guard refused a sealed value (${state}): the statement ran outside of the transaction, or ` +
            "its connection commits each statement", { cause: error });
        }
        if (state !== "PS002" && !(error instanceof StaleKeys)) throw error;
        refused = error;
      }
    }
    throw new StaleKeys(`the guard refused a value ${ATTEMPTS} times because its key is not active (PS002): is the tenant right?`,
      { cause: refused });
  }
}

/** One sealed column. The key of a row is given as an array, in the order of `keyColumns`, or as its only value; the tenant as
 *  the text of its column, and left out where the table has none. */
export class Field {
  #client; #text; #facts;

  constructor(client, table, column, text) {
    this.#client = client;
    this.#text = text;
    this.table = table;
    this.column = column;
  }

  /** What the registry says: key_columns, key_types, tenant_column, sealed_column, blind_index_column, ... */
  async facts() {
    if (!this.#facts) {
      const facts = { ...(await this.#client.registered(this.table, this.column)) };
      facts.key_columns = JSON.parse(facts.key_columns);
      facts.key_types = JSON.parse(facts.key_types);
      facts.sealed_column ??= facts.column_name;
      facts.type = new Type(facts.source_type, this.#client.sqlite);
      this.#text ||= facts.form === "in_place";
      this.#facts = facts;
    }
    return this.#facts;
  }

  /** The names of the columns that are the row's key. */
  async keyColumns() {
    return (await this.facts()).key_columns;
  }

  /**
   * The sealed value for one row, and its blind index (null where the column has none), as an array: write both, in one
   * statement. `value` is a string, or what fits the column's type: a number, bigint, boolean, a Date for timestamptz; a
   * Buffer for bytea. In a `client.transaction` use `tx.seal`, which also sees where the value went.
   */
  async seal(key, value, tenant = "") {
    const facts = await this.facts();
    if (Boolean(facts.tenant_column) !== Boolean(tenant)) {
      throw new WrongInput(`${this.table} has ${facts.tenant_column ? "a" : "no"} tenant column`);
    }
    const rowKey = rowKeyOf(facts.key_types, key);
    const plain = facts.type.toBytes(value);
    const seals = await this.#client.keys.sealing(tenant, "cell");
    const sealed = format.seal(seals.keyId, seals.secret, this.#context(tenant), rowKey, plain, Number(facts.pad_to));
    plain.fill(0);
    const index = facts.blind_index_column ? await this.index(value, tenant) : null;
    return [this.#text ? format.toText(sealed) : sealed, index];
  }

  /** The blind index to store; null where the value normalises to nothing. */
  async index(value, tenant = "") {
    return this.#index(await this.#client.keys.sealing(tenant, "blind_index"), value, tenant);
  }

  /** The blind indexes to look for: `WHERE ssn_bidx = ANY ($1)`. More than one while a key is rotated; none where the value
   *  normalises to nothing. */
  async lookups(value, tenant = "") {
    const keys = await this.#client.keys.indexing(tenant);
    return (await Promise.all(keys.map((key) => this.#index(key, value, tenant)))).filter((index) => index !== null);
  }

  /** The value of a row: by the column's type a number, boolean or Buffer, else a string. null for null: what is not sealed yet
   *  is in the plaintext column. Throws DoesNotOpen. */
  async open(key, sealed, tenant = "") {
    if (sealed === null || sealed === undefined) return null;
    return (await this.facts()).type.fromBytes(await this.openBytes(key, sealed, tenant));
  }

  /** As `open`; the bytes that were sealed. */
  async openBytes(key, sealed, tenant = "") {
    const envelope = typeof sealed === "string" ? format.fromText(sealed) : Buffer.from(sealed);
    const rowKey = rowKeyOf((await this.facts()).key_types, key);
    const opens = await this.#client.keys.opening(tenant, format.keyIdOf(envelope));
    return format.open(opens.secret, this.#context(tenant), rowKey, envelope);
  }

  /** As `open`, of an object that holds the key columns, the sealed column, and the tenant column if there is one. */
  async openRow(row) {
    const { key, tenant } = await this.placeIn(row);
    return this.open(key, row[(await this.facts()).sealed_column], tenant);
  }

  /** The key and the tenant in a row. Throws NotChecked where a column is missing. */
  async placeIn(row) {
    const { key_columns: names, tenant_column: tenant } = await this.facts();
    const missing = [...names, ...(tenant ? [tenant] : [])].filter((name) => !(name in row));
    if (missing.length) {
      throw new NotChecked(`${this.column} of ${this.table} cannot be opened without ${missing.join(", ")} of its row`);
    }
    return { key: names.map((name) => row[name]), tenant: tenant ? String(row[tenant]) : "" };
  }

  async #index(key, value, tenant) {
    const facts = await this.facts();
    if (!facts.blind_index_column) throw new WrongInput(`${this.column} of ${this.table} has no blind index`);
    const { blind_index_normaliser: normaliser, blind_index_bits: bits } = facts;
    return format.blindIndex(key.secret, this.#context(tenant), normaliser, Number(bits), facts.type.toText(value));
  }

  #context(tenant) {
    return format.contextOf(tenant, this.table, this.column);
  }
}

const stored = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value);

/** A transaction with the sealer's mark. Each value that it seals has to be seen once more before COMMIT, in its row, and is
 *  opened there: the database accepts a value that was sealed for another row, and it would never open. */
export class Transaction {
  #client; #query;
  #unseen = new Map();

  static async begin(client, query) {
    const tx = new Transaction();
    tx.#client = client;
    tx.#query = query;
    await query(client.sqlite ? "INSERT INTO phiseal_mark VALUES ('sealer')" : "SET LOCAL phiseal.sealer = 'on'");
    return tx;
  }

  /** As `field.seal`. */
  async seal(field, key, value, tenant = "") {
    const [sealed, index] = await field.seal(key, value, tenant);
    this.#unseen.set(stored(sealed), field);
    return [sealed, index];
  }

  /** Runs a statement; its rows, each an object. One that writes sealed values returns them, with the key columns and the tenant
   *  column: `RETURNING id, ssn_sealed`. */
  async query(sql, params = []) {
    const rows = (await this.#query(sql, params)) ?? [];
    for (const row of rows) await this.check(row);
    for (const value of Object.values(params).flatMap((param) => (Array.isArray(param) ? param : [param]))) {
      const field = this.#unseen.get(stored(value));
      if (!field || !/\breturning\b/i.test(sql)) continue;
      if (rows.length) throw await notSeen(field);
      this.#unseen.delete(stored(value)); // the statement wrote no row
    }
    return rows;
  }

  /** Looks for values of this transaction in a row that was read (an object), and opens them. `query` does so with every row;
   *  this is for rows that come from elsewhere, such as an ORM. */
  async check(row) {
    for (const value of Object.values(row)) {
      const field = this.#unseen.get(stored(value));
      if (!field) continue;
      const { key, tenant } = await field.placeIn(row);
      try {
        (await field.openBytes(key, value, tenant)).fill(0);
      } catch (error) {
        if (!(error instanceof DoesNotOpen)) throw error;
        throw new DoesNotOpen(`a value of ${field.column} of ${field.table} was written to a row for which it was not ` +
          "sealed: nothing was committed");
      }
      this.#unseen.delete(stored(value));
    }
  }

  /** What is done before COMMIT. */
  async finish() {
    for (const field of this.#unseen.values()) throw await notSeen(field);
    if (this.#client.sqlite) await this.#query("DELETE FROM phiseal_mark");
  }
}

async function notSeen(field) {
  const { key_columns: names, tenant_column: tenant, sealed_column: sealed } = await field.facts();
  const columns = [...names, ...(tenant ? [tenant] : []), sealed].join(", ");
  return new NotChecked(`a value sealed for ${field.column} of ${field.table} was not seen in its row: add ` +
    `\`RETURNING ${columns}\` to the statement, or read these columns before the transaction ends`);
}

/** The SQLSTATE of an error, by whichever driver or ORM it was thrown; in SQLite that in a guard's message. */
export function guardState(error) {
  for (const one of [error, error?.original, error?.driverError, error?.cause]) {
    const state = /^[0-9A-Z]{5}$/.test(one?.code) ? one.code : /^phiseal (PS\d{3}): /.exec(one?.message)?.[1];
    if (state) return state;
  }
  return undefined;
}

/**
 * query(sql) on a connection that nobody else uses. `connect` is an async function that gives a connected `pg.Client`, or
 * anything with `query(sql)`, which gives the rows or an object with `rows`. It is called again where the connection was lost.
 */
export function ownConnection(connect) {
  let connection;
  const lose = (lost) => {
    if (connection === lost) connection = undefined;
    lost?.then((one) => one.end?.()).catch(() => {});
  };
  const query = async (sql) => {
    for (let last = false; ; last = true) {
      connection ??= connect();
      const own = connection;
      try {
        const client = await own;
        if (!client.listenerCount?.("error")) client.on?.("error", () => lose(own)); // without this, Node would exit
        const result = await client.query(sql);
        return result.rows ?? result;
      } catch (error) {
        lose(own);
        if (last) throw error;
      }
    }
  };
  return Object.assign(query, { close: () => lose(connection) });
}

/** Transactions on connections of a `pg.Pool`, as `begin` of `client.transaction`. */
export const onPool = (pool) => async (work) => {
  const connection = await pool.connect();
  let broken;
  try {
    await connection.query("BEGIN");
    const result = await work(async (sql, params) => (await connection.query(sql, params)).rows);
    await connection.query("COMMIT");
    return result;
  } catch (error) {
    await connection.query("ROLLBACK").catch((rollback) => {
      broken = rollback;
    });
    throw error;
  } finally {
    connection.release(broken);
  }
};
