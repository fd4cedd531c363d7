//! Fingerprints of values on the user's own disk, by which `seal` knows a value again without a key.
//!
//! ```text
//! $XDG_STATE_HOME/seal/fingerprints/   0700, the user's own, no symbolic link
//!   key    32 random bytes, 0600
//!   v1     the newest 10,000 lines: where, 64 hex digits ‖ " " ‖ print, unpadded base64url ‖ LF
//! where = HMAC-SHA-256(key, lp(scope) ‖ lp(namespace) ‖ lp(name) ‖ lp(item) ‖ lp(line) ‖ lp(age) ‖ lp(ids)
//!                      ‖ lp(fingerprint)…)
//! print = scrypt(HMAC-SHA-256(key, lp("value") ‖ value), salt = where, N = 2^14, r = 8, p = 1), 32 bytes
//! ```
//! lp(x) is the length of x as a big-endian u32, then x. Namespace and name are empty unless the scope binds them, line is
//! the item's line of `encryptedData`, age and ids are the age file of its envelope and the ids of its data keys, joined by
//! spaces, and the fingerprints are those of the recipients, 64 hex digits each, sorted. An item that templates may use has ` template` behind its name, which no name of an item can have: its line doesn't say
//! so, and sealing it again without the flag has to change it.
//!
//! `where` names the very line and its very envelope, so a print says of them that they hold this value, and of no other.
//! Without the envelope, a line whose data key a hand or a merge has destroyed would count as unchanged. A reader of
//! both files can try guesses of a value, at the price of one scrypt each (SECURITY.md). [`store`] holds the files.
//! Invariant: no value and no data key is stored, and a store that can't be trusted is not used.

mod store;

use hmac::{Hmac, Mac as _};
use seal_crds::keys::Fingerprint;
use seal_crds::resources::Envelope;
use seal_crds::{Binding, ItemName, Plaintext};
use sha2::Sha256;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

pub(crate) use store::Store;

/// The secret key of a store.
type Key = Zeroizing<[u8; 32]>;

/// The name of one line of one item, under the key of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Where([u8; 32]);

/// The fingerprint of a value at one [`Where`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print([u8; 32]);

/// An item as it stands in a SealedSecret.
pub(crate) struct SealedLine<'s> {
    pub(crate) binding: &'s Binding,
    pub(crate) item: &'s ItemName,
    /// Whether templates may use the item.
    pub(crate) template: bool,
    /// The line of `encryptedData`.
    pub(crate) line: &'s str,
    /// The envelope that says it has the line's data key.
    pub(crate) envelope: &'s Envelope,
    pub(crate) recipients: &'s BTreeSet<Fingerprint>,
}

impl Where {
    fn new(key: &Key, sealed: &SealedLine<'_>) -> Self {
        let SealedLine { binding, item, template, line, envelope, recipients } = sealed;
        let item = if *template { format!("{item} template") } else { item.to_string() };
        // The set is sorted by the bytes of the fingerprints, and hex digits sort as the bytes do.
        let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        let mut mac = mac(key);
        let namespace = binding.namespace().map_or("", |namespace| namespace.as_str());
        let name = binding.name().map_or("", |name| name.as_str());
        let ids = envelope.keys.join(" ");
        let parts = [
            binding.scope().as_str(),
            namespace,
            name,
            item.as_str(),
            line,
            envelope.age.as_str(),
            ids.as_str(),
        ];
        for part in parts.into_iter().chain(recipients.iter().map(String::as_str)) {
            push_lp(&mut mac, part.as_bytes());
        }
        Self(mac.finalize().into_bytes().into())
    }
}

impl Print {
    fn new(key: &Key, place: &Where, value: &Plaintext) -> Self {
        let mut mac = mac(key);
        push_lp(&mut mac, b"value");
        mac.update(value.expose());
        let keyed: Key = Zeroizing::new(mac.finalize().into_bytes().into());
        let params = scrypt::Params::new(14, 8, 1, 32).expect("these are within scrypt's bounds");
        let mut print = [0; 32];
        scrypt::scrypt(&*keyed, &place.0, &params, &mut print).expect("32 bytes is a length of scrypt");
        Self(print)
    }
}

fn mac(key: &Key) -> Hmac<Sha256> {
    Hmac::new_from_slice(&**key).expect("HMAC takes a key of any length")
}

/// Adds `lp(part)`. Parts are lines of a manifest at most, which are bounded far below 4 GiB.
fn push_lp(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&u32::try_from(part.len()).expect("inputs are bounded far below 4 GiB").to_be_bytes());
    mac.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::hex::hex;
    use seal_crds::{Place, Scope};

    fn place(scope: Scope, namespace: &str, name: &str) -> Binding {
        Binding::new(scope, &Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() })
    }

    fn line(line: &SealedLine<'_>) -> Where {
        Where::new(&Zeroizing::new([7; 32]), line)
    }

    fn envelope(age: &str, keys: &[&str]) -> Envelope {
        Envelope {
            keys: keys.iter().map(|id| (*id).to_owned()).collect(),
            recipients: Vec::new(),
            age: age.to_owned(),
        }
    }

    /// Both values were computed by Python's hmac and hashlib.
    #[test]
    fn the_format_is_the_one_of_the_header() {
        let (binding, item) = (place(Scope::Strict, "prod", "db"), "password".parse().unwrap());
        let recipients = BTreeSet::from(["aa".repeat(32).parse().unwrap(), "0b".repeat(32).parse().unwrap()]);
        let envelope = envelope("QUdF", &["id", "other"]);
        let sealed = SealedLine {
            binding: &binding,
            item: &item,
            template: false,
            line: "id.line",
            envelope: &envelope,
            recipients: &recipients,
        };
        let found = line(&sealed);
        assert_eq!(hex(&found.0), "f55f83061a10f676e265b34f3157a801598f1d5595f514a6f3fe8d5de4a0529b");
        let print = Print::new(&Zeroizing::new([7; 32]), &found, &Plaintext::from(b"hunter2".to_vec()));
        assert_eq!(hex(&print.0), "80ca668ea10f4606c0f46af20a9915ff2555c0b12de5344bfe37d24ca98f6a18");
    }

    #[test]
    fn each_part_of_a_line_makes_another_place() {
        let item: ItemName = "url".parse().unwrap();
        let other: ItemName = "urls".parse().unwrap();
        let strict = place(Scope::Strict, "prod", "db");
        let one = BTreeSet::from(["aa".repeat(32).parse().unwrap()]);
        let two = BTreeSet::from(["aa".repeat(32).parse().unwrap(), "bb".repeat(32).parse().unwrap()]);
        let whole = envelope("QUdF", &["a"]);
        let (tampered, relabelled) = (envelope("QUdG", &["a"]), envelope("QUdF", &["a", "b"]));
        let sealed = |binding, item, template, line, recipients| SealedLine {
            binding,
            item,
            template,
            line,
            envelope: &whole,
            recipients,
        };
        let (wide, elsewhere) =
            (place(Scope::NamespaceWide, "prod", "db"), place(Scope::Strict, "dev", "db"));
        let all = [
            sealed(&strict, &item, false, "a.b", &one),
            sealed(&strict, &item, true, "a.b", &one),
            sealed(&strict, &other, false, "a.b", &one),
            sealed(&strict, &item, false, "a.c", &one),
            sealed(&strict, &item, false, "a.b", &two),
            sealed(&wide, &item, false, "a.b", &one),
            sealed(&elsewhere, &item, false, "a.b", &one),
            SealedLine { envelope: &tampered, ..sealed(&strict, &item, false, "a.b", &one) },
            SealedLine { envelope: &relabelled, ..sealed(&strict, &item, false, "a.b", &one) },
        ];
        let found: std::collections::HashSet<Where> = all.iter().map(line).collect();
        assert_eq!(found.len(), all.len());
        let same = place(Scope::NamespaceWide, "prod", "web");
        assert_eq!(
            line(&sealed(&wide, &item, false, "a.b", &one)),
            line(&sealed(&same, &item, false, "a.b", &one))
        );
    }
}
