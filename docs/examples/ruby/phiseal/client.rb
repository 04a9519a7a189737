# Client, Field and Transaction: what an application works with; and how they reach a database.
require "json"

module Phiseal
  ATTEMPTS = 3 # of a transaction whose values the guard refuses because their key was replaced

  # The data keys and the registered columns of one database. All threads may share one; it may be made before a fork.
  class Client
    attr_reader :keys, :sqlite

    # wrapping: a WrappingKey (`key_from_file`, `key_from_env`, `key_from_command`), or an array of them, for the time in which
    # data keys are moved from one to another.
    # query: query.(sql) gives the rows, each a Hash by column name, on a connection of its own and never within a transaction of
    # the application: `Phiseal.own_connection` makes one. Its role needs USAGE on the schema `phiseal` and SELECT on
    # encryption_keys and encrypted_field_metadata.
    # schema: of phiseal's tables. sqlite: there is none, their names begin with `phiseal_`. refresh: seconds between two loads of
    # the keys in the background, at most 60.
    def initialize(wrapping, query, schema: "phiseal", sqlite: false, refresh: 30.0)
      @query, @sqlite, @fields = query, sqlite, {}
      @own = sqlite ? "phiseal_" : "\"#{schema.gsub('"', '""')}\"."
      hex = ->(column) { sqlite ? "lower(hex(#{column}))" : "encode(#{column}, 'hex')" } # drivers show bytes in different ways
      sql = "SELECT key_id, tenant, purpose, version, status, kek_ref, #{hex.("wrapped_key")} AS wrapped, " \
            "#{hex.("check_value")} AS checked FROM #{@own}encryption_keys"
      @keys = Keys.new([wrapping].flatten, -> { query.(sql) }, refresh)
    end

    # Loads the keys now. Call it when the application starts, to learn then whether the keys can be used.
    def load = keys.load

    # Ends the background thread, overwrites the keys and closes the connection of `own_connection`. The client cannot be used any
    # more.
    def close
      keys.close
      @query.close if @query.respond_to?(:close)
    end

    # A sealed column, by its labels as `phiseal fields list` shows them. Its type, key columns, padding and blind index are read
    # from phiseal's registry at the first use. `text`: the sealed values are in a text column; of a column that is sealed in place
    # this is known.
    def field(table, column, text: false) = @fields[[table, column, text]] ||= Field.new(self, table, column, text)

    # The row of encrypted_field_metadata with these labels.
    def registered(table, column)
      rows = @query.("SELECT * FROM #{@own}encrypted_field_metadata WHERE state <> 'forgotten'")
      rows.find { |row| row["table_label"] == table && row["column_label"] == column } or
        raise NotRegistered, "#{column} of #{table} is not registered: `phiseal fields list` shows the labels, and the first " \
                             "`phiseal backfill` registers a column"
    end

    # Yields a Transaction that may write sealed values, commits, and returns what the block returned.
    #
    # within: a lambda that takes a block, begins a transaction, calls the block with query(sql, params), which gives the rows, each
    # a Hash, and commits: `Phiseal.on_pg(connection)`.
    # If the guard refuses a value because its key was replaced a moment ago, the block is called again, in a new transaction and
    # with new keys; so it changes nothing but the database.
    def transaction(within)
      refused = nil
      ATTEMPTS.times do
        load if refused
        result = within.call do |query|
          tx = Transaction.new(self, query)
          yield(tx).tap { tx.finish }
        end
        return result
      rescue StandardError => e
        state, refused = Phiseal.guard_state(e), e
        if %w[PS003 PS006].include?(state)
          raise NotTrusted, "the guard refused a sealed value (#{state}): the statement ran outside of the transaction, or its " \
                            "connection commits each statement"
        end
        raise unless state == "PS002" || e.is_a?(StaleKeys)
      end
      raise StaleKeys, "the guard refused a value #{ATTEMPTS} times because its key is not active (PS002): is the tenant right?",
            cause: refused
    end
  end

  # One sealed column. The key of a row is given as an array, in the order of `key_columns`, or as its only value; the tenant as the
  # text of its column, and left out where the table has none.
  class Field
    attr_reader :table, :column

    def initialize(client, table, column, text)
      @client, @table, @column, @text = client, table, column, text
    end

    # What the registry says: "key_columns", "key_types", "tenant_column", "sealed_column", "blind_index_column", ...
    def facts
      @facts ||= @client.registered(table, column).to_h.dup.tap do |facts|
        facts["key_columns"], facts["key_types"] = JSON.parse(facts["key_columns"]), JSON.parse(facts["key_types"])
        facts["sealed_column"] ||= facts["column_name"]
        facts["type"] = Type.new(facts["source_type"], sqlite: @client.sqlite)
        @text ||= facts["form"] == "in_place"
      end
    end

    # The names of the columns that are the row's key.
    def key_columns = facts["key_columns"]

    # The sealed value for one row, and its blind index (nil where the column has none): write both, in one statement. `value` is a
    # String, or what fits the column's type: Integer, true, BigDecimal, Date, a Time for timestamptz. In a `Client#transaction` use
    # `tx.seal`, which also sees where the value went.
    def seal(key, value, tenant: "")
      has_tenant = !facts["tenant_column"].nil?
      raise WrongInput, "#{table} has #{has_tenant ? "a" : "no"} tenant column" if has_tenant == tenant.empty?

      row_key, plain = RowKey.of(facts["key_types"], key), facts["type"].to_bytes(value)
      seals = @client.keys.sealing(tenant, "cell")
      sealed = Format.seal(seals.key_id, seals.secret, context(tenant), row_key, plain, Integer(facts["pad_to"]))
      [@text ? Format.to_text(sealed) : sealed, facts["blind_index_column"] && index(value, tenant: tenant)]
    end

    # The blind index to store; nil where the value normalises to nothing.
    def index(value, tenant: "") = index_under(@client.keys.sealing(tenant, "blind_index"), value, tenant)

    # The blind indexes to look for: `WHERE ssn_bidx IN (...)`. More than one while a key is rotated; none where the value normalises
    # to nothing.
    def lookups(value, tenant: "") = @client.keys.indexing(tenant).filter_map { |key| index_under(key, value, tenant) }

    # The value of a row: by the column's type an Integer, true or false, BigDecimal or Date, else a String. nil for nil: what is not
    # sealed yet is in the plaintext column.
    def open(key, sealed, tenant: "") = sealed && facts["type"].from_bytes(open_bytes(key, sealed, tenant: tenant))

    # As `open`; the bytes that were sealed.
    def open_bytes(key, sealed, tenant: "")
      envelope = Phiseal.envelope_in(sealed)
      row_key = RowKey.of(facts["key_types"], key)
      opens = @client.keys.opening(tenant, Format.key_id_of(envelope))
      Format.open(opens.secret, context(tenant), row_key, envelope)
    end

    # As `open`, of a Hash that holds the key columns, the sealed column, and the tenant column if there is one.
    def open_row(row)
      key, tenant = place_in(row)
      open(key, row[facts["sealed_column"]], tenant: tenant)
    end

    # The key and the tenant in a row.
    def place_in(row)
      tenant = facts["tenant_column"]
      missing = [*key_columns, *tenant].reject { |name| row.key?(name) }
      raise NotChecked, "#{column} of #{table} cannot be opened without #{missing.join(", ")} of its row" if missing.any?

      [row.values_at(*key_columns), tenant ? row[tenant].to_s : ""]
    end

    private

    def index_under(key, value, tenant)
      raise WrongInput, "#{column} of #{table} has no blind index" unless facts["blind_index_column"]

      bits, text = Integer(facts["blind_index_bits"]), facts["type"].to_text(value)
      Format.blind_index(key.secret, context(tenant), facts["blind_index_normaliser"], bits, text)
    end

    def context(tenant) = Format.context_of(tenant, table, column)
  end

  # A transaction with the sealer's mark. Each value that it seals has to be seen once more before COMMIT, in its row, and is opened
  # there: the database accepts a value that was sealed for another row, and it would never open.
  class Transaction
    def initialize(client, query)
      @client, @query, @unseen = client, query, {}
      query.(client.sqlite ? "INSERT INTO phiseal_mark VALUES ('sealer')" : "SET LOCAL phiseal.sealer = 'on'", [])
    end

    # As `Field#seal`.
    def seal(field, key, value, tenant: "")
      field.seal(key, value, tenant: tenant).tap { |sealed, _| @unseen[Phiseal.stored(sealed)] = field }
    end

    # Runs a statement; its rows, each a Hash. One that writes sealed values returns them, with the key columns and the tenant column:
    # `RETURNING id, ssn_sealed`.
    def query(sql, params = [])
      rows = @query.(sql, params).to_a
      rows.each { |row| check(row) }
      params.flatten.each do |value|
        field = @unseen[Phiseal.stored(value)] or next
        next unless sql.match?(/\breturning\b/i)
        raise not_seen(field) if rows.any?

        @unseen.delete(Phiseal.stored(value)) # the statement wrote no row
      end
      rows
    end

    # Looks for values of this transaction in a row that was read (a Hash), and opens them. `query` does so with every row; this is
    # for rows that come from elsewhere, such as an ORM.
    def check(row)
      row.each_value do |value|
        field = @unseen[Phiseal.stored(value)] or next
        key, tenant = field.place_in(row)
        begin
          field.open_bytes(key, value, tenant: tenant)
        rescue DoesNotOpen
          raise DoesNotOpen, "a value of #{field.column} of #{field.table} was written to a row for which it was not sealed: " \
                             "nothing was committed", cause: nil
        end
        @unseen.delete(Phiseal.stored(value))
      end
    end

    # What is done before COMMIT.
    def finish
      @unseen.each_value { |field| raise not_seen(field) }
      @query.("DELETE FROM phiseal_mark", []) if @client.sqlite
    end

    private

    def not_seen(field)
      columns = [*field.key_columns, *field.facts["tenant_column"], field.facts["sealed_column"]].join(", ")
      NotChecked.new("a value sealed for #{field.column} of #{field.table} was not seen in its row: add `RETURNING #{columns}` to " \
                     "the statement, or read these columns before the transaction ends")
    end
  end

  # The envelope in what a driver gave: bytes, the text form, or a bytea as PostgreSQL writes it in hexadecimal digits.
  def self.envelope_in(sealed)
    return Format.from_text(sealed) if sealed.start_with?("ps1.")

    sealed.start_with?("\\x") ? [sealed[2..]].pack("H*") : sealed.b
  end

  # A sealed value as it is compared, whichever way a driver gave it.
  def self.stored(value) = value.is_a?(String) ? (value.start_with?("\\x") ? [value[2..]].pack("H*") : value.b) : nil

  # The SQLSTATE of an error, by whichever driver or ORM it was raised; in SQLite that in a guard's message.
  def self.guard_state(error)
    [error, error.cause].compact.each do |one|
      state = one.result&.error_field("C".ord) if one.respond_to?(:result)
      state ||= one.message[/\Aphiseal (PS\d{3}): /, 1]
      return state if state
    end
    nil
  end

  # query.(sql) on a connection that nobody else uses. The block makes a PG::Connection. It is called again where the connection was
  # lost, and in a process that was forked.
  def self.own_connection(&connect) = OwnConnection.new(connect)

  class OwnConnection # :nodoc:
    def initialize(connect) = (@connect, @lock = connect, Mutex.new)

    def call(sql)
      @lock.synchronize do
        failed = false
        begin
          @connection, @process = @connect.call, Process.pid unless @connection && @process == Process.pid
          @connection.exec(sql).to_a
        rescue StandardError
          @connection = nil
          raise if failed

          failed = true
          retry
        end
      end
    end

    def close = @lock.synchronize { @connection&.close }
  end

  # Transactions on a PG::Connection, as `within` of Client#transaction.
  def self.on_pg(connection)
    typed = ->(value) { value.is_a?(String) && value.encoding == Encoding::BINARY ? { value: value, format: 1 } : value }
    query = ->(sql, params) { connection.exec_params(sql, params.map(&typed)).to_a }
    ->(&work) { connection.transaction { work.call(query) } }
  end
end
