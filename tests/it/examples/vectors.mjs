// docs/examples/phiseal.mjs opens, seals and indexes every worked value. Arguments: the folder of the
// module, the file of the worked values.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const { Keys, Field } = await import(pathToFileURL(`${folder}/phiseal.mjs`));
const worked = JSON.parse(readFileSync(file, "utf8"));
const hex = (text) => Buffer.from(text, "hex");

const wrapped = worked.wrapped_data_key;
const row = {
  key_id: 7, tenant: wrapped.tenant, purpose: "cell", version: 1, status: "active",
  wrapped_key: hex(wrapped.wrapped), check_value: hex(worked.check_value),
};
const loaded = new Keys(worked.wrapping_key_file, async () => [row]);
await loaded.load();
assert((await loaded.active("clinic-1", "cell")).key.equals(hex(worked.data_key)));

const part = ({ type, value }) => {
  if (type === "bytes") return [type, hex(value)];
  return [type, type === "bool" ? String(value) === "true" : value];
};

for (const cell of worked.cells) {
  const key = hex(worked.data_key);
  const keys = {
    active: async () => ({ key_id: cell.key_id, key }),
    named: async (tenant, id) => {
      assert.equal(id, cell.key_id);
      return { key };
    },
  };
  const field = new Field(keys, cell.table, cell.column, { padTo: cell.bucket });
  const rowKey = cell.row_key.map(part);
  assert.equal(await field.open(rowKey, hex(cell.envelope), cell.tenant), cell.plaintext, cell.name);
  const sealed = await field.seal(rowKey, cell.plaintext, cell.tenant);
  assert.equal(sealed.length * 2, cell.envelope.length, cell.name);
  assert.equal(await field.open(rowKey, sealed, cell.tenant), cell.plaintext, cell.name);
}

for (const example of worked.blind_indexes) {
  const keys = { active: async () => ({ key: hex(worked.blind_index_key) }) };
  const form = { normalise: example.normaliser, bits: example.bits };
  const field = new Field(keys, example.table, example.column, form);
  const index = await field.index(example.raw, example.tenant);
  assert.equal(index ? index.toString("hex") : null, example.index, example.raw);
}

console.log(worked.cells.length + worked.blind_indexes.length);
