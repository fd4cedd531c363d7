//! The digest of the source of a Secret: ciphertext and template.
//!
//! It covers no plaintext and no envelopes, so a rewrap changes neither the digest nor the Secret. Its text also says
//! which version of the renderer made the Secret: a Secret that an earlier or later version made has to be written
//! again, and nobody has changed it. Invariant: equal digests mean that scope, items and template are equal and that
//! the same renderer made the Secret. So the controller needn't open an object whose Secret carries its digest.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::hex::hex;
use crate::resources::{SealedSecretSpec, bitnami};

/// The version of the renderer. It changes if the same object would render to other bytes; then every Secret is written
/// again.
const RENDERER_VERSION: u32 = 1;

/// SHA-256 of `"seal/v1/digest" ‖ renderer version ‖ canonical JSON (RFC 8785) of {scope, encryptedData,
/// template}`, where an absent template is `{}` and the version is in decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    renderer: u32,
    hash: [u8; 32],
}

impl Digest {
    /// The digest of a native SealedSecret.
    pub fn of(spec: &SealedSecretSpec) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Covered<'a> {
            scope: crate::scope::Scope,
            encrypted_data: &'a std::collections::BTreeMap<String, String>,
            template: &'a crate::resources::Template,
        }
        let covered =
            Covered { scope: spec.scope, encrypted_data: &spec.encrypted_data, template: &spec.template };
        Self::of_covered(&covered, RENDERER_VERSION)
    }

    /// The digest of a Bitnami SealedSecret, over `{format, scope, spec}`. `format` is the API version of the format,
    /// so that the two formats never share a digest.
    pub fn of_bitnami(scope: crate::scope::Scope, spec: &bitnami::SealedSecretSpec) -> Self {
        #[derive(Serialize)]
        struct Covered<'a> {
            format: &'static str,
            scope: crate::scope::Scope,
            spec: &'a bitnami::SealedSecretSpec,
        }
        Self::of_covered(&Covered { format: bitnami::API_VERSION, scope, spec }, RENDERER_VERSION)
    }

    /// Whether the text is the digest of a Secret that another version of the renderer made, earlier or later.
    pub fn is_of_another_renderer(text: &str) -> bool {
        renderer_of(text).is_some_and(|renderer| renderer != RENDERER_VERSION)
    }

    fn of_covered(covered: &impl Serialize, renderer: u32) -> Self {
        let canonical = serde_json_canonicalizer::to_vec(covered)
            .expect("maps with string keys, strings and booleans always serialize");
        let hash = Sha256::new()
            .chain_update(b"seal/v1/digest")
            .chain_update(renderer.to_string())
            .chain_update(canonical)
            .finalize();
        Self { renderer, hash: hash.into() }
    }
}

impl fmt::Display for Digest {
    /// `<renderer version>-<64 lower-case hex digits>`. The first version wrote the digits alone, and still does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.renderer != 1 {
            write!(f, "{}-", self.renderer)?;
        }
        f.write_str(&hex(&self.hash))
    }
}

/// The version of the renderer that a digest names; `None` if the text is no digest.
fn renderer_of(text: &str) -> Option<u32> {
    let (renderer, hash) = match text.split_once('-') {
        Some((renderer, hash)) => (renderer.parse().ok()?, hash),
        None => (1, text),
    };
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then_some(renderer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Envelope;
    use crate::scope::Scope;

    fn spec() -> SealedSecretSpec {
        SealedSecretSpec {
            scope: Scope::Strict,
            envelopes: Vec::new(),
            encrypted_data: [("a".to_owned(), "x".to_owned())].into(),
            template: Default::default(),
        }
    }

    #[test]
    fn a_rewrap_keeps_the_digest() {
        let mut rewrapped = spec();
        rewrapped.envelopes.push(Envelope { keys: vec![], recipients: vec![], age: "AA==".into() });
        assert_eq!(Digest::of(&rewrapped), Digest::of(&spec()));
    }

    #[test]
    fn any_change_of_scope_item_or_template_changes_the_digest() {
        let changes: [fn(&mut SealedSecretSpec); 4] = [
            |spec| spec.scope = Scope::NamespaceWide,
            |spec| drop(spec.encrypted_data.insert("a".into(), "y".into())),
            |spec| drop(spec.encrypted_data.insert("b".into(), "x".into())),
            |spec| spec.template.immutable = Some(false),
        ];
        for change in changes {
            let mut changed = spec();
            change(&mut changed);
            assert_ne!(Digest::of(&changed), Digest::of(&spec()));
        }
    }

    #[test]
    fn the_digest_is_a_contract() {
        // Secrets in clusters carry it: if this value changes, the controller rewrites all of them.
        // printf '%s' 'seal/v1/digest1{"encryptedData":{"a":"x"},"scope":"strict","template":{}}' | sha256sum
        assert_eq!(
            Digest::of(&spec()).to_string(),
            "933b2071fcfc72d32ed4cd376af337b50cef862f4dc1673ad2f4b39cb75d22a1"
        );
    }

    #[test]
    fn a_digest_says_which_version_of_the_renderer_made_the_secret() {
        let covered = serde_json::json!({"a": "x"});
        let by = |renderer| Digest::of_covered(&covered, renderer).to_string();
        assert_eq!(by(RENDERER_VERSION), Digest::of_covered(&covered, RENDERER_VERSION).to_string());
        assert!(!Digest::is_of_another_renderer(&by(RENDERER_VERSION)));
        for other in (1..=12).chain([u32::MAX]).filter(|other| *other != RENDERER_VERSION) {
            assert!(Digest::is_of_another_renderer(&by(other)), "{}", by(other));
            assert_ne!(by(other)[by(other).len() - 64..], by(RENDERER_VERSION), "it covers the version too");
        }
        // Anything else is no digest, and tells of no renderer.
        let hash = by(1);
        for text in [
            "",
            "2-",
            "-",
            &format!("x-{hash}"),
            &format!("99999999999-{hash}"),
            &format!("2-{}", hash.to_uppercase()),
            &format!("2-{hash}0"),
            &hash[1..],
        ] {
            assert!(!Digest::is_of_another_renderer(text), "{text}");
        }
    }

    #[test]
    fn the_digest_of_the_peers_format_is_a_contract_too() {
        let spec = serde_json::json!({
            "encryptedData": {"a": "x"},
            "template": {"data": {"b": "{{ .a }}"}, "metadata": {"labels": {"l": "1"}}, "type": "Opaque"},
        });
        let spec = bitnami::SealedSecretSpec::from_json(&spec).unwrap();
        // printf '%s'
        // 'seal/v1/digest1{"format":"bitnami.com/v1alpha1","scope":"namespace-wide","spec":{"encryptedData":
        // {"a":"x"},"template":{"data":{"b":"{{ .a }}"},"metadata":{"labels":{"l":"1"}},"type":"Opaque"}}}' |
        // sha256sum
        let digest = Digest::of_bitnami(Scope::NamespaceWide, &spec);
        assert_eq!(digest.to_string(), "3091c402cb98849691de8f6b38c3728740219294ac537b76be12d1710d682ce8");
        assert_ne!(Digest::of_bitnami(Scope::Strict, &spec), digest);
    }

    #[test]
    fn what_the_peer_reads_alike_has_one_digest() {
        let digest = |spec: serde_json::Value| {
            Digest::of_bitnami(Scope::Strict, &bitnami::SealedSecretSpec::from_json(&spec).unwrap())
        };
        let nothing = serde_json::Value::Null;
        let plain = digest(serde_json::json!({"encryptedData": {"a": "x"}}));
        for template in [
            nothing.clone(),
            serde_json::json!({"metadata": nothing, "data": nothing}),
            serde_json::json!({"metadata": {"name": "db", "creationTimestamp": nothing}}),
        ] {
            assert_eq!(digest(serde_json::json!({"encryptedData": {"a": "x"}, "template": template})), plain);
        }
        assert_ne!(digest(serde_json::json!({"data": "x"})), plain);
    }
}
