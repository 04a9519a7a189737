# What an application needs to seal and open values, with nothing but Ruby's OpenSSL: docs/FORMAT.md in code.
# To be copied into the application; rails/ uses it as it is.
require "openssl"

module Phiseal
  module Bytes
    module_function

    def be(number, size) = [format("%0#{size * 2}x", number % (1 << size * 8))].pack("H*")
    def lp(text) = be(text.bytesize, 4) + text.b # length-prefixed
    def mac(key, message) = OpenSSL::HMAC.digest("SHA256", key, message)
    def expand(key, label, info) = mac(key, label.b + "\0".b + info.b + "\1".b)

    def encrypt(key, nonce, aad, plain)
      aes = OpenSSL::Cipher.new("aes-256-gcm").encrypt
      aes.key, aes.iv, aes.auth_data = key, nonce, aad
      (plain.empty? ? "".b : aes.update(plain)) + aes.final + aes.auth_tag
    end

    def decrypt(key, nonce, aad, body) # raises CipherError when the tag does not verify
      aes = OpenSSL::Cipher.new("aes-256-gcm").decrypt
      aes.key, aes.iv, aes.auth_tag, aes.auth_data = key, nonce, body[-16..], aad
      (body.bytesize > 16 ? aes.update(body[0...-16]) : "".b) + aes.final
    end
  end

  PART = { # of a row key. timestamp: microseconds since 1970 UTC
    int: ->(v) { "i".b + Bytes.be(v, 8) },
    uuid: ->(v) { "u".b + [v.delete("-")].pack("H*") },
    text: ->(v) { "t".b + v.b },
    numeric: ->(v) { "n".b + v.b },
    date: ->(v) { "d".b + v.b },
    timestamp: ->(v) { "z".b + Bytes.be(v, 8) },
    bytes: ->(v) { "b".b + v.b },
    bool: ->(v) { v ? "o\1".b : "o\0".b }
  }.freeze
  trim = ->(s) { s.gsub(/\A[[:space:]]+|[[:space:]]+\z/, "") }
  caseless = ->(s) { trim.(s.unicode_normalize(:nfkc).upcase.unicode_normalize(:nfkc)) }
  NORMALISE = {
    exact: ->(s) { s }, trim: trim, caseless: caseless,
    alnum: ->(s) { caseless.(s).gsub(/[^\p{L}\p{M}\p{N}]/, "") },
    digits: ->(s) { s.unicode_normalize(:nfkc).gsub(/[^0-9]/, "") }
  }.freeze

  # The data keys of phiseal.encryption_keys, read again before they are a minute old.
  class Keys
    Key = Struct.new(:key_id, :tenant, :purpose, :version, :status, :key)
    # encode: so that it does not matter how the application's driver shows a bytea
    QUERY = "SELECT key_id, tenant, purpose, version, status, encode(wrapped_key, 'hex') AS wrapped, " \
            "encode(check_value, 'hex') AS checked FROM phiseal.encryption_keys WHERE wrapped_key IS NOT NULL"

    # line: the wrapping key's line. The block runs QUERY and returns its rows as hashes.
    def initialize(line, &query)
      @wrapping = line.strip.delete_prefix("phiseal-wk-1.").tr("-_", "+/").unpack1("m")
      @query = query
      @lock = Mutex.new
    end

    def load
      begun = now
      keys = @query.call(QUERY).map { |row| unwrap(row) }
      @lock.synchronize { @keys, @loaded_at = keys, begun }
      keys
    end

    # The key that seals: the tenant's active one.
    def active(tenant, purpose)
      all.find { |k| k.tenant == tenant && k.purpose == purpose && k.status == "active" } or raise "no active #{purpose} key"
    end

    # The key that a sealed value names. It may have been made since the keys were read.
    def named(tenant, key_id)
      find = ->(keys) { keys.find { |k| k.key_id == key_id && k.tenant == tenant && k.purpose == "cell" } }
      find.(all) || find.(load) or raise "key #{key_id} cannot open"
    end

    # All keys that a blind index may be made with at this moment, the newest first.
    def indexing(tenant)
      all.select { |k| k.tenant == tenant && k.purpose == "blind_index" }.sort_by { |k| -k.version }
    end

    private

    def all
      keys, loaded_at = @lock.synchronize { [@keys, @loaded_at] }
      keys && now - loaded_at < 50 ? keys : load
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def unwrap(row)
      key_id = row["key_id"].to_i
      wrapped, checked = [row["wrapped"]].pack("H*"), [row["checked"]].pack("H*")
      aad = Bytes.lp("ps1/wrap") + Bytes.be(key_id, 4) + Bytes.lp(row["purpose"]) + Bytes.lp(row["tenant"]) + Bytes.lp("AES-256-GCM")
      key = Bytes.decrypt(@wrapping, wrapped[2...14], aad, wrapped[14..])
      raise "key #{key_id}: wrong check value" unless OpenSSL.fixed_length_secure_compare(Bytes.expand(key, "ps1/check", ""), checked)

      Key.new(key_id, row["tenant"], row["purpose"], row["version"].to_i, row["status"], key)
    end
  end

  # One sealed column. table and column are its labels: what phiseal.encrypted_field_metadata says.
  # A row key is a list of [type, value], for example [[:int, 42]].
  class Field
    def initialize(keys, table, column, normalise: :exact, bits: 256, pad_to: 0)
      @keys, @table, @column, @normalise, @bits, @pad_to = keys, table, column, NORMALISE.fetch(normalise), bits, pad_to
    end

    def seal(row_key, value, tenant: "")
      active = @keys.active(tenant, "cell")
      head, nonce = [0xE7, @pad_to.zero? ? 1 : 2].pack("CC") + Bytes.be(active.key_id, 4), OpenSSL::Random.random_bytes(12)
      head + nonce + Bytes.encrypt(cell(active.key, tenant, row_key), nonce, head + place(tenant, row_key), padded(value))
    end

    def open(row_key, sealed, tenant: "")
      raise ArgumentError, "not a sealed value" if sealed.bytesize < 34 || sealed.getbyte(0) != 0xE7 || ![1, 2].include?(sealed.getbyte(1))

      sealed = sealed.b
      key = @keys.named(tenant, sealed[2, 4].unpack1("N")).key
      plain = Bytes.decrypt(cell(key, tenant, row_key), sealed[6, 12], sealed[0, 6] + place(tenant, row_key), sealed[18..])
      plain = plain[0...plain.rindex("\x80".b)] if sealed.getbyte(1) == 2
      plain.force_encoding("UTF-8")
    end

    # The blind index to store; nil where the value normalises to nothing.
    def index(value, tenant: "") = index_under(@keys.active(tenant, "blind_index").key, value, tenant)

    # The blind indexes to look for: WHERE ssn_bidx IN (...). More than one while a key is rotated.
    def lookups(value, tenant: "") = @keys.indexing(tenant).filter_map { |k| index_under(k.key, value, tenant) }

    private

    def index_under(key, value, tenant)
      text, size = @normalise.(value), (@bits + 7) / 8
      return if text.empty?

      index = Bytes.mac(Bytes.expand(key, "ps1/bidx", context(tenant)), text)[0, size]
      index.setbyte(size - 1, index.getbyte(size - 1) & (0xFF << size * 8 - @bits) & 0xFF)
      index
    end

    def context(tenant) = [tenant, @table, @column].sum("".b) { |x| Bytes.lp(x) }
    def row(row_key) = row_key.sum("".b) { |type, value| Bytes.lp(PART.fetch(type).(value)) }
    def place(tenant, row_key) = context(tenant) + row(row_key)
    def cell(key, tenant, row_key) = Bytes.expand(Bytes.expand(key, "ps1/col", context(tenant)), "ps1/cell", row(row_key))

    def padded(value)
      plain = value.b
      @pad_to.zero? ? plain : plain + "\x80".b + "\0".b * (@pad_to - 1 - plain.bytesize % @pad_to)
    end
  end
end
