// Row keys, and values of each type: how JavaScript's values become the bytes of docs/FORMAT.md, and back.
import { DoesNotOpen, WrongInput } from "./errors.mjs";
import { be, join, lp } from "./format.mjs";

const isBytes = (value) => value instanceof Uint8Array;
const isText = (value) => typeof value === "string" && !/[\0\p{Surrogate}]/u.test(value);
const isWhole = (value) => typeof value === "bigint" || Number.isSafeInteger(value);

// ---- Row keys. Each function takes the value of one key column; undefined where it does not fit. ----

function integer(value, least = -(2n ** 63n), most = 2n ** 63n - 1n) {
  if (!isWhole(value) && !/^-?\d+$/.test(isText(value) ? value : "")) return undefined;
  const number = BigInt(value);
  return number >= least && number <= most ? be(number, 8) : undefined;
}

function uuid(value) {
  const digits = isText(value) ? value.replaceAll("-", "") : "";
  return /^[0-9a-fA-F]{32}$/.test(digits) ? Buffer.from(digits, "hex") : undefined;
}

function numeric(value) {
  const text = isWhole(value) ? String(value) : value;
  const [, sign, whole, fraction] = /^(-?)0*(\d+)(?:\.(\d*?)0*)?$/.exec(isText(text) ? text : "") ?? [];
  if (whole === undefined) return undefined;
  const trimmed = fraction ? `${whole}.${fraction}` : whole;
  return Buffer.from(trimmed === "0" ? "0" : sign + trimmed);
}

function date(value) { // a Date has a time and a zone, so it is no day
  const day = new Date(isText(value) && /^(?!0000)\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : NaN);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value) ? Buffer.from(value) : undefined;
}

const keyParts = {
  i: integer, // a number, a bigint, or the digits
  u: uuid,
  t: (value) => (isText(value) ? Buffer.from(value) : undefined), // char(n): without its trailing blanks
  n: numeric, // the text, or a whole number
  d: date, // YYYY-MM-DD
  z: (value) => integer(value, -210_866_803_200_000_000n, 2n ** 63n - 2n), // microseconds since 1970 UTC
  b: (value) => (isBytes(value) ? value : undefined),
  o: (value) => (typeof value === "boolean" ? Buffer.from([Number(value)]) : undefined),
};

const tagInSqlite = (value) => (isWhole(value) ? "i" : isBytes(value) ? "b" : "t");

/**
 * The bytes of a row's key. `tags` is the field's `key_types`, `values` one value for each, in their order; or a value that
 * is no array, where the key has one column. Throws WrongInput.
 */
export function rowKeyOf(tags, values) {
  const given = Array.isArray(values) ? values : [values];
  if (given.length !== tags.length) {
    throw new WrongInput(`the row's key has ${tags.length} columns, and ${given.length} were given`);
  }
  return join(...tags.map((registered, at) => {
    const tag = registered === "*" ? tagInSqlite(given[at]) : registered;
    const data = keyParts[tag]?.(given[at]);
    if (!data) throw new WrongInput(`column ${at + 1} of the row's key takes no such value (its type is \`${tag}\`)`);
    return lp(join(tag, data));
  }));
}

// ---- Values. The plaintext is the text that PostgreSQL itself makes of a value; here are the types that JavaScript has. ----

const day = String.raw`(\d{4}|[1-9]\d{4,})-\d\d-\d\d`;
const time = String.raw`${day} \d\d:\d\d:\d\d(\.\d{1,6})?`;
const whole = (value) => (isWhole(value) ? String(value) : undefined);
const timeInUtc = (value) =>
  value instanceof Date && !Number.isNaN(value.getTime())
    ? `${value.toISOString().replace("T", " ").replace(/\.?0*Z$/, "")}+00`
    : undefined;
const asText = (text) => text;
// For each type: the form of its text; a value of JavaScript to text, or undefined; the text to a value of JavaScript.
const types = {
  smallint: [String.raw`0|-?[1-9]\d*`, whole, Number],
  integer: [String.raw`0|-?[1-9]\d*`, whole, Number],
  bigint: [String.raw`0|-?[1-9]\d*`, whole, asText], // as the driver pg has it: not every bigint is a number
  boolean: ["true|false", (value) => (typeof value === "boolean" ? String(value) : undefined), (text) => text === "true"],
  uuid: ["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", () => undefined, asText],
  numeric: [String.raw`-?\d+(\.\d+)?|NaN|-?Infinity`, whole, asText],
  date: [`${day}( BC)?|-?infinity`, () => undefined, asText],
  "timestamp without time zone": [`${time}( BC)?|-?infinity`, () => undefined, asText],
  "timestamp with time zone": [String.raw`${time}\+00( BC)?|-?infinity`, timeInUtc, asText],
};
const anyText = ["[^]*", () => undefined, asText];

/** The type of a plaintext column, by the name that the registry has for it. */
export class Type {
  constructor(name, sqlite = false) {
    const bare = name.replace(/\([^)]*\)/g, "");
    this.name = name;
    this.isBytes = sqlite ? bare.toLowerCase().includes("blob") : bare === "bytea";
    [this.form, this.write, this.read] = (!sqlite && Object.hasOwn(types, bare) && types[bare]) || anyText;
  }

  /** The text of a value; a string as it stands, if it has the form of the type. Throws WrongInput. */
  toText(value) {
    const text = typeof value === "string" ? value : this.write(value);
    if (!isText(text) || !new RegExp(`^(?:${this.form})$`).test(text)) {
      throw new WrongInput(`this is no value of type ${this.name}, or not in the form in which the server writes it`);
    }
    return text;
  }

  /** The plaintext of a value, a Buffer. Throws WrongInput. */
  toBytes(value) {
    if (!this.isBytes) return Buffer.from(this.toText(value));
    if (!isBytes(value)) throw new WrongInput(`a value of type ${this.name} is a Buffer`);
    return Buffer.from(value);
  }

  /** The value of a plaintext. Throws DoesNotOpen where it is not of the type. */
  fromBytes(plain) {
    if (this.isBytes) return plain;
    try {
      return this.read(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain));
    } catch {
      throw new DoesNotOpen(`the value opens, and is none of type ${this.name}: \`openBytes\` returns it`);
    } finally {
      plain.fill(0);
    }
  }
}
