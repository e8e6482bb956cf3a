//! What the law protects most, apart from the rest: it is not in an employee's JSON, so it is only where it was
//! put on purpose, for someone who may see it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::country::Country;
use super::email::Email;
use super::national_id::NationalId;
use super::words::Gender;
use crate::Date;
use crate::field::{Fault, FieldError, Fields, date, line, word};

/// The names of these fields, in the order in which they are shown.
pub const SENSITIVE: &[&str] =
    &["personalEmail", "birthDate", "gender", "nationality", "nationalId", "homeAddress"];

/// The sensitive part of an employee.
#[derive(Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sensitive {
    /// The address at home.
    pub personal_email: Option<Email>,
    /// Day of birth.
    pub birth_date: Option<Date>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Nationality.
    pub nationality: Option<Country>,
    /// The identity document.
    pub national_id: Option<NationalId>,
    /// Where they live.
    pub home_address: Option<Address>,
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Street and number.
    pub line1: String,
    /// Floor, door, or whatever else.
    pub line2: Option<String>,
    /// Town.
    pub city: String,
    /// Province, state or region.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: Country,
}

/// A value of these never gets into a log by way of a debugging format.
impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Sensitive(nothing)" } else { "Sensitive(hidden)" })
    }
}

impl Sensitive {
    /// Whether a body writes any of these fields, or takes one away.
    pub fn is_written_by(body: &Value) -> bool {
        SENSITIVE.iter().any(|name| body.get(name).is_some())
    }

    /// Whether none of them is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The fields by name, those that are not known as null.
    pub fn to_map(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(map) => map,
            _ => Map::new(), // a struct is always an object
        }
    }

    /// Reads the fields of a body on the day `today`.
    pub(crate) fn read(fields: &mut Fields<'_>, today: Date) -> Self {
        Self {
            personal_email: fields.take("personalEmail", Email::read),
            birth_date: fields.take("birthDate", |value| match date(value)? {
                day if day > today => Err(Fault::InFuture),
                day => Ok(day),
            }),
            gender: fields.take("gender", word(Gender::parse, Gender::ALL)),
            nationality: fields.take("nationality", Country::read),
            national_id: fields.object("nationalId", NationalId::read),
            home_address: fields.object("homeAddress", Address::read),
        }
    }
}

impl Address {
    fn read(value: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(value)?;
        let line1 = fields.need("line1", line(200));
        let line2 = fields.take("line2", line(200));
        let city = fields.need("city", line(100));
        let region = fields.take("region", line(100));
        let postal_code = fields.take("postalCode", line(20));
        let country = fields.need("country", Country::read);
        let needed = line1.zip(city).zip(country);
        fields.finish(needed.map(|((line1, city), country)| Self {
            line1,
            line2,
            city,
            region,
            postal_code,
            country,
        }))
    }
}
