// An application that does what a test tells it, one JSON object a line, and answers likewise. Arguments: the folder of the
// module phiseal, the database's URL, the file of the wrapping key, seconds between two loads of the keys.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import * as driver from "./driver.mjs";

const [folder, url, keyFile, refresh] = process.argv.slice(2);
const { Client, keyFromFile, onPool, ownConnection } = await import(pathToFileURL(`${folder}/phiseal/index.mjs`));
const real = performance.now.bind(performance);
let [shift, broken, calls] = [0, false, 0];
performance.now = () => real() + shift;

async function connect() {
  if (broken) throw new Error("cannot connect");
  const client = new driver.Client(url);
  await client.connect();
  return client;
}

const part = ({ type, value }) => (type === "bytes" ? Buffer.from(value, "hex") : value);
/** A value of the test's as one of JavaScript's. */
const told = (value) => {
  if (value === null || typeof value !== "object") return value;
  if (value.as === "bytes") return Buffer.from(value.value, "hex");
  return value.as === "time" ? new Date(value.value) : value.value;
};
const shown = (value) => (Buffer.isBuffer(value) ? { as: "bytes", value: value.toString("hex") } : value);

async function answer(client, { do: what, ...of }) {
  if (what === "load") return client.load();
  if (what === "later") return void (shift += of.seconds * 1000);
  if (what === "break") return void (broken = true);
  const field = client.field(...of.field, { text: of.text });
  const [key, value, tenant] = [of.key?.map(part), told(of.value), of.tenant];
  if (what === "open") {
    const opened = await field.open(key, told(of.sealed), tenant);
    const bytes = await field.openBytes(key, told(of.sealed), tenant);
    const type = Buffer.isBuffer(opened) ? "bytes" : typeof opened;
    return { bytes: bytes.toString("hex"), type, value: type === "bytes" ? opened.toString("hex") : String(opened) };
  }
  if (what === "seal") return (await field.seal(key, value, tenant)).map(shown);
  if (what === "lookups") return (await field.lookups(value, tenant)).map((index) => index.toString("hex"));
  if (what === "write") {
    calls = 0;
    let begin = onPool(new driver.Pool(url));
    if (of.unmarked) {
      const marked = begin;
      begin = (work) => marked((query) => work((sql, params) => query(sql.replace("phiseal.sealer", "application.name"), params)));
    }
    const rows = await client.transaction(begin, async (tx) => {
      calls += 1;
      const [sealed, index] = await tx.seal(field, key, value, tenant);
      let rows = await tx.query(of.sql, [...of.params.map(told), sealed, ...(of.index ? [index] : [])]);
      if (of.then) rows = await tx.query(of.then);
      return rows.length;
    });
    return { rows, calls };
  }
  throw new Error(what);
}

let made;
for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    made ??= new Client(keyFromFile(keyFile), ownConnection(connect), { refresh: Number(refresh) * 1000 });
    said = { done: (await answer(made, JSON.parse(line))) ?? null };
  } catch (error) {
    said = { error: error.name, message: error.message, shown: inspect(error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
process.exit(0);
