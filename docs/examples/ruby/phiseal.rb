# Seals and opens values of phiseal in an application, and makes the blind indexes that find them.
#
# Copy this file and the folder beside it into the application. It needs Ruby 3.0 and nothing else; any driver or ORM will do.
# docs/APPLICATIONS.md shows reads, lookups and writes. In short:
#
#   client = Phiseal::Client.new(Phiseal.key_from_file("/etc/phiseal/wrapping.key"), Phiseal.own_connection { PG.connect(URL) })
#   ssn = client.field("public.patients", "ssn")
#   ssn.open(42, sealed)                          # "142-52-0042"
#
#   errors.rb   what can go wrong
#   format.rb   the bytes of docs/FORMAT.md; reads no table
#   values.rb   row keys, and values of each type as text
#   keys.rb     the wrapping key, and the data keys of one database
#   client.rb   Client, Field, Transaction, and how they reach a database
#
# No error holds a value, a row's key or an encryption key. `Client#close` overwrites the wrapping key and the data keys; Ruby
# wipes neither the key of a cell nor a value that was opened.
require_relative "phiseal/errors"
require_relative "phiseal/format"
require_relative "phiseal/values"
require_relative "phiseal/keys"
require_relative "phiseal/client"
