# What can go wrong. No message holds a value, a row's key or an encryption key.
module Phiseal
  class Error < StandardError; end

  # The keys are older than a minute and cannot be loaded; or the guard refused a value because its key is not active, also
  # after the keys were loaded again. Nothing was written. Try again later.
  class StaleKeys < Error; end

  # The guard refused a sealed value because its transaction does not have the sealer's mark.
  class NotTrusted < Error; end

  # The value was sealed for another row, column, table or tenant, or was altered, or its key is gone.
  class DoesNotOpen < Error; end

  # The tenant has no key that may seal. An operator runs `phiseal keys create --tenant T --if-missing`.
  class NoTenantKey < Error; end

  # The wrapping key cannot be read, or the data keys need another one, or a data key is damaged.
  class KeysUnusable < Error; end

  # phiseal does not know a column under these labels. The first `phiseal backfill` registers it.
  class NotRegistered < Error; end

  # A value was sealed in a transaction, and the row that holds it was not seen before COMMIT.
  class NotChecked < Error; end

  # A value, a row's key or a tenant does not fit its column.
  class WrongInput < Error; end
end
