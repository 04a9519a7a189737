# Row keys, and values of each type: how Ruby's values become the bytes of docs/FORMAT.md, and back.
require "bigdecimal"
require "date"

module Phiseal
  # Row keys. Each function takes the value of one key column; nil where it does not fit.
  module RowKey
    WHOLE = /\A-?\d+\z/
    ALL = (-2**63..2**63 - 1)
    TIMES = (-210_866_803_200_000_000...2**63 - 1)
    integer = lambda do |value, range = ALL|
      number = value.is_a?(String) && WHOLE.match?(value) ? value.to_i : value
      Format.be(number, 8) if number.is_a?(Integer) && range.cover?(number)
    end
    numeric = lambda do |value|
      text = value.is_a?(BigDecimal) ? value.to_s("F") : value.to_s
      found = text.match(/\A(-?)0*(\d+)(?:\.(\d*?)0*)?\z/) or next
      text = found[2] + (found[3].to_s.empty? ? "" : ".#{found[3]}")
      text == "0" ? text : found[1] + text
    end
    date = lambda do |value|
      text = value.instance_of?(Date) ? value.iso8601 : value
      text if text.is_a?(String) && text.match?(/\A(?!0000)\d{4}-\d\d-\d\d\z/) && Date.valid_date?(*text.split("-").map(&:to_i), Date::GREGORIAN)
    end
    timestamp = lambda do |value|
      value = (value.to_r * 1_000_000).floor if value.is_a?(Time)
      integer.(value, TIMES)
    end
    PARTS = {
      "i" => integer, # an Integer, or its digits
      "u" => ->(value) { [value.delete("-")].pack("H*") if value.is_a?(String) && value.delete("-").match?(/\A\h{32}\z/) },
      "t" => ->(value) { value if value.is_a?(String) }, # char(n): without its trailing blanks
      "n" => numeric, # a BigDecimal, an Integer, or the text
      "d" => date, # a Date, or YYYY-MM-DD
      "z" => timestamp, # a Time, or microseconds since 1970 UTC
      "b" => ->(value) { value if value.is_a?(String) },
      "o" => ->(value) { value ? "\1" : "\0" if [true, false].include?(value) }
    }.freeze

    def self.tag_in_sqlite(value)
      return "i" if value.is_a?(Integer)

      value.is_a?(String) && value.encoding == Encoding::BINARY ? "b" : "t"
    end

    # The bytes of a row's key. `tags` is the field's `key_types`, `values` one value for each, in their order; or a value that
    # is no array, where the key has one column.
    def self.of(tags, values)
      values = [values] unless values.is_a?(Array)
      fits = values.size == tags.size
      raise WrongInput, "the row's key has #{tags.size} columns, and #{values.size} were given" unless fits

      tags.zip(values).each_with_index.sum("".b) do |(registered, value), at|
        tag = registered == "*" ? tag_in_sqlite(value) : registered
        data = PARTS.fetch(tag).(value)
        raise WrongInput, "column #{at + 1} of the row's key takes no such value (its type is `#{tag}`)" unless data

        Format.lp(tag.b + data.b)
      end
    end
  end

  # Values. The plaintext is the text that PostgreSQL itself makes of a value; here are the types that Ruby has.
  class Type
    day = /(?:\d{4}|[1-9]\d{4,})-\d\d-\d\d/
    time = /#{day} \d\d:\d\d:\d\d(?:\.\d{1,6})?/
    whole = [/0|-?[1-9]\d*/, ->(value) { value.to_s if value.is_a?(Integer) }, :to_i.to_proc]
    in_utc = ->(value) { value.getutc.strftime("%Y-%m-%d %H:%M:%S.%6N").sub(/\.?0*\z/, "") + "+00" if value.is_a?(Time) }
    number = ->(value) { value.is_a?(BigDecimal) ? value.to_s("F") : (value.to_s if value.is_a?(Integer)) }
    none = ->(_value) {}
    # For each type: the form of its text; a value of Ruby to text, or nil; the text to a value of Ruby.
    TYPES = {
      "smallint" => whole, "integer" => whole, "bigint" => whole,
      "boolean" => [/true|false/, ->(value) { value.to_s if [true, false].include?(value) }, ->(text) { text == "true" }],
      "uuid" => [/\h{8}(?:-\h{4}){3}-\h{12}/, none, :itself.to_proc],
      "numeric" => [/-?\d+(?:\.\d+)?|NaN|-?Infinity/, number, method(:BigDecimal)],
      "date" => [/#{day}(?: BC)?|-?infinity/, ->(value) { value.iso8601 if value.instance_of?(Date) },
                 ->(text) { text.match?(/\A\d{4}-\d\d-\d\d\z/) ? Date.iso8601(text, Date::GREGORIAN) : text }],
      "timestamp without time zone" => [/#{time}(?: BC)?|-?infinity/, none, :itself.to_proc],
      "timestamp with time zone" => [/#{time}\+00(?: BC)?|-?infinity/, in_utc, :itself.to_proc]
    }.freeze
    TEXT = [/.*/m, none, :itself.to_proc].freeze

    # `name` is the type as the registry names it.
    def initialize(name, sqlite: false)
      bare = name.gsub(/\([^)]*\)/, "")
      @name = name
      @bytes = sqlite ? bare.downcase.include?("blob") : bare == "bytea"
      @form, @write, @read = sqlite ? TEXT : TYPES.fetch(bare, TEXT)
    end

    # The text of a value; a String as it stands, if it has the form of the type.
    def to_text(value)
      text = value.is_a?(String) ? value.encode("UTF-8") : @write.(value)
      fits = text && text.valid_encoding? && !text.include?("\0") && text.match?(/\A(?:#{@form})\z/)
      fits ? text : raise(WrongInput, "this is no value of type #{@name}, or not in the form in which the server writes it")
    rescue EncodingError
      raise WrongInput, "the text is not in UTF-8", cause: nil
    end

    # The plaintext of a value.
    def to_bytes(value)
      return to_text(value) unless @bytes

      value.is_a?(String) ? value.b : raise(WrongInput, "a value of type #{@name} is a String of bytes")
    end

    # The value of a plaintext.
    def from_bytes(plain)
      return plain if @bytes

      text = plain.dup.force_encoding("UTF-8")
      raise ArgumentError unless text.valid_encoding?

      @read.(text)
    rescue ArgumentError
      raise DoesNotOpen, "the value opens, and is none of type #{@name}: `open_bytes` returns it", cause: nil
    end
  end
end
