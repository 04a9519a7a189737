// A model with a sealed column in Sequelize; docs/adopting.md walks through it.
// STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
// STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`.
import { readFileSync } from "node:fs";
import { DataTypes, Op, QueryTypes, Sequelize } from "sequelize";
import { Field, Keys } from "../phiseal.mjs";

const step = Number(process.env.STEP ?? 3);
const db = new Sequelize(process.env.DATABASE_URL, { logging: false });
const keys = new Keys(readFileSync(process.env.PHISEAL_KEY_FILE, "utf8"), (sql) => db.query(sql, { type: QueryTypes.SELECT }));
const ssn = new Field(keys, "public.patients", "ssn", { normalise: "digits" });

const Patient = db.define("patient", {
  id: { type: DataTypes.BIGINT, primaryKey: true },
  name: DataTypes.TEXT,
  note: DataTypes.TEXT,
  ...(step < 3 ? { ssn: DataTypes.TEXT } : {}),
  ssn_sealed: DataTypes.BLOB,
  ssn_bidx: DataTypes.BLOB,
}, { tableName: "patients", timestamps: false });

// Reading: the sealed value wins; the plaintext counts only where there is none yet.
async function ssnOf(patient) {
  if (patient.ssn_sealed) return [await ssn.open([["int", patient.id]], patient.ssn_sealed), "sealed"];
  return step < 3 && patient.ssn != null ? [patient.ssn, "plaintext"] : [null, "none"];
}

// Looking up: by the blind index, and by the plaintext where there is no index yet.
async function find(value) {
  const either = [{ ssn_bidx: { [Op.in]: await ssn.lookups(value) } }];
  if (step < 3) either.push({ ssn: value });
  return Patient.findAll({ where: { [Op.or]: either }, order: ["id"] });
}

// Writing: the plaintext stays out, and the guard clears what is there.
async function sealed(id, value) {
  return { ssn_sealed: await ssn.seal([["int", id]], value), ssn_bidx: await ssn.index(value) };
}

// A transaction that may write sealed values. Run again with fresh keys where the key was rotated away a moment ago.
async function sealing(work, again = true) {
  try {
    return await db.transaction(async (transaction) => {
      await db.query("SET LOCAL phiseal.sealer = 'on'", { transaction });
      return work(transaction);
    });
  } catch (error) {
    if (!again || error.original?.code !== "PS002") throw error;
    await keys.load();
    return sealing(work, false);
  }
}

async function create(name, value) {
  // A sealed value is bound to its row's key, so the key is taken first.
  const [{ id }] = await db.query("SELECT nextval(pg_get_serial_sequence('patients', 'id')) AS id", { type: QueryTypes.SELECT });
  if (step < 2) return Patient.create({ id, name, ssn: value });
  return sealing(async (transaction) => Patient.create({ id, name, ...(await sealed(id, value)) }, { transaction }));
}

async function change(id, value) {
  if (step < 2 && value != null) return Patient.update({ ssn: value }, { where: { id } });
  return sealing(async (transaction) => {
    await Patient.update(await sealed(id, value ?? ""), { where: { id }, transaction });
    // Removing a value takes two writes: the first has cleared the plaintext, whether the model knows it or not.
    if (value == null) await Patient.update({ ssn_sealed: null, ssn_bidx: null }, { where: { id }, transaction });
  });
}

const show = async (patient) => {
  const [value, form] = await ssnOf(patient);
  console.log(`${patient.id} ${patient.name}: ${value ?? ""} (${form})`);
};
const [command, ...args] = process.argv.slice(2);
try {
  if (command === "show") await show(await Patient.findByPk(args[0]));
  if (command === "find") for (const patient of await find(args[0])) await show(patient);
  if (command === "create") await show(await Patient.findByPk((await create(...args)).id));
  if (command === "change") await change(args[0], args[1] ?? null).then(async () => show(await Patient.findByPk(args[0])));
  if (command === "rename") { // an ordinary write; save() writes what was changed only, too
    await Patient.update({ name: args[1] }, { where: { id: args[0] } });
    await show(await Patient.findByPk(args[0]));
  }
} catch (error) {
  console.log(`${error.name} ${error.original?.code ?? ""}: ${error.message}`);
  process.exitCode = 1;
} finally {
  await db.close();
}
