//! Enums whose variants have a fixed word each: in a table of ours, the plan file, a URL or JSON.
//! Owns how a word is read and written. The enums and their words live in their modules.

/// Declares an enum with a word for each variant: `ALL`, `as_str`, `Display` and `FromStr`.
///
/// ```ignore
/// word_enum! {
///     /// What a data key is for.
///     Purpose else UnknownPurpose {
///         /// Seals cells.
///         Cell = "cell",
///         /// Makes blind indexes.
///         BlindIndex = "blind_index",
///     }
/// }
/// ```
///
/// What follows `else` is the error of `FromStr`, a unit struct; without it, the error is `()`.
macro_rules! word_enum {
    ($(#[$meta:meta])* $name:ident $(else $unknown:ident)? {
        $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every variant, in the order of its declaration.
            #[allow(dead_code, reason = "not every enum is listed somewhere")]
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::word_enum!(@unknown $($unknown)?);

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::words::word_enum!(@unknown $($unknown)?)),
                }
            }
        }
    };

    (@unknown) => { () };
    (@unknown $unknown:ident) => { $unknown };
}

pub(crate) use word_enum;
