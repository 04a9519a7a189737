// A model with a sealed column in TypeORM; docs/adopting.md walks through it.
// STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
// STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`.
import pg from "pg";
import { DataSource, EntitySchema, In } from "typeorm";
import { Client, guardState, keyFromFile, ownConnection } from "../node/phiseal/index.mjs";

const step = Number(process.env.STEP ?? 3);
// save() compares an entity with the row and writes back whatever differs, also where the row is newer than the
// entity. `update: false` keeps it away from the sealed columns, and from the plaintext once that is not written.
const Patient = new EntitySchema({
  name: "Patient",
  tableName: "patients",
  columns: {
    id: { type: "bigint", primary: true },
    name: { type: "text" },
    note: { type: "text", nullable: true },
    ...(step < 3 ? { ssn: { type: "text", nullable: true, update: step < 2 } } : {}),
    ssn_sealed: { type: "bytea", nullable: true, update: false },
    ssn_bidx: { type: "bytea", nullable: true, update: false },
  },
});
const db = await new DataSource({ type: "postgres", url: process.env.DATABASE_URL, entities: [Patient], synchronize: false }).initialize();
const patients = db.getRepository(Patient);
const client = new Client(keyFromFile(process.env.PHISEAL_KEY_FILE), ownConnection(async () => {
  const connection = new pg.Client(process.env.DATABASE_URL);
  await connection.connect();
  return connection;
}));
const ssn = client.field("public.patients", "ssn");

// Reading: the sealed value wins; the plaintext counts only where there is none yet.
async function ssnOf(patient) {
  if (patient.ssn_sealed) return [await ssn.open(patient.id, patient.ssn_sealed), "sealed"];
  return step < 3 && patient.ssn != null ? [patient.ssn, "plaintext"] : [null, "none"];
}

// Looking up: by the blind index, and by the plaintext where there is no index yet.
async function find(value) {
  const either = [{ ssn_bidx: In(await ssn.lookups(value)) }];
  if (step < 3) either.push({ ssn: value });
  return patients.find({ where: either, order: { id: "ASC" } });
}

// A transaction of TypeORM's, as client.transaction needs it. For UPDATE and DELETE, query() gives the rows and their number.
const begin = (work) => db.transaction((manager) => work(async (sql, parameters) => {
  const rows = await manager.query(sql, parameters);
  return Array.isArray(rows?.[0]) ? rows[0] : rows;
}, manager));

async function create(name, value) {
  // A sealed value is bound to its row's key, so the key is taken first.
  const [{ id }] = await db.query("SELECT nextval(pg_get_serial_sequence('patients', 'id')) AS id");
  if (step < 2) await patients.insert({ id, name, ssn: value });
  else await client.transaction(begin, async (tx, manager) => {
    // The plaintext stays out.
    const [ssn_sealed, ssn_bidx] = await tx.seal(ssn, id, value);
    await manager.insert(Patient, { id, name, ssn_sealed, ssn_bidx });
    // Reads the row again, so that its sealed value is opened before COMMIT.
    await tx.check(await manager.findOneByOrFail(Patient, { id }));
  });
  return id;
}

async function change(id, value) {
  if (step < 2 && value != null) return patients.update(id, { ssn: value });
  return client.transaction(begin, async (tx) => {
    // The guard clears the plaintext that is there, whether the entity knows its column or not.
    const update = "UPDATE patients SET ssn_sealed = $2, ssn_bidx = $3 WHERE id = $1 RETURNING id, ssn_sealed";
    await tx.query(update, [id, ...(await tx.seal(ssn, id, value ?? ""))]);
    if (value == null) await tx.query(update, [id, null, null]);
  });
}

const show = async (patient) => {
  const [value, form] = await ssnOf(patient);
  console.log(`${patient.id} ${patient.name}: ${value ?? ""} (${form})`);
};
const one = (id) => patients.findOneByOrFail({ id });
const [command, ...args] = process.argv.slice(2);
try {
  if (command === "show") await show(await one(args[0]));
  if (command === "find") for (const patient of await find(args[0])) await show(patient);
  if (command === "create") await show(await one(await create(...args)));
  if (command === "change") await change(args[0], args[1] ?? null).then(async () => show(await one(args[0])));
  if (command === "rename") { // an ordinary write
    const patient = await one(args[0]);
    patient.name = args[1];
    await patients.save(patient);
    await show(patient);
  }
} catch (error) {
  console.log(`${error.name} ${guardState(error) ?? ""}: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
  await db.destroy();
}
