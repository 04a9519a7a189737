# A model with a sealed column in Rails (ActiveRecord alone); docs/adopting.md walks through it.
# STEP=1: reads both forms and writes plaintext. STEP=2: reads both and seals what it writes.
# STEP=3: the plaintext is out of the model, as it must be for `phiseal finalize`.
require "active_record"
require_relative "../ruby/phiseal"

STEP = Integer(ENV.fetch("STEP", "3"))
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
CLIENT = Phiseal::Client.new(Phiseal.key_from_file(ENV.fetch("PHISEAL_KEY_FILE")),
                             Phiseal.own_connection { PG.connect(ENV.fetch("DATABASE_URL")) })
SSN = CLIENT.field("public.patients", "ssn")

class Patient < ActiveRecord::Base
  # With this, Rails names every other column and never this one: in SELECT, INSERT and RETURNING.
  self.ignored_columns = ["ssn"] if STEP >= 3

  # Reading: the sealed value wins; the plaintext counts only where there is none yet.
  def ssn_and_form
    return [SSN.open(id, ssn_sealed), "sealed"] if ssn_sealed

    STEP < 3 && ssn ? [ssn, "plaintext"] : [nil, "none"]
  end

  # Looking up: by the blind index, and by the plaintext where there is no index yet.
  def self.find_by_ssn_forms(value)
    found = where(ssn_bidx: SSN.lookups(value))
    found = found.or(where(ssn: value)) if STEP < 3
    found.order(:id)
  end

  # A transaction of Rails', as CLIENT.transaction needs it.
  WITHIN = lambda do |&work|
    transaction { work.call(->(sql, _) { connection.exec_query(sql).to_a }) }
  end

  # Writing: the plaintext stays out, and the guard clears what is there.
  def seal(tx, value)
    self.ssn_sealed, self.ssn_bidx = tx.seal(SSN, id, value)
    # The same value has the same index, and Rails would not write it: the guard then takes the index for forgotten.
    ssn_bidx_will_change!
    save!
    tx.check(reload.attributes) # reads the row again, so that its sealed value is opened before COMMIT
  end

  def self.create_with(name, value)
    # A sealed value is bound to its row's key, so the key is taken first.
    id = connection.select_value("SELECT nextval(pg_get_serial_sequence('patients', 'id'))")
    return create!(id: id, name: name, ssn: value) if STEP < 2

    CLIENT.transaction(WITHIN) { |tx| new(id: id, name: name).tap { |patient| patient.seal(tx, value) } }
  end

  def self.change(id, value)
    return find(id).update!(ssn: value) if STEP < 2 && value

    CLIENT.transaction(WITHIN) do |tx|
      patient = find(id)
      patient.seal(tx, value.to_s)
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
rescue ActiveRecord::ActiveRecordError, Phiseal::Error => e
  puts "#{e.class}: #{e.message.lines.first}"
  exit 1
end
