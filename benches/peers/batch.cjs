// Pages of 1,000 rows that are not sealed yet, one transaction each, UPDATE ... FROM (VALUES ...),
// then a pause of 100 ms: the data migration that platforms copy from their own templates.
const { Client } = require('pg')
const { setTimeout } = require('node:timers/promises')
const { seal } = require('./cell.cjs')

async function main() {
  const client = new Client({ connectionString: process.env.DATABASE_URL })
  await client.connect()
  for (;;) {
    await client.query('BEGIN')
    const { rows } = await client.query(
      'SELECT id, ssn FROM students WHERE ssn_sealed IS NULL ORDER BY id LIMIT 1000'
    )
    if (rows.length > 0) {
      const values = rows.map((row) => `('${row.id}'::uuid, '\\x${seal(row.ssn).toString('hex')}'::bytea)`)
      await client.query(
        `UPDATE students SET ssn_sealed = new.sealed FROM (VALUES ${values.join(',')}) AS new(id, sealed)
         WHERE students.id = new.id`
      )
    }
    await client.query('COMMIT')
    if (rows.length === 0) break
    await setTimeout(Number(process.env.PAUSE_MS ?? '100'))
  }
  await client.end()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
