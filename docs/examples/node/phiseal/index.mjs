/**
 * Seals and opens values of phiseal in an application, and makes the blind indexes that find them.
 *
 * Copy this folder into the application. It needs Node 18 and nothing else; any driver or ORM will do.
 * docs/APPLICATIONS.md shows reads, lookups and writes. In short:
 *
 *     const client = new Client(keyFromFile("/etc/phiseal/wrapping.key"), ownConnection(connect));
 *     const ssn = client.field("public.patients", "ssn");
 *     await ssn.open(42, sealed);                            // "142-52-0042"
 *
 *     errors.mjs   what can go wrong
 *     format.mjs   the bytes of docs/FORMAT.md; reads no table
 *     values.mjs   row keys, and values of each type as text
 *     keys.mjs     the wrapping key, and the data keys of one database
 *     client.mjs   Client, Field, Transaction, and how they reach a database
 *
 * No error holds a value, a row's key or an encryption key. Strings cannot be wiped: `client.close` overwrites the wrapping
 * key and the data keys, and the key of a cell is overwritten after its use, but not a value that was opened as a string.
 */
export { Client, Field, Transaction, guardState, onPool, ownConnection } from "./client.mjs";
export * from "./errors.mjs";
export { fromText, isSealed, toText } from "./format.mjs";
export { WrappingKey, keyFromCommand, keyFromEnv, keyFromFile } from "./keys.mjs";
