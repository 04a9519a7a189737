// A row at a time, as an object-relational mapper saves: one UPDATE by key for each row, 1,000 of
// them in a transaction. The keys are all read first.
const { Client } = require('pg')
const { seal } = require('./cell.cjs')

async function main() {
  const client = new Client({ connectionString: process.env.DATABASE_URL })
  await client.connect()
  const { rows } = await client.query('SELECT id, ssn FROM students WHERE ssn_sealed IS NULL')
  for (let at = 0; at < rows.length; at += 1000) {
    await client.query('BEGIN')
    for (const row of rows.slice(at, at + 1000)) {
      await client.query({
        name: 'save',
        text: 'UPDATE students SET ssn_sealed = $1 WHERE id = $2',
        values: [seal(row.ssn), row.id],
      })
    }
    await client.query('COMMIT')
  }
  await client.end()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
