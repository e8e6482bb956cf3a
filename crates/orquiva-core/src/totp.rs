//! One-time codes of an authenticator app (RFC 6238), and the recovery codes for whoever lost it.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::{Chance, Secret, Timestamp};

/// How long a code counts, in seconds (RFC 6238 §5.2).
const STEP: i64 = 30;

/// The letters of a secret (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Letters of a recovery code: none that is read for another.
const LEGIBLE: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567899";

/// The secret that an app shares with us: 160 random bits (RFC 4226 §4, R6), in base32 as apps take it.
pub fn new_secret(chance: &dyn Chance) -> Secret {
    let mut bytes = [0_u8; 20];
    chance.fill(&mut bytes);
    Secret::new(base32(&bytes))
}

/// What an app reads from a picture (the `otpauth` scheme that all of them know).
pub fn address(secret: &Secret, email: &str) -> Secret {
    let email: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
    let text = format!("otpauth://totp/Orquiva:{email}?secret={}&issuer=Orquiva", secret.expose());
    Secret::new(text)
}

/// The step of a right code: the one of `now`, or one to either side for clocks that differ (RFC 6238 §6). A step up
/// to `spent` was used before, and its code counts no more (§5.2).
pub fn step_of(code: &str, secret: &Secret, now: Timestamp, spent: i64) -> Option<i64> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &unbase32(secret.expose())?);
    let typed: String = code.chars().filter(char::is_ascii_digit).collect();
    let present = now.seconds().div_euclid(STEP);
    (present - 1..=present + 1)
        .filter(|step| *step > spent)
        .find(|step| code_at(&key, *step).as_bytes().ct_eq(typed.as_bytes()).into())
}

/// The code of the moment: what an app shows.
pub fn code(secret: &Secret, now: Timestamp) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &unbase32(secret.expose())?);
    Some(code_at(&key, now.seconds().div_euclid(STEP)))
}

/// Ten codes of fifty bits, each good once.
pub fn recovery_codes(chance: &dyn Chance) -> Vec<Secret> {
    let one = |_| {
        let mut bytes = [0_u8; 10];
        chance.fill(&mut bytes);
        let letters: String = bytes.iter().map(|byte| char::from(LEGIBLE[usize::from(byte & 31)])).collect();
        Secret::new(format!("{}-{}", &letters[..5], &letters[5..]))
    };
    (0..10).map(one).collect()
}

/// A recovery code as it was made, however it was typed.
pub fn recovery_code(typed: &str) -> Secret {
    let letters: String =
        typed.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    Secret::new(match letters.split_at_checked(5) {
        Some((left, right)) => format!("{left}-{right}"),
        None => letters,
    })
}

/// RFC 4226 §5.3.
fn code_at(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let number = u32::from_be_bytes([tag[at] & 0x7F, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for chunk in bytes.chunks(5) {
        let value = chunk.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        for at in (0..8).rev() {
            text.push(char::from(BASE32[(value >> (5 * at)) as usize & 31]));
        }
    }
    text
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    for chunk in text.as_bytes().chunks(8) {
        let mut value = 0_u64;
        for letter in chunk {
            value = value << 5 | BASE32.iter().position(|known| known == letter)? as u64;
        }
        bytes.extend_from_slice(&value.to_be_bytes()[3..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn the_codes_of_the_rfc_are_ours() {
        // RFC 6238, appendix B, the last six of eight digits; the secret is `12345678901234567890`.
        let secret = Secret::new(base32(b"12345678901234567890"));
        for (seconds, expected) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let now = Timestamp::from_millis(seconds * 1000);
            assert_eq!(code(&secret, now).as_deref(), Some(expected));
            assert_eq!(step_of(expected, &secret, now, 0), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_counts_once_and_for_about_a_minute() {
        let secret = new_secret(&SeededChance::new(1));
        let now = Timestamp::from_millis(1_767_225_600_000);
        let shown = code(&secret, now).expect("a secret of ours");
        let step = step_of(&shown, &secret, now, 0).expect("it is right");
        assert_eq!(step_of(&shown, &secret, now, step), None, "it was used");
        assert_eq!(
            step_of(&format!("{} {}", &shown[..3], &shown[3..]), &secret, now.plus(30_000), 0),
            Some(step)
        );
        assert_eq!(step_of(&shown, &secret, now.plus(90_000), 0), None);
        assert_eq!(step_of("", &secret, now, 0), None);
    }

    #[test]
    fn a_recovery_code_is_read_however_it_is_typed() {
        let codes = recovery_codes(&SeededChance::new(1));
        assert_eq!(codes.len(), 10);
        for code in codes {
            let typed = code.expose().to_uppercase().replace('-', " ");
            assert_eq!(recovery_code(&typed).expose(), code.expose());
        }
        assert_eq!(recovery_code("ñ").expose(), "ñ");
    }
}
