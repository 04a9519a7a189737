// The module phiseal opens, seals and indexes every worked value. Arguments: the module's folder, the file of these.
import assert from "node:assert";
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const format = await import(pathToFileURL(`${folder}/phiseal/format.mjs`));
const { rowKeyOf } = await import(pathToFileURL(`${folder}/phiseal/values.mjs`));
const { DoesNotOpen } = await import(pathToFileURL(`${folder}/phiseal/index.mjs`));
const worked = JSON.parse(readFileSync(file, "utf8"));
const hex = (text) => Buffer.from(text, "hex");
const tags = { int: "i", uuid: "u", text: "t", numeric: "n", date: "d", timestamp: "z", bytes: "b", bool: "o" };
const part = ({ type, value }) => {
  if (type === "bytes") return hex(value);
  return type === "bool" ? String(value) === "true" : value;
};

const wrapped = worked.wrapped_data_key;
const wrapping = format.wrappingKey(worked.wrapping_key_file);
const [dataKey, indexKey] = [hex(worked.data_key), hex(worked.blind_index_key)];
assert.equal(wrapping.toString("hex"), worked.wrapping_key);
assert.equal(format.reference(wrapping), worked.wrapping_key_reference);
const check = hex(worked.check_value);
assert.deepEqual(format.unwrap(wrapping, wrapped.key_id, "cell", wrapped.tenant, hex(wrapped.wrapped), check), dataKey);

for (const cell of worked.cells) {
  const context = format.contextOf(cell.tenant, cell.table, cell.column);
  const rowKey = rowKeyOf(cell.row_key.map(({ type }) => tags[type]), cell.row_key.map(part));
  assert.equal(rowKey.toString("hex"), cell.row_key_bytes, cell.name);
  const [plain, envelope] = [Buffer.from(cell.plaintext), hex(cell.envelope)];
  crypto.randomBytes = () => hex(cell.nonce);
  syncBuiltinESMExports();
  assert.deepEqual(format.seal(cell.key_id, dataKey, context, rowKey, plain, cell.bucket), envelope, cell.name);
  assert.equal(format.keyIdOf(envelope), cell.key_id);
  assert.deepEqual(format.open(dataKey, context, rowKey, envelope), plain, cell.name);
  assert.equal(format.toText(envelope), cell.text);
  assert.deepEqual(format.fromText(cell.text), envelope);
  for (const altered of [`${cell.text}=`, `${cell.text}A`, cell.text.slice(0, -1), `ps2${cell.text.slice(3)}`]) {
    assert.throws(() => format.open(dataKey, context, rowKey, format.fromText(altered)), DoesNotOpen, cell.name);
  }
}

for (const example of worked.blind_indexes) {
  const context = format.contextOf(example.tenant, example.table, example.column);
  const index = format.blindIndex(indexKey, context, example.normaliser, example.bits, example.raw);
  assert.equal(index?.toString("hex") ?? null, example.index, example.raw);
}

console.log(worked.cells.length + worked.blind_indexes.length);
