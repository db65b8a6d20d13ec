//! Enums whose values are their names on the wire.

/// An enum whose values are their names on the wire, with `Unknown` for those of a later version of the hub.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $word:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$each])* $word,)+
            /// A value that this version does not know.
            #[serde(other)]
            Unknown,
        }
    };
}
pub(crate) use words;
