//! The proof that execenv itself wrote a sidecar manifest, a launch file or a list of logins, or made a worktree in a repository: an HMAC under a key that only the operator can read (decision
//! D36).
//!
//! An agent can write to its env root, so the manifest is a claim. The proof covers both lists and everything below the
//! key `execenv`, whichever version put it there, and the name of the env root; not the root's path, because roots are
//! moved, and not the keys of other programs. A proof says that execenv wrote this list for this environment, not that
//! it is the latest one: an agent that puts an older list back can name only places that execenv once used there.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::task::hex;

/// Separates these proofs from whatever else the key may be used for.
const MANIFEST: &[u8] = b"execenv sidecar manifest 1\n";
/// The same for launch files.
const LAUNCH_FILE: &[u8] = b"execenv launch file 1\n";
/// The same for the list of linked logins.
const LOGINS: &[u8] = b"execenv linked logins 1\n";
/// The same for the repository that a work dir is a worktree of.
const REPOSITORY: &[u8] = b"execenv repository 1\n";
/// The same for the commands of a repository that were accepted for an environment.
const COMMANDS: &[u8] = b"execenv setup commands 1\n";
/// The block length of SHA-256, in bytes.
const BLOCK: usize = 64;

/// The secret by which execenv recognises what it wrote.
#[derive(Clone)]
pub struct OperatorKey([u8; 32]);

impl OperatorKey {
    /// The length of a key, in bytes.
    pub const LEN: usize = 32;

    /// A key of these bytes.
    pub fn new(bytes: [u8; Self::LEN]) -> OperatorKey {
        OperatorKey(bytes)
    }
}

impl std::fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorKey")
    }
}

/// What a manifest is proved with.
#[derive(Clone, Debug)]
pub struct Seal<'a> {
    /// The operator's key.
    pub key: &'a OperatorKey,
    /// The name of the env root.
    pub env: String,
}

impl Seal<'_> {
    /// The proof of what [`covered`] says.
    pub(super) fn of(&self, covered: &[u8; 32]) -> String {
        self.prove(MANIFEST, covered)
    }

    /// The proof that execenv wrote these bytes, for a run in the environment.
    pub fn of_launch_file(&self, bytes: &[u8]) -> String {
        self.prove(LAUNCH_FILE, &Sha256::digest(bytes).into())
    }

    /// Whether a text is that proof.
    pub fn proves_launch_file(&self, bytes: &[u8], proof: &str) -> bool {
        is_equal(proof, &self.of_launch_file(bytes))
    }

    /// The proof that execenv wrote these bytes, as the list of the logins that the environment links to.
    pub fn of_logins(&self, bytes: &[u8]) -> String {
        self.prove(LOGINS, &Sha256::digest(bytes).into())
    }

    /// Whether a text is that proof.
    pub fn proves_logins(&self, bytes: &[u8], proof: &str) -> bool {
        is_equal(proof, &self.of_logins(bytes))
    }

    /// The proof that execenv made the environment's worktree in the repository of which these bytes are the path.
    pub fn of_repository(&self, path: &[u8]) -> String {
        self.prove(REPOSITORY, &Sha256::digest(path).into())
    }

    /// Whether a text is that proof.
    pub fn proves_repository(&self, path: &[u8], proof: &str) -> bool {
        is_equal(proof, &self.of_repository(path))
    }

    /// The proof that the setup and teardown commands of a file with this digest were accepted for the environment.
    pub fn of_commands(&self, digest: &str) -> String {
        self.prove(COMMANDS, &Sha256::digest(digest).into())
    }

    /// Whether a text is that proof.
    pub fn proves_commands(&self, digest: &str, proof: &str) -> bool {
        is_equal(proof, &self.of_commands(digest))
    }

    fn prove(&self, purpose: &[u8], covered: &[u8; 32]) -> String {
        hex(&hmac(&self.key.0, &[purpose, self.env.as_bytes(), b"\0", covered]))
    }
}

/// The digest of what a proof covers in the bytes of a manifest; `None`: they are no JSON object.
pub(super) fn covered(manifest: &[u8]) -> Option<[u8; 32]> {
    let mut all: Map<String, Value> = serde_json::from_slice(manifest).ok()?;
    let mut ours = all.shift_remove("execenv");
    if let Some(Value::Object(ours)) = &mut ours {
        ours.shift_remove("proof");
    }
    let lists = ["files", "dirs"].map(|list| all.shift_remove(list));
    Some(Sha256::digest(serde_json::to_vec(&(lists, ours)).ok()?).into())
}

/// HMAC-SHA-256 (RFC 2104) of the parts one after the other, with a key that is not longer than a block.
fn hmac(key: &[u8; OperatorKey::LEN], parts: &[&[u8]]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(to, key)| *to ^= key);
        block
    };
    let mut inner = Sha256::new_with_prefix(padded(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new_with_prefix(padded(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// Whether two texts are equal, in a time that does not say where they differ.
pub(super) fn is_equal(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        // Test case 1: a key of twenty bytes is the same as one filled up with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hex(&hmac(&key, &[b"Hi ", b"There"])), expected);
        // Test case 2.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&hmac(&key, &[b"what do ya want ", b"for nothing?"])), expected);
    }

    #[test]
    fn everything_but_the_keys_of_others_is_covered() {
        let text =
            r#"{"files":["/p/a"],"dirs":["/p/d"],"execenv":{"version":1,"new":[1],"proof":"x"},"theirs":1}"#;
        let of = |text: &str| covered(text.as_bytes()).unwrap();
        for same in [("\"x\"", "\"y\""), ("\"theirs\":1", "\"theirs\":2"), (",\"proof\":\"x\"", "")] {
            assert_eq!(of(text), of(&text.replace(same.0, same.1)), "{same:?}");
        }
        for (was, is) in
            [("/p/a", "/p/b"), ("/p/d", "/"), ("version\":1", "version\":2"), ("[1]", "[]"), ("new", "n")]
        {
            assert_ne!(of(text), of(&text.replace(was, is)), "{was}");
        }
        let key = OperatorKey::new([1; 32]);
        let proof = Seal { key: &key, env: "one".into() }.of(&of(text));
        assert_ne!(proof, Seal { key: &key, env: "two".into() }.of(&of(text)));
        assert_ne!(proof, Seal { key: &OperatorKey::new([2; 32]), env: "one".into() }.of(&of(text)));
        assert!(is_equal(&proof, &proof) && !is_equal(&proof, &proof[1..]) && !is_equal(&proof, "x"));
    }
}
