# The bytes of docs/FORMAT.md: envelopes, keys, blind indexes, wrapped keys. Reads no table and no file.
require "openssl"

module Phiseal
  module Format
    module_function

    # A number as that many bytes, big-endian, in two's complement where it is negative.
    def be(number, size) = [format("%0#{size * 2}x", number % (1 << size * 8))].pack("H*")

    # The length of bytes or of a text in four bytes, then these.
    def lp(data) = be(data.bytesize, 4) + data.b

    def mac(key, message) = OpenSSL::HMAC.digest("SHA256", key, message)

    # Derives 32 bytes from a key.
    def expand(key, label, info = "") = mac(key, label.b + "\0".b + info.b + "\1".b)

    # What a value is bound to beside its row. `table` and `column` are labels; `tenant` is "" where there is none.
    def context_of(tenant, table, column) = lp(tenant) + lp(table) + lp(column)

    # The envelope of a value (bytes) for one cell. `pad_to` is the field's; 0 hides no length.
    def seal(key_id, data_key, context, row_key, plain, pad_to = 0, nonce: OpenSSL::Random.random_bytes(12))
      head = [0xE7, pad_to.zero? ? 1 : 2].pack("CC") + be(key_id, 4)
      plain = plain.b
      plain += "\x80".b + "\0".b * (pad_to - 1 - plain.bytesize % pad_to) unless pad_to.zero?
      head + nonce + encrypt(cell(data_key, context, row_key), nonce, head + context + row_key, plain)
    end

    # The id of the key that an envelope names.
    def key_id_of(envelope)
      sealed = envelope.bytesize >= 34 && envelope.getbyte(0) == 0xE7 && [1, 2].include?(envelope.getbyte(1))
      raise DoesNotOpen, "this is not a sealed value" unless sealed

      envelope.byteslice(2, 4).unpack1("N")
    end

    # The value (bytes) in an envelope.
    def open(data_key, context, row_key, envelope)
      key_id_of(envelope)
      aad = envelope.byteslice(0, 6).b + context + row_key
      plain = decrypt(cell(data_key, context, row_key), envelope.byteslice(6, 12), aad, envelope.byteslice(18..))
      return plain if envelope.getbyte(1) == 1

      plain = plain.sub(/\0*\z/n, "")
      raise DoesNotOpen, "the value says that it is padded, and is not" unless plain.getbyte(-1) == 0x80

      plain.byteslice(0...-1)
    rescue OpenSSL::Cipher::CipherError
      raise DoesNotOpen, "the value was sealed for another row, column, table or tenant, or was altered", cause: nil
    end

    # The form of an envelope in a text column.
    def to_text(envelope) = "ps1." + [envelope].pack("m0").tr("+/", "-_").delete("=")

    # The envelope in a text. An envelope has one text.
    def from_text(text)
      envelope = text[4..].to_s.tr("-_", "+/").unpack1("m")
      to_text(envelope) == text ? envelope : raise(DoesNotOpen, "this is not a sealed text")
    end

    # Whether a stored text or bytes begin as a sealed value does. For columns that are sealed in place.
    def sealed?(stored) = stored.start_with?("ps1.5w") || stored.getbyte(0) == 0xE7

    trim = ->(text) { text.gsub(/\A[[:space:]]+|[[:space:]]+\z/, "") }
    caseless = ->(text) { trim.(text.unicode_normalize(:nfkc).upcase.unicode_normalize(:nfkc)) }
    NORMALISERS = {
      "exact" => ->(text) { text }, "trim" => trim, "caseless" => caseless,
      "alnum" => ->(text) { caseless.(text).gsub(/[^\p{L}\p{M}\p{N}]/, "") },
      "digits" => ->(text) { text.unicode_normalize(:nfkc).gsub(/[^0-9]/, "") }
    }.freeze

    # The blind index (bytes) of a text; nil where it normalises to nothing.
    def blind_index(index_key, context, normaliser, bits, text)
      text, size = NORMALISERS.fetch(normaliser).(text), (bits + 7) / 8
      return if text.empty?

      index = mac(expand(index_key, "ps1/bidx", context), text).byteslice(0, size)
      index.setbyte(size - 1, index.getbyte(size - 1) & (0xFF << size * 8 - bits) & 0xFF)
      index
    end

    # The 32 bytes in the line of a wrapping key; nil where it is none.
    def wrapping_key(line)
      text = line.match(/\Aphiseal-wk-1\.([A-Za-z0-9_-]{43})\n?\z/)&.[](1)
      secret = text&.tr("-_", "+/")&.unpack1("m")
      secret if text && to_text(secret) == "ps1.#{text}"
    end

    # The name of a wrapping key, as `encryption_keys.kek_ref` has it.
    def reference(wrapping) = "wk:#{expand(wrapping, "ps1/ref").unpack1("H*")[0, 16]}"

    # A data key or blind index key (32 bytes) out of its row of encryption_keys.
    def unwrap(wrapping, key_id, purpose, tenant, wrapped, check)
      known = wrapped.bytesize == 62 && wrapped.start_with?("\xE8\x01".b)
      raise KeysUnusable, "key #{key_id} is wrapped in a way that this program does not know" unless known

      aad = lp("ps1/wrap") + be(key_id, 4) + lp(purpose) + lp(tenant) + lp("AES-256-GCM")
      secret = decrypt(wrapping, wrapped.byteslice(2, 12), aad, wrapped.byteslice(14..))
      right = check.bytesize == 32 && OpenSSL.fixed_length_secure_compare(expand(secret, "ps1/check"), check)
      right ? secret : raise(KeysUnusable, "key #{key_id} is not the key that its check value was made from")
    rescue OpenSSL::Cipher::CipherError
      raise KeysUnusable, "key #{key_id} does not unwrap: its row in encryption_keys was altered", cause: nil
    end

    def cell(data_key, context, row_key) = expand(expand(data_key, "ps1/col", context), "ps1/cell", row_key)

    def encrypt(key, nonce, aad, plain)
      aes = OpenSSL::Cipher.new("aes-256-gcm").encrypt
      aes.key, aes.iv, aes.auth_data = key, nonce, aad
      (plain.empty? ? "".b : aes.update(plain)) + aes.final + aes.auth_tag
    end

    def decrypt(key, nonce, aad, body)
      aes = OpenSSL::Cipher.new("aes-256-gcm").decrypt
      aes.key, aes.iv, aes.auth_tag, aes.auth_data = key, nonce, body.byteslice(-16..), aad
      (body.bytesize > 16 ? aes.update(body.byteslice(0...-16)) : "".b) + aes.final
    end
  end
end
