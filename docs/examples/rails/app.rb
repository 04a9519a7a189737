# A model with a sealed column in Rails (ActiveRecord alone); docs/adopting.md walks through it.
# STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
# STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`.
require "active_record"
require_relative "../phiseal"

STEP = Integer(ENV.fetch("STEP", "3"))
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
KEYS = Phiseal::Keys.new(File.read(ENV.fetch("PHISEAL_KEY_FILE"))) { |sql| ActiveRecord::Base.connection.select_all(sql).to_a }
SSN = Phiseal::Field.new(KEYS, "public.patients", "ssn", normalise: :digits)

class Patient < ActiveRecord::Base
  # With this, Rails names every other column and never this one: in SELECT, INSERT and RETURNING.
  self.ignored_columns = ["ssn"] if STEP >= 3

  # Reading: the sealed value wins; the plaintext counts only where there is none yet.
  def ssn_and_form
    return [SSN.open([[:int, id]], ssn_sealed), "sealed"] if ssn_sealed

    STEP < 3 && ssn ? [ssn, "plaintext"] : [nil, "none"]
  end

  # Looking up: by the blind index, and by the plaintext where there is no index yet.
  def self.find_by_ssn_forms(value)
    found = where(ssn_bidx: SSN.lookups(value))
    found = found.or(where(ssn: value)) if STEP < 3
    found.order(:id)
  end

  # Writing: the plaintext stays out, and the guard clears what is there.
  def seal(value)
    assign_attributes(ssn_sealed: SSN.seal([[:int, id]], value), ssn_bidx: SSN.index(value))
    # The same value has the same index, and Rails would not write it: the guard then takes the index for forgotten.
    ssn_bidx_will_change!
  end

  # A transaction that may write sealed values. Run again with fresh keys where the key was rotated away a moment ago.
  def self.sealing
    again = true
    begin
      transaction do
        connection.execute("SET LOCAL phiseal.sealer = 'on'")
        yield
      end
    rescue ActiveRecord::StatementInvalid => e
      raise unless again && e.cause.is_a?(PG::Error) && e.cause.result&.error_field(PG::PG_DIAG_SQLSTATE) == "PS002"

      again = false
      KEYS.load
      retry
    end
  end

  def self.create_with(name, value)
    # A sealed value is bound to its row's key, so the key is taken first.
    id = connection.select_value("SELECT nextval(pg_get_serial_sequence('patients', 'id'))")
    return create!(id: id, name: name, ssn: value) if STEP < 2

    sealing { new(id: id, name: name).tap { |patient| patient.seal(value) }.tap(&:save!) }
  end

  def self.change(id, value)
    return find(id).update!(ssn: value) if STEP < 2 && value

    sealing do
      patient = find(id)
      patient.seal(value.to_s)
      patient.save!
      # Removing a value takes two writes: the first has cleared the plaintext, whether the model knows it or not.
      patient.update!(ssn_sealed: nil, ssn_bidx: nil) if value.nil?
    end
  end

  def show
    value, form = ssn_and_form
    puts "#{id} #{name}: #{value} (#{form})"
  end
end

command, *args = ARGV
begin
  case command
  when "show" then Patient.find(args[0]).show
  when "find" then Patient.find_by_ssn_forms(args[0]).each(&:show)
  when "create" then Patient.find(Patient.create_with(args[0], args[1]).id).show
  when "change"
    Patient.change(args[0], args[1])
    Patient.find(args[0]).show
  when "rename" # an ordinary write: Rails writes what was changed only
    Patient.find(args[0]).tap { |patient| patient.update!(name: args[1]) }.show
  end
rescue ActiveRecord::ActiveRecordError => e
  puts "#{e.class}: #{e.message.lines.first}"
  exit 1
end
