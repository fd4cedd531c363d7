//! Which files are worth reading closely, by their names and their bytes.
//!
//! Most files of a repository have nothing to do with Secrets, and parsing YAML costs a hundred times what a look at the
//! bytes does. Invariant: a manifest that could be a Secret or a SealedSecret to kubectl is of interest, however its type
//! is written: with escapes, tags, in other letters.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::lints;
use crate::files::text::DISGUISES;

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Not at all.
    None,
    /// As text, which may hold a private key.
    Text,
    /// As a manifest.
    Manifest,
}

/// Words of which a manifest of interest has at least one. The first two are a Secret and a SealedSecret, also with a slip
/// of the hand in it; others are what changes them, or speaks of them to this program.
const WORDS: [&str; 11] = [
    "ecret",
    "ECRET",
    "stringData",
    "kustomiz",
    "Kustomiz",
    "argoproj.io",
    // What a kustomization's files can do to a name or a namespace.
    "Transformer",
    "fieldSpec",
    "nameReference",
    "/metadata/name",
    "seal: allow",
];

/// Words by which any text may hold a private key that opens SealedSecrets.
const KEYS: [&str; 4] =
    ["AGE-SECRET-KEY-", "age-secret-key-", "sealed-secrets-key", "sealing.dev/sealing-key"];

static MANIFEST_WORDS: LazyLock<Vec<Finder<'static>>> =
    LazyLock::new(|| WORDS.iter().chain(&DISGUISES).map(Finder::new).collect());
static KEY_WORDS: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
    let encoded = lints::encoded_keys();
    KEYS.into_iter().chain(encoded).map(Finder::new).collect()
});

/// The interest in a file.
pub(crate) fn interest(path: &str, bytes: &[u8]) -> Interest {
    let has = |words: &[Finder<'_>]| words.iter().any(|word| word.find(bytes).is_some());
    if is_manifest(path) {
        let is_of_interest = is_kustomization(path) || has(&MANIFEST_WORDS) || has(&KEY_WORDS);
        if is_of_interest { Interest::Manifest } else { Interest::None }
    } else if has(&KEY_WORDS) {
        Interest::Text
    } else {
        Interest::None
    }
}

/// Whether a file is a manifest by its name: also `secret.yaml.bak`, `#secret.yaml#` and `secret.yaml-e`, which get
/// committed with what they were copied from. `x.jsonnet` is no manifest.
pub(crate) fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let kinds = [".yaml", ".yml", ".json"];
    is_kustomization(path)
        || kinds.iter().any(|kind| {
            let mut after = name.match_indices(kind).map(|(at, kind)| &name[at + kind.len()..]);
            after.any(|after| !after.starts_with(char::is_alphabetic))
        })
}

fn is_kustomization(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_a_secret_is_of_interest_however_it_is_written() {
        for text in [
            "kind: Secret",
            "kind: secret",
            "kind: SealedSecret",
            "KIND: SECRET",
            "stringData: {a: b}",
            r#"{"kind": "\u0053\u0065cr\u0065t"}"#,
            "kind: \"S\\x65cr\\\n  et\"",
            "kind: !!binary U2VjcmV0",
            "%TAG ! tag:yaml.org,2002:\n---\nkind: !binary U2VjcmV0",
            "# seal: allow plaintext -- x",
        ] {
            assert_eq!(interest("a/b.yaml", text.as_bytes()), Interest::Manifest, "{text}");
        }
        for text in ["kind: ConfigMap", "", "a: b"] {
            assert_eq!(interest("a/b.yaml", text.as_bytes()), Interest::None, "{text}");
        }
        assert_eq!(interest("a/kustomization.yaml", b"resources: []"), Interest::Manifest);
    }

    #[test]
    fn any_text_may_hold_a_private_key_and_only_manifests_hold_objects() {
        assert_eq!(interest("main.key", b"AGE-SECRET-KEY-1X"), Interest::Text);
        assert_eq!(interest("main.key", b"key: QUdFLVNFQ1JFVC1LRVktMQ=="), Interest::Text);
        assert_eq!(interest("main.key", b"key: QUdFLVNF\nQ1JFVC1LRVktMQ=="), Interest::Text);
        assert_eq!(interest("backup.tar", b"\0AGE-SECRET-KEY-1X"), Interest::Text);
        assert_eq!(interest("doc.md", b"kind: Secret"), Interest::None);
    }

    #[test]
    fn copies_and_templates_of_manifests_are_manifests() {
        for path in [
            "a.yaml",
            "A.YML",
            "x.json",
            "secret.yaml.bak",
            "db.yaml.tmpl",
            "db.yml~",
            "a/Kustomization",
            "a/#secret.yaml#",
            "secret.yaml-e",
            "secret.yaml_bak",
            "secret.yaml2",
        ] {
            assert!(is_manifest(path), "{path}");
        }
        for path in ["yaml", "a.yamllint", "x.jsonl", "readme.md", "a.yaml/b.txt"] {
            assert!(!is_manifest(path), "{path}");
        }
    }
}
