// What can go wrong. No message holds a value, a row's key or an encryption key.

/** Any error of this package. */
export class PhisealError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = this.constructor.name;
  }
}
/** The keys are older than a minute and cannot be loaded; or the guard refused a value because its key is not active, also
 *  after the keys were loaded again. Nothing was written. Try again later. */
export class StaleKeys extends PhisealError {}
/** The guard refused a sealed value because its transaction does not have the sealer's mark. */
export class NotTrusted extends PhisealError {}
/** The value was sealed for another row, column, table or tenant, or was altered, or its key is gone. */
export class DoesNotOpen extends PhisealError {}
/** The tenant has no key that may seal. An operator runs `phiseal keys create --tenant T --if-missing`. */
export class NoTenantKey extends PhisealError {}
/** The wrapping key cannot be read, or the data keys need another one, or a data key is damaged. */
export class KeysUnusable extends PhisealError {}
/** phiseal does not know a column under these labels. The first `phiseal backfill` registers it. */
export class NotRegistered extends PhisealError {}
/** A value was sealed in a transaction, and the row that holds it was not seen before COMMIT. */
export class NotChecked extends PhisealError {}
/** A value, a row's key or a tenant does not fit its column. */
export class WrongInput extends PhisealError {}
