//! Declares an error enum whose code, message, hint and exit status stand together, one entry a
//! variant.
//! Owns the form of an entry. The enums live in their modules; [`Coded`](super::Coded) is what the
//! rest of the program sees of them.

/// Declares an error enum and implements [`Coded`](super::Coded) for it; `thiserror` adds `Display`,
/// `Error` and `From`.
///
/// ```ignore
/// coded! {
///     /// Why a key cannot be used.
///     #[derive(Debug, thiserror::Error)]
///     pub enum KeyError, exit: Keys {
///         /// Users other than the owner may read or write the key file.
///         FileMode {
///             /// The file.
///             path: PathBuf,
///             /// Its permission bits.
///             mode: u32,
///         } = "E0403"("key file {path} has mode {mode:04o}, wider than 0600"),
///             hint: "run chmod 600 on it";
///         /// Another user could have changed the program.
///         Untrusted {
///             /// How.
///             found: Untrusted,
///         } = "E0119"("the key command is not trusted: {found}"), exit: Usage,
///             hint: found.hint();
///         /// The key table could not be read or written.
///         Store(#[from] error: StoreError) = error(transparent);
///     }
/// }
/// ```
///
/// - The message is what `#[error(...)]` of `thiserror` takes.
/// - The hint is an expression that becomes a `String`: a literal, a `format!`, a call. It may use
///   the fields, which are references.
/// - The exit is the one at the head of the enum, unless the entry has its own.
/// - The field of a tuple variant has a name here, by which the entry refers to it.
/// - A field's name in the place of the code takes code, hint and exit from that field, which is a
///   [`Coded`](super::Coded) error itself; with `(transparent)`, the message too.
/// - `lines: CONDITION` keeps the newlines of the message: then each part of it must be safe to
///   show, see [`Foreign`](crate::foreign::Foreign).
macro_rules! coded {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident, exit: $default:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident
                $({ $($(#[$field_meta:meta])* $field:ident: $field_type:ty),+ $(,)? })?
                $(($(#[$inner_meta:meta])* $inner:ident: $inner_type:ty))?
                = $code:tt $message:tt
                $(, exit: $exit:ident)? $(, hint: $hint:expr)? $(, lines: $lines:expr)?;
            )+
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $(
                $(#[$variant_meta])*
                #[error $message]
                $variant
                $({ $($(#[$field_meta])* $field: $field_type),+ })?
                $(($(#[$inner_meta])* $inner_type))?,
            )+
        }

        impl $name {
            /// The codes of its own variants, each with its exit status.
            #[doc(hidden)]
            #[allow(dead_code, reason = "tests reach only the enums that are public")]
            pub const CODES: &'static [&'static [(&'static str, $crate::error::Exit)]] =
                &[$($crate::error::coded!(@own $code, $default $($exit)?)),+];
        }

        #[allow(unused_variables, reason = "each arm binds all fields of its variant")]
        impl $crate::error::Coded for $name {
            fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { $($($field),+)? $(0: $inner)? } =>
                        $crate::error::coded!(@code $code),)+
                }
            }

            fn message(&self) -> String {
                match self {
                    $(Self::$variant { $($($field),+)? $(0: $inner)? } =>
                        $crate::error::coded!(@message self, $code $message $(, $lines)?),)+
                }
            }

            fn hint(&self) -> String {
                match self {
                    $(Self::$variant { $($($field),+)? $(0: $inner)? } =>
                        $crate::error::coded!(@hint $code $(, $hint)?),)+
                }
            }

            fn exit(&self) -> $crate::error::Exit {
                match self {
                    $(Self::$variant { $($($field),+)? $(0: $inner)? } =>
                        $crate::error::coded!(@exit $code, $default $($exit)?),)+
                }
            }
        }
    };

    (@own $code:literal, $default:ident) => { &[($code, $crate::error::Exit::$default)] };
    (@own $code:literal, $default:ident $exit:ident) => { &[($code, $crate::error::Exit::$exit)] };
    (@own $inner:ident, $default:ident) => { &[] };

    (@code $code:literal) => { $code };
    (@code $inner:ident) => { $inner.code() };

    (@message $this:ident, $inner:ident (transparent)) => { $inner.message() };
    (@message $this:ident, $code:tt $message:tt) => {
        $crate::foreign::Foreign(&$this.to_string()).to_string()
    };
    (@message $this:ident, $code:tt $message:tt, $lines:expr) => {
        if $lines { $this.to_string() } else { $crate::error::coded!(@message $this, $code $message) }
    };

    (@hint $code:literal, $hint:expr) => { String::from($hint) };
    (@hint $inner:ident) => { $inner.hint() };

    (@exit $code:literal, $default:ident) => { $crate::error::Exit::$default };
    (@exit $code:literal, $default:ident $exit:ident) => { $crate::error::Exit::$exit };
    (@exit $inner:ident, $default:ident) => { $inner.exit() };
}

pub(crate) use coded;

#[cfg(test)]
mod tests {
    use crate::error::{Coded, Exit};

    coded! {
        /// An error within another.
        #[derive(Debug, thiserror::Error)]
        enum Inner, exit: Held {
            /// One of several lines.
            Lines {
                /// The second line.
                second: &'static str,
            } = "E0001"("first\n{second}"),
                hint: *second, lines: *second != "hidden";
        }
    }

    coded! {
        /// An error with one of its own and that of another.
        #[derive(Debug, thiserror::Error)]
        enum Outer, exit: Usage {
            /// Its own.
            Own = "E0002"("of its own"),
                hint: "try";
            /// Its own too, with the other's message.
            Named(error: Inner) = "E0003"(transparent), exit: Bug,
                hint: format!("after {}", error.hint());
            /// The other as it is.
            Passed(#[from] error: Inner) = error(transparent);
            /// The other, and where.
            At {
                /// Where.
                line: u8,
                /// What.
                error: Box<Inner>,
            } = error("{line}: {error}");
        }
    }

    fn shown(error: &impl Coded) -> (&str, String, String, Exit) {
        (error.code(), error.message(), error.hint(), error.exit())
    }

    #[test]
    fn an_entry_has_all_that_is_shown() {
        let s = str::to_owned;
        let inner = |second| Inner::Lines { second };
        assert_eq!(
            shown(&Outer::Own),
            ("E0002", s("of its own"), s("try"), Exit::Usage)
        );
        assert_eq!(
            shown(&Outer::Named(inner("b"))),
            ("E0003", s("first\\nb"), s("after b"), Exit::Bug)
        );
        assert_eq!(
            shown(&Outer::from(inner("b"))),
            ("E0001", s("first\nb"), s("b"), Exit::Held)
        );
        assert_eq!(
            shown(&inner("hidden")),
            ("E0001", s("first\\nhidden"), s("hidden"), Exit::Held)
        );
        let error = Box::new(inner("b"));
        assert_eq!(
            shown(&Outer::At { line: 7, error }),
            ("E0001", s("7: first\\nb"), s("b"), Exit::Held)
        );
    }

    #[test]
    fn an_enum_lists_the_codes_of_its_own() {
        let own: Vec<_> = Outer::CODES.iter().copied().flatten().copied().collect();
        assert_eq!(own, [("E0002", Exit::Usage), ("E0003", Exit::Bug)]);
        assert_eq!(Inner::CODES.len(), 1);
    }
}
