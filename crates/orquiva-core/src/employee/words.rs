//! The closed lists of an employee's fields: each word as it stands in JSON and SQL.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$word_doc:meta])* $name:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$word_doc])* $name,)* }

        impl $type {
            /// Every word, in order.
            pub const ALL: &'static [&'static str] = &[$($text,)*];

            /// As it stands in JSON and SQL.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not one of the words"))
            }
        }
    };
}

words! {
    /// Where an employee stands.
    Status {
        /// Hired, not yet begun.
        Onboarding "onboarding",
        /// At work.
        Active "active",
        /// Away for a while.
        OnLeave "on_leave",
        /// At work, and the last day is known.
        Terminating "terminating",
        /// Gone.
        Terminated "terminated",
    }
}

impl Status {
    /// Those that a client writes; the others come from the calls that end and cancel an employment.
    pub const WRITABLE: &'static [&'static str] = &["onboarding", "active", "on_leave"];
}

words! {
    /// The kind of contract.
    EmploymentType {
        /// Full time.
        FullTime "full_time",
        /// Part time.
        PartTime "part_time",
        /// Intern.
        Intern "intern",
        /// Temporary.
        Temporary "temporary",
        /// Contractor.
        Contractor "contractor",
    }
}

words! {
    /// Gender, as the employee states it.
    Gender {
        /// Female.
        Female "female",
        /// Male.
        Male "male",
        /// Neither of both.
        NonBinary "non_binary",
        /// They would rather not say.
        Undisclosed "undisclosed",
    }
}

words! {
    /// The kind of an identity document.
    NationalIdType {
        /// Documento nacional de identidad (Spain).
        Dni "dni",
        /// Número de identidad de extranjero (Spain).
        Nie "nie",
        /// A passport.
        Passport "passport",
        /// Any other.
        Other "other",
    }
}
