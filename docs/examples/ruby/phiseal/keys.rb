# The wrapping key, and the data keys of one database: loaded in the background, never used when older than a minute.
require "open3"

module Phiseal
  # The key that unwraps data keys. It exists in this process only: no SQL text and no error holds it.
  class WrappingKey
    attr_reader :reference

    def initialize(line, origin = "the text given")
      @secret = Format.wrapping_key(line)
      raise KeysUnusable, "#{origin} is no wrapping key: that is a line of `phiseal-wk-1.` and 43 characters" unless @secret

      @reference = Format.reference(@secret)
    end

    def unwrap(*row) = Format.unwrap(@secret, *row)
    def wipe = @secret.replace("\0" * 32)
    def inspect = "#<Phiseal::WrappingKey #{reference}>"
  end

  # The wrapping key in a file: a regular one, of this user, that nobody else may read or write (mode 0600).
  def self.key_from_file(path)
    File.open(path, File::RDONLY | File::NOFOLLOW | File::BINARY) do |file|
      facts = file.stat
      safe = facts.file? && (facts.mode & 0o077).zero? && facts.uid == Process.euid
      raise KeysUnusable, "the key file #{path} must be a regular file of this user, with mode 0600" unless safe

      WrappingKey.new(file.read(100).to_s, "the key file #{path}")
    end
  rescue SystemCallError => e
    raise KeysUnusable, "the key file #{path} cannot be read: #{e.class.name}", cause: nil
  end

  # The wrapping key in an environment variable.
  def self.key_from_env(name) = WrappingKey.new(ENV.fetch(name, ""), "the environment variable #{name}")

  # The wrapping key that a program prints: the program and its arguments; no shell is used.
  def self.key_from_command(program, *arguments)
    line, done = Open3.capture2([program, program], *arguments)
    raise KeysUnusable, "the key command #{program} failed (#{done.exitstatus})" unless done.success?

    WrappingKey.new(line, "the output of the key command #{program}")
  rescue SystemCallError => e
    raise KeysUnusable, "the key command #{program} failed (#{e.class.name})", cause: nil
  end

  # The data keys of one database. `query` is called without arguments and reads the rows of encryption_keys.
  class Keys
    AGE_MAX = 60.0 # seconds: older keys seal and open nothing until they are loaded again
    PAUSE = 1.0 # seconds between two loads because of a key that is not there
    MISSING = 2.0 # seconds for which a key that was not found is not looked for again
    Key = Struct.new(:key_id, :tenant, :purpose, :version, :status, :check, :secret) do
      def for?(whose, what) = tenant == whose && purpose == what
      def inspect = "#<Phiseal::Keys::Key #{key_id}>"
      alias_method :to_s, :inspect
    end

    def initialize(wrapping, query, refresh)
      @wrapping = wrapping.to_h { |key| [key.reference, key] }
      @query, @refresh = query, [refresh, AGE_MAX].min
      @keys, @loaded_at, @missing, @closed, @lock = {}, nil, {}, false, Mutex.new
    end

    # Ends the background thread and overwrites the keys.
    def close
      @closed = true
      @thread&.kill
      @lock.synchronize do
        @wrapping.each_value(&:wipe)
        @keys.each_value { |key| key.secret&.replace("\0" * 32) }
        @keys, @loaded_at = {}, nil
      end
    end

    # Loads the keys now, unless another thread began to do so after this call.
    def load
      asked = now
      @lock.synchronize do
        raise Error, "the client is closed" if @closed
        return if @loaded_at && @loaded_at > asked

        begun = now # the keys are as old as the question for them
        @keys = @query.call.filter_map { |row| key_in(row) }.to_h { |key| [key.key_id, key] }
        @loaded_at = begun
        @thread = Thread.new { keep_loading } unless @thread&.alive? # a process that was forked has no thread yet
      end
    end

    # The key that seals for a tenant, or makes its blind indexes: the active one.
    def sealing(tenant, purpose)
      own = ->(status) { ->(keys) { keys.each_value.find { |key| key.for?(tenant, purpose) && key.status == status } } }
      key = found([tenant, purpose], own.("active")) and return key
      suspended = own.("suspended").(@keys)
      raise NoTenantKey, "the #{purpose} key of this tenant is suspended: an operator resumes it or makes another" if suspended

      raise NoTenantKey, "this tenant has no active #{purpose} key: `phiseal keys create --tenant T --if-missing` makes it"
    end

    # The key that an envelope names.
    def opening(tenant, key_id)
      key = found(key_id, ->(keys) { keys[key_id] unless keys[key_id]&.status == "pre_active" })
      raise DoesNotOpen, "there is no key #{key_id} that opens values" unless key
      raise DoesNotOpen, "key #{key_id} was destroyed" unless key.secret
      raise DoesNotOpen, "key #{key_id} is of another tenant, or of blind indexes" unless key.for?(tenant, "cell")

      key
    end

    # All keys that a blind index of the tenant may be made with, the newest first: while a rotation prepares a key, that one too.
    def indexing(tenant)
      own = current.values.select { |key| key.for?(tenant, "blind_index") && key.secret }
      own.empty? ? [sealing(tenant, "blind_index")] : own.sort_by { |key| -key.version }
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def keep_loading
      pause = @refresh
      loop do
        sleep pause
        pause = begin
          load
          @refresh
        rescue StandardError # who needs the keys once they are too old is told
          [5.0, @refresh].min
        end
      end
    end

    def key_in(row)
      key_id, check, known = Integer(row["key_id"]), row["checked"], @keys[Integer(row["key_id"])]
      key = Key.new(key_id, row["tenant"], row["purpose"], Integer(row["version"]), row["status"], check)
      return key if key.status == "destroyed"

      # Also where it is under a new wrapping key meanwhile.
      key.secret = known&.secret && known.check == check ? known.secret : unwrapped(key, row)
      key
    rescue KeysUnusable
      raise unless row["status"] == "pre_active" # no value names it yet
    end

    def unwrapped(key, row)
      wrapping = @wrapping[row["kek_ref"]]
      given = @wrapping.keys.join(" or ")
      raise KeysUnusable, "key #{key.key_id} is wrapped under #{row["kek_ref"]}, and the wrapping key given is #{given}" unless wrapping

      wrapping.unwrap(key.key_id, key.purpose, key.tenant, [row["wrapped"]].pack("H*"), [row["checked"]].pack("H*"))
    end

    def current
      load unless @loaded_at
      return @keys if now - @loaded_at <= AGE_MAX

      begin
        load
      rescue StandardError => e
        raise StaleKeys, "the keys are more than a minute old and cannot be loaded again#{" (#{e.message})" if e.is_a?(Error)}"
      end
      @keys
    end

    # What `find` finds in the keys. If that is nothing, the keys are loaded: it may have been made a moment ago.
    def found(name, find)
      known = find.(current)
      return known if known || now - (@missing[name] || -MISSING) < MISSING

      sleep [@loaded_at + PAUSE - now, 0].max
      load
      find.(@keys).tap { |key| @missing = @missing.to_a.last(99).to_h.merge(name => now) unless key }
    end
  end
end
