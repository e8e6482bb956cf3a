//! Identity documents, and the letter by which a Spanish one shows that its digits are right.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::country::Country;
use super::words::NationalIdType;
use crate::field::{Fault, FieldError, Fields, line, word};

/// An identity document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NationalId {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: NationalIdType,
    /// Its number: in capitals and without separators, unless it is of another kind.
    pub value: String,
    /// Who issued it.
    pub country: Country,
}

impl NationalId {
    /// Reads the field of a body. A DNI and a NIE are Spain's, so their country need not be said.
    pub(crate) fn read(value: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(value)?;
        let kind = fields.need("type", word(NationalIdType::parse, NationalIdType::ALL));
        let spanish = matches!(kind, Some(NationalIdType::Dni | NationalIdType::Nie));
        let number = fields.need("value", |value| {
            let text = line(50)(value)?;
            match kind {
                Some(NationalIdType::Dni) => dni(&text),
                Some(NationalIdType::Nie) => nie(&text),
                Some(NationalIdType::Passport) => passport(&text),
                Some(NationalIdType::Other) | None => Ok(text),
            }
        });
        let read_country = |value: &Value| match Country::read(value)? {
            foreign if spanish && foreign != Country::SPAIN => {
                Err(Fault::NotAllowed { choices: "ES".to_owned() })
            }
            country => Ok(country),
        };
        let country = match spanish && !fields.has("country") {
            true => fields.take("country", read_country).or(Some(Country::SPAIN)),
            false => fields.need("country", read_country),
        };
        let whole = kind.zip(number).zip(country);
        fields.finish(whole.map(|((kind, value), country)| Self { kind, value, country }))
    }
}

/// The letter of the remainder of a document's number by 23.
const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Eight digits and their letter.
fn dni(text: &str) -> Result<String, Fault> {
    checked(plain(text), "")
}

/// X, Y or Z, seven digits and the letter of 0, 1 or 2 and those digits.
fn nie(text: &str) -> Result<String, Fault> {
    checked(plain(text), "XYZ")
}

/// `number` if it is one of `firsts` (if there are any), digits up to eight in all, and the right letter.
fn checked(number: String, firsts: &str) -> Result<String, Fault> {
    let malformed = || Fault::InvalidNationalId;
    let (digits, letter) =
        number.split_at_checked(8).filter(|(_, letter)| letter.len() == 1).ok_or_else(malformed)?;
    let digits = match firsts.find(|first| digits.starts_with(first)) {
        Some(at) => format!("{at}{}", &digits[1..]),
        None if firsts.is_empty() => digits.to_owned(),
        None => return Err(malformed()),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) || !letter.as_bytes()[0].is_ascii_uppercase() {
        return Err(malformed());
    }
    let value: usize = digits.parse().map_err(|_| malformed())?;
    match letter.as_bytes()[0] == LETTERS[value % 23] {
        true => Ok(number),
        false => Err(Fault::WrongCheckLetter),
    }
}

/// 5 to 20 letters and digits.
fn passport(text: &str) -> Result<String, Fault> {
    let number = plain(text);
    let valid =
        (5..=20).contains(&number.len()) && number.bytes().all(|letter| letter.is_ascii_alphanumeric());
    valid.then_some(number).ok_or(Fault::InvalidNationalId)
}

/// In capitals, without the separators that people write.
fn plain(text: &str) -> String {
    let letters = text.chars().filter(|letter| !matches!(letter, ' ' | '-' | '.' | '/'));
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(kind: &str, value: &str) -> Result<String, &'static str> {
        NationalId::read(&json!({ "type": kind, "value": value, "country": "ES" }))
            .map(|id| id.value)
            .map_err(|faults| faults[0].fault.code())
    }

    #[test]
    fn known_documents_are_read_as_people_write_them() {
        for (kind, written, kept) in [
            ("dni", "12345678Z", "12345678Z"),
            ("dni", " 12.345.678-z ", "12345678Z"),
            ("dni", "00000000T", "00000000T"),
            ("nie", "X1234567L", "X1234567L"),
            ("nie", "y-1234567-x", "Y1234567X"),
            ("nie", "Z1234567R", "Z1234567R"),
            ("passport", "paa 123456", "PAA123456"),
            ("other", "a/b 12", "a/b 12"),
        ] {
            assert_eq!(read(kind, written).as_deref(), Ok(kept), "{written}");
        }
        for (kind, written, code) in [
            ("dni", "12345678A", "wrong_check_letter"),
            ("dni", "1234567Z", "invalid_national_id"),
            ("dni", "123456789Z", "invalid_national_id"),
            ("dni", "X1234567L", "invalid_national_id"),
            ("dni", "１２345678Z", "invalid_national_id"),
            ("dni", "12345678Ñ", "invalid_national_id"),
            ("dni", "", "empty"),
            ("nie", "X1234567T", "wrong_check_letter"),
            ("nie", "12345678Z", "invalid_national_id"),
            ("nie", "W1234567L", "invalid_national_id"),
            ("passport", "AB1", "invalid_national_id"),
            ("passport", "ÁB123456", "invalid_national_id"),
            ("other", "a\u{0}b", "control_character"),
        ] {
            assert_eq!(read(kind, written), Err(code), "{kind} {written}");
        }
    }

    #[test]
    fn what_is_missing_or_of_another_country_is_named() {
        let codes = |value: Value| -> Vec<(String, &'static str)> {
            let faults = NationalId::read(&value).expect_err("it is wrong");
            faults.into_iter().map(|error| (error.pointer, error.fault.code())).collect()
        };
        let at = |pointer: &str, code| (pointer.to_owned(), code);
        assert_eq!(
            codes(json!({})),
            [at("/type", "required"), at("/value", "required"), at("/country", "required")]
        );
        assert_eq!(
            codes(json!({ "type": "dni", "value": "12345678Z", "country": "FR", "expires": 1 })),
            [at("/country", "not_allowed"), at("/expires", "unknown_field")]
        );
        assert_eq!(
            codes(json!({ "type": "cif", "value": 7, "country": "Spain" })),
            [at("/type", "not_allowed"), at("/value", "wrong_type"), at("/country", "unknown_country")]
        );
        assert_eq!(codes(json!("12345678Z")), [at("", "wrong_type")]);
        assert_eq!(
            NationalId::read(&json!({ "type": "nie", "value": "X1234567L" })).map(|id| id.country),
            Ok(Country::SPAIN)
        );
    }

    proptest! {
        /// Of the 23 letters exactly one fits, and changing any one digit makes it the wrong one: 23 is prime
        /// and no difference of one digit is a multiple of it.
        #[test]
        fn one_letter_fits_and_one_wrong_digit_is_seen(number in 0_u32..100_000_000, at in 0_usize..8, by in 1_u8..10) {
            let digits = format!("{number:08}");
            let fits: Vec<_> = LETTERS.iter().map(|letter| format!("{digits}{}", char::from(*letter))).filter(|dni| read("dni", dni).is_ok()).collect();
            prop_assert_eq!(fits.len(), 1);
            let mut wrong = fits[0].clone().into_bytes();
            wrong[at] = b'0' + (wrong[at] - b'0' + by) % 10;
            prop_assert_eq!(read("dni", &String::from_utf8(wrong).expect("ASCII")), Err("wrong_check_letter"));
        }

        /// A NIE is the DNI whose first digit is its letter's place.
        #[test]
        fn a_nie_has_the_letter_of_its_number(first in 0_usize..3, number in 0_u32..10_000_000, letter in "[A-Z]") {
            let nie = format!("{}{number:07}{letter}", ["X", "Y", "Z"][first]);
            let same = format!("{first}{number:07}{letter}");
            prop_assert_eq!(read("nie", &nie).is_ok(), read("dni", &same).is_ok());
        }

        #[test]
        fn whatever_is_sent_is_read_or_refused(kind in "dni|nie|passport|other", text in "\\PC{0,20}") {
            if let Ok(kept) = read(&kind, &text) {
                let again = read(&kind, &kept);
                prop_assert_eq!(again.as_deref(), Ok(kept.as_str()), "what is kept is valid");
            }
        }
    }
}
