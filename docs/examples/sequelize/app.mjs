// A model with a sealed column in Sequelize; docs/adopting.md walks through it.
// STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
// STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`.
import pg from "pg";
import { DataTypes, Op, QueryTypes, Sequelize } from "sequelize";
import { Client, guardState, keyFromFile, ownConnection } from "../node/phiseal/index.mjs";

const step = Number(process.env.STEP ?? 3);
const db = new Sequelize(process.env.DATABASE_URL, { logging: false });
const client = new Client(keyFromFile(process.env.PHISEAL_KEY_FILE), ownConnection(async () => {
  const connection = new pg.Client(process.env.DATABASE_URL);
  await connection.connect();
  return connection;
}));
const ssn = client.field("public.patients", "ssn");

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
  if (patient.ssn_sealed) return [await ssn.open(patient.id, patient.ssn_sealed), "sealed"];
  return step < 3 && patient.ssn != null ? [patient.ssn, "plaintext"] : [null, "none"];
}

// Looking up: by the blind index, and by the plaintext where there is no index yet.
async function find(value) {
  const either = [{ ssn_bidx: { [Op.in]: await ssn.lookups(value) } }];
  if (step < 3) either.push({ ssn: value });
  return Patient.findAll({ where: { [Op.or]: either }, order: ["id"] });
}

// A transaction of Sequelize's, as client.transaction needs it. What is passed behind the query reaches the work.
const begin = (work) => db.transaction((transaction) =>
  work((sql, bind) => db.query(sql, { bind, transaction, type: QueryTypes.SELECT }), transaction));

// Reads the row again, so that its sealed value is opened before COMMIT.
async function seen(tx, id, transaction) {
  await tx.check(await Patient.findByPk(id, { attributes: ["id", "ssn_sealed"], raw: true, transaction }));
}

async function create(name, value) {
  // A sealed value is bound to its row's key, so the key is taken first.
  const [{ id }] = await db.query("SELECT nextval(pg_get_serial_sequence('patients', 'id')) AS id", { type: QueryTypes.SELECT });
  if (step < 2) return Patient.create({ id, name, ssn: value });
  return client.transaction(begin, async (tx, transaction) => {
    // The plaintext stays out.
    const [ssn_sealed, ssn_bidx] = await tx.seal(ssn, id, value);
    const patient = await Patient.create({ id, name, ssn_sealed, ssn_bidx }, { transaction });
    await seen(tx, id, transaction);
    return patient;
  });
}

async function change(id, value) {
  if (step < 2 && value != null) return Patient.update({ ssn: value }, { where: { id } });
  return client.transaction(begin, async (tx, transaction) => {
    // The guard clears the plaintext that is there, whether the model knows its column or not.
    const [ssn_sealed, ssn_bidx] = await tx.seal(ssn, id, value ?? "");
    await Patient.update({ ssn_sealed, ssn_bidx }, { where: { id }, transaction });
    await seen(tx, id, transaction);
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
  console.log(`${error.name} ${guardState(error) ?? ""}: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
  await db.close();
}
