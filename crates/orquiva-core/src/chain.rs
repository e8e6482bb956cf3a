//! A chain of hashes: each link stands for its own line and for all that came before it, so that no line can be
//! changed, left out or put elsewhere without changing every link after it.

use aws_lc_rs::digest::{Context, SHA256};

/// How long a link is, in bytes.
pub const LENGTH: usize = 32;

/// What stands before the first link.
pub const START: [u8; LENGTH] = [0; LENGTH];

/// The link of `line` after `previous`: SHA-256 over both.
pub fn link(previous: &[u8], line: &str) -> Vec<u8> {
    let mut hash = Context::new(&SHA256);
    hash.update(previous);
    hash.update(line.as_bytes());
    hash.finish().as_ref().to_vec()
}

/// A link as it is written.
pub fn hex(link: &[u8]) -> String {
    link.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stands_for_its_line_and_for_all_before_it() {
        let first = link(&START, "a");
        // (head -c 32 /dev/zero; printf a) | sha256sum
        assert_eq!(hex(&first), "41a0370c3d9f42773a59e8e01651911cf43b1e3f66944cbb690029debc4eb647");
        assert_ne!(link(&first, "b"), link(&START, "b"));
        assert_ne!(link(&first, "b"), link(&first, "c"));
    }
}
