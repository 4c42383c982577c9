//! Passwords of people: argon2id, 19 MiB, two passes, one lane (OWASP's first choice), as a PHC string.
//!
//! All functions here block for tens of milliseconds: call them on a blocking thread, behind a small semaphore.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

fn argon2id() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a new password under a fresh salt: `$argon2id$v=19$m=19456,t=2,p=1$…`. Blocking.
pub fn hash(password: &str) -> String {
    argon2id().hash_password(password.as_bytes()).expect("the operating system gives random bytes").to_string()
}

/// Whether `password` is the one behind `stored`. A text that is no PHC string matches nothing. Blocking.
pub fn verify(password: &str, stored: &str) -> bool {
    match PasswordHash::new(stored) {
        Ok(parsed) => argon2id().verify_password(password.as_bytes(), &parsed).is_ok(),
        Err(_) => {
            verify_absent(password);
            false
        }
    }
}

/// Burns the time of one verification, so that an unknown user answers no faster than a wrong password. Blocking.
pub fn verify_absent(password: &str) {
    let mut out = [0_u8; 32];
    let burnt = argon2id().hash_password_into(password.as_bytes(), b"no such user at all", &mut out);
    std::hint::black_box((burnt.is_ok(), out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_against_its_own_hash_only() {
        let stored = hash("correct horse battery");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, hash("correct horse battery"));
        assert!(verify("correct horse battery", &stored));
        assert!(!verify("correct horse", &stored));
        assert!(!verify("anything", "not a hash"));
    }

    #[test]
    fn an_absent_user_costs_as_much_as_a_wrong_password() {
        let stored = hash("correct horse battery");
        let time = |run: &dyn Fn()| {
            let mut took: Vec<_> = (0..5)
                .map(|_| {
                    let start = std::time::Instant::now();
                    run();
                    start.elapsed()
                })
                .collect();
            took.sort();
            took[2].as_secs_f64()
        };
        let (wrong, absent) = (time(&|| assert!(!verify("wrong", &stored))), time(&|| verify_absent("wrong")));
        assert!((0.4..2.5).contains(&(absent / wrong)), "wrong {wrong} s, absent {absent} s");
    }
}
