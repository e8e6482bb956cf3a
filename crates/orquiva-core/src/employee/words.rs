//! The closed lists of an employee's fields: each word as it stands in JSON and SQL.

use crate::words::words;

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
