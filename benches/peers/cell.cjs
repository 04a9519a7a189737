// AES-256-GCM as a script would do it: nonce, ciphertext, tag. No context, no key id.
const { createCipheriv, randomBytes } = require('node:crypto')

const key = randomBytes(32)

exports.seal = (text) => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}
