//! Passwords of the console: chosen by people, so kept under a slow hash (argon2id, RFC 9106) and never guessable.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::{Chance, Language, Secret};

/// Fewest characters (NIST SP 800-63B-4 §3.1.1.2 wants 8 beside a second factor, and 15 alone).
pub const SHORTEST: usize = 10;

/// Most characters: far more than anyone types, and a bound to what is hashed.
pub const LONGEST: usize = 200;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Under [`SHORTEST`] characters.
    TooShort,
    /// Over [`LONGEST`] characters.
    TooLong,
    /// Among the first that anyone would try.
    Guessable,
}

impl Weakness {
    /// What to do about it.
    pub fn told(self, language: Language) -> String {
        match self {
            Self::TooShort => language.pick(
                format!("Use al menos {SHORTEST} caracteres."),
                format!("Use at least {SHORTEST} characters."),
            ),
            Self::TooLong => language.pick(
                format!("Use {LONGEST} caracteres como máximo."),
                format!("Use at most {LONGEST} characters."),
            ),
            Self::Guessable => language.pick(
                "Es fácil de adivinar. Cuatro palabras al azar son una buena contraseña.".to_owned(),
                "It is easy to guess. Four words at random make a good password.".to_owned(),
            ),
        }
    }
}

/// Refuses what is too short, or soon guessed by who knows `about`: name, address, company.
pub fn check(password: &str, about: &[&str]) -> Result<(), Weakness> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(Weakness::TooShort);
    }
    if length > LONGEST {
        return Err(Weakness::TooLong);
    }
    let known = [about, &["orquiva"]].concat();
    match zxcvbn::zxcvbn(password, &known).score() >= zxcvbn::Score::Three {
        true => Ok(()),
        false => Err(Weakness::Guessable),
    }
}

/// The hash under which a password is kept, in PHC form. It takes some 30 ms of CPU: never on a thread that serves.
pub fn hash(password: &Secret, chance: &dyn Chance) -> String {
    let mut salt = [0; 16];
    chance.fill(&mut salt);
    let hash = argon2().hash_password_with_salt(password.expose().as_bytes(), &salt);
    hash.expect("the parameters and the salt are our own").to_string()
}

/// Whether `password` is the one of `hash`. It takes as long as [`hash`], also for a hash that is none.
pub fn matches(password: &Secret, hash: &str) -> bool {
    // Of a random password: whoever does not exist takes as long as who does.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let known = PasswordHash::new(hash);
    let exists = known.is_ok();
    let Ok(compared) = known.or_else(|_| PasswordHash::new(NOBODY)) else { return false };
    argon2().verify_password(password.expose().as_bytes(), &compared).is_ok() && exists
}

/// argon2id with 19 MiB and 2 passes (OWASP Password Storage Cheat Sheet).
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these are parameters of argon2");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    #[test]
    fn a_password_matches_its_own_hash_alone() {
        let secret = Secret::new("caballo correcto pila grapa");
        let kept = hash(&secret, &SeededChance::new(1));
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(matches(&secret, &kept));
        assert!(!matches(&Secret::new("caballo correcto pila grapas"), &kept));
        assert!(!matches(&secret, ""));
    }

    #[test]
    fn what_anyone_would_try_is_refused() {
        assert_eq!(check("corta", &[]), Err(Weakness::TooShort));
        assert_eq!(check(&"ñ".repeat(201), &[]), Err(Weakness::TooLong));
        for guess in ["password123", "1234567890", "orquiva2026", "qwertyuiop"] {
            assert_eq!(
                check(guess, &["Ana Ruiz", "ana.ruiz@acme.test", "Acme"]),
                Err(Weakness::Guessable),
                "{guess}"
            );
        }
        assert_eq!(check("caballo correcto pila grapa", &[]), Ok(()));
    }
}
