//! What the fields of a person are called on screens, and how each is filled in.

use orquiva_core::Language;

/// A choice: its word in JSON, in Spanish and in English.
pub(crate) type Choice = (&'static str, &'static str, &'static str);

/// How a field is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line of text.
    Text,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A day.
    Day,
    /// One of these.
    Choice(&'static [Choice]),
    /// A country of two letters.
    Country,
    /// The name of a department.
    Department,
    /// Someone of the company, by their e-mail.
    Person,
}

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Who they are.
    Identity,
    /// What they do.
    Work,
    /// What the law protects.
    Protected,
}

/// A field of a person. The part of an object has its path: `homeAddress.city`.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    names: (&'static str, &'static str),
    notes: (&'static str, &'static str),
    pub(crate) kind: Kind,
    pub(crate) group: Group,
}

impl Field {
    /// What it is called.
    pub(crate) fn label(&self, language: Language) -> &'static str {
        language.pick(self.names.0, self.names.1)
    }

    /// What to know about it.
    pub(crate) fn note(&self, language: Language) -> &'static str {
        language.pick(self.notes.0, self.notes.1)
    }

    /// Name, object and part of it: `homeAddress` and `city`.
    pub(crate) fn part(&self) -> Option<(&'static str, &'static str)> {
        self.name.split_once('.')
    }
}

const NOTHING: (&str, &str) = ("", "");

macro_rules! fields {
    ($($group:ident: $($name:literal $es:literal $en:literal $kind:expr, $notes:expr;)*)*) => {
        /// Every field that a person has and people write, in the order of the screens.
        pub(crate) const FIELDS: &[Field] = &[$($(
            Field { name: $name, names: ($es, $en), notes: $notes, kind: $kind, group: Group::$group },
        )*)*];
    };
}

fields! {
    Identity:
        "firstName" "Nombre" "First name" Kind::Text, NOTHING;
        "lastName" "Primer apellido" "Last name" Kind::Text, NOTHING;
        "secondLastName" "Segundo apellido" "Second last name" Kind::Text, NOTHING;
        "fullName" "Nombre completo" "Full name" Kind::Text,
            ("Vacío: nombre y apellidos.", "Empty: first and last names.");
        "preferredName" "Nombre que prefiere" "Preferred name" Kind::Text, NOTHING;
        "email" "Correo de trabajo" "Work e-mail" Kind::Email, NOTHING;
        "phone" "Teléfono de trabajo" "Work phone" Kind::Phone, ("Como +34 600 123 456.", "Such as +44 20 7946 0000.");
    Work:
        "employeeNumber" "Número de empleado" "Employee number" Kind::Text, NOTHING;
        "jobTitle" "Puesto" "Job title" Kind::Text, NOTHING;
        "department" "Departamento" "Department" Kind::Department, NOTHING;
        "managerId" "Responsable" "Manager" Kind::Person,
            ("Su correo de trabajo. Escriba para buscar.", "Their work e-mail. Type to search.");
        "location" "Centro de trabajo" "Location" Kind::Text, NOTHING;
        "employmentType" "Tipo de contrato" "Kind of contract" Kind::Choice(CONTRACTS), NOTHING;
        "startDate" "Fecha de alta" "First day" Kind::Day, NOTHING;
        "status" "Situación" "Status" Kind::Choice(WRITABLE), NOTHING;
    Protected:
        "personalEmail" "Correo personal" "Personal e-mail" Kind::Email, NOTHING;
        "birthDate" "Fecha de nacimiento" "Date of birth" Kind::Day, NOTHING;
        "gender" "Género" "Gender" Kind::Choice(GENDERS), NOTHING;
        "nationality" "Nacionalidad" "Nationality" Kind::Country, ("Dos letras, como ES.", "Two letters, such as GB.");
        "nationalId.type" "Tipo de documento" "Kind of document" Kind::Choice(DOCUMENTS), NOTHING;
        "nationalId.value" "Número de documento" "Document number" Kind::Text, NOTHING;
        "nationalId.country" "País del documento" "Country of the document" Kind::Country,
            ("No hace falta para DNI y NIE.", "Not needed for DNI and NIE.");
        "homeAddress.line1" "Domicilio" "Home address" Kind::Text, NOTHING;
        "homeAddress.line2" "Domicilio, segunda línea" "Home address, second line" Kind::Text, NOTHING;
        "homeAddress.postalCode" "Código postal" "Postal code" Kind::Text, NOTHING;
        "homeAddress.city" "Localidad" "City" Kind::Text, NOTHING;
        "homeAddress.region" "Provincia" "Region" Kind::Text, NOTHING;
        "homeAddress.country" "País" "Country" Kind::Country, ("Dos letras, como ES.", "Two letters, such as GB.");
}

/// What changes without being a field of a form, as the history tells it.
const OTHERS: &[Choice] = &[
    ("departmentId", "Departamento", "Department"),
    ("endDate", "Último día", "Last day"),
    ("terminationReason", "Motivo de la baja", "Reason for leaving"),
    ("originalHireDate", "Primera alta", "First hire date"),
    ("nationalId", "Documento de identidad", "Identity document"),
    ("homeAddress", "Domicilio", "Home address"),
];

/// Every status.
pub(crate) const STATUSES: &[Choice] = &[
    ("active", "En activo", "Active"),
    ("onboarding", "Por incorporarse", "Onboarding"),
    ("on_leave", "Ausente", "On leave"),
    ("terminating", "Baja programada", "Leaving"),
    ("terminated", "Baja", "Left"),
];

/// Those that a form sets.
const WRITABLE: &[Choice] = &[
    ("active", "En activo", "Active"),
    ("onboarding", "Por incorporarse", "Onboarding"),
    ("on_leave", "Ausente", "On leave"),
];

/// The kinds of contract.
const CONTRACTS: &[Choice] = &[
    ("full_time", "Jornada completa", "Full time"),
    ("part_time", "Jornada parcial", "Part time"),
    ("intern", "Prácticas", "Intern"),
    ("temporary", "Temporal", "Temporary"),
    ("contractor", "Colaboración externa", "Contractor"),
];

/// Genders, as people state them.
const GENDERS: &[Choice] = &[
    ("female", "Mujer", "Female"),
    ("male", "Hombre", "Male"),
    ("non_binary", "No binario", "Non-binary"),
    ("undisclosed", "Prefiere no decirlo", "Undisclosed"),
];

/// The kinds of identity documents.
const DOCUMENTS: &[Choice] = &[
    ("dni", "DNI", "DNI (Spain)"),
    ("nie", "NIE", "NIE (Spain)"),
    ("passport", "Pasaporte", "Passport"),
    ("other", "Otro", "Other"),
];

/// The field of this name.
pub(crate) fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// What a field is called, also one that no form has; its own name if it is none of ours.
pub(crate) fn label(name: &str, language: Language) -> &str {
    match field(name) {
        Some(field) => field.label(language),
        None => chosen(OTHERS, name, language),
    }
}

/// What a choice is called; its own word if it is none of them.
pub(crate) fn chosen<'t>(choices: &[Choice], word: &'t str, language: Language) -> &'t str {
    choices.iter().find(|(known, _, _)| *known == word).map_or(word, |(_, es, en)| language.pick(*es, *en))
}

/// The kind of badge for a status, and its name.
pub(crate) fn status(word: &str, language: Language) -> (&'static str, &str) {
    let kind = match word {
        "active" => "good",
        "onboarding" | "on_leave" | "terminating" => "warn",
        _ => "off",
    };
    (kind, chosen(STATUSES, word, language))
}

/// How a value of the field `name` is read by people.
pub(crate) fn shown(name: &str, value: &str, language: Language) -> String {
    match (field(name).map(|field| field.kind), name) {
        (_, "status") => chosen(STATUSES, value, language).to_owned(),
        (Some(Kind::Choice(choices)), _) => chosen(choices, value, language).to_owned(),
        (Some(Kind::Day), _) | (_, "endDate" | "originalHireDate") => crate::show::date(value, language),
        _ => value.to_owned(),
    }
}
