//! The reason and the whole message of each refusal: programs match on the reason, people act on the message.
//!
//! The tests of each format show when an error is given. Invariant: at least one row for each variant.

use std::error::Error as _;

use super::*;
use crate::secret::check_type;
use crate::template::TemplateData;

fn item() -> ItemName {
    "a".parse().unwrap()
}

#[test]
fn every_error_has_its_reason_and_says_all_in_one_fragment() {
    let (one, two) = (Fingerprint::of("one"), Fingerprint::of("two"));
    let refused = check_type("helm.sh/release.v1", &BTreeSet::new()).unwrap_err();
    let template = TemplateData::parse([(item(), "")], |_| true).err().unwrap();
    let errors: [(UnsealError, &str, &str); 27] = [
        (
            "A".parse::<crate::Namespace>().unwrap_err().into(),
            "InvalidName",
            "namespace \"A\" is not a DNS label (1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit)",
        ),
        (
            refused.into(),
            "InvalidTemplate",
            "template: type helm.sh/release.v1 may not be sealed: the control plane acts on Secrets of this type",
        ),
        (template.into(), "InvalidTemplate", "template.data.a is also an item in encryptedData"),
        (
            UnsealError::GoTemplate {
                key: item(),
                error: GoTemplateError::UnknownFunction { line: 2, name: "nope".into() }.into(),
            },
            "InvalidTemplate",
            "template.data.a: line 2: function \"nope\" is not defined",
        ),
        (
            UnsealError::GoTemplate {
                key: item(),
                error: GoTemplateError::Branching { line: 2, statement: "if" }.into(),
            },
            "InvalidTemplate",
            "template.data.a: line 2: if branches on values, which the controller allows with --allow-template-branching only",
        ),
        (
            UnsealError::GoTemplate {
                key: item(),
                error: GoTemplateError::SizeFromValue { line: 1, function: "repeat".into() }.into(),
            },
            "InvalidTemplate",
            "template.data.a: line 1: how much repeat gives depends on a value, which the controller allows with --allow-template-branching only",
        ),
        (
            UnsealError::Malformed { path: "envelopes".into(), problem: "is empty".into() },
            "Malformed",
            "envelopes is empty",
        ),
        (
            UnsealError::TooLarge { path: "envelopes".into(), found: 17, limit: 16, unit: "envelopes" },
            "Malformed",
            "envelopes has 17 envelopes; at most 16 are allowed",
        ),
        (
            UnsealError::UnknownVersion { envelope: 1, found: 2 },
            "UnknownVersion",
            "envelopes[1] is of version 2; this program knows version 1: update it",
        ),
        (
            UnsealError::NoMatchingKey {
                envelope: 1,
                sealed_to: vec![SealedTo::new(one, Some("prod")), SealedTo::new(two, None)],
                tried: vec![two],
            },
            "NoMatchingKey",
            "no identity at hand opens envelopes[1]; it says it is sealed to 7692c3ad3540bb80 (prod), \
             3fc4ccfe745870e2; tried: 3fc4ccfe745870e2",
        ),
        (
            UnsealError::NoMatchingKey { envelope: 1, sealed_to: vec![], tried: vec![] },
            "NoMatchingKey",
            "no identity at hand opens envelopes[1]; it says it is sealed to nobody; there is no identity to try",
        ),
        (
            UnsealError::CannotOpen {
                what: "item a".into(),
                scope: Scope::Strict,
                binding: "prod/db".into(),
                candidates: vec![one, two],
            },
            "CannotOpen",
            "item a can't be opened as prod/db (scope strict) with the RSA keys at hand, 7692c3ad3540bb80, \
             3fc4ccfe745870e2: it was sealed with another certificate, or for another namespace, name or scope, or \
             was changed since; compare them, or seal it again",
        ),
        (
            UnsealError::NoRsaKey { what: "item a".into(), bits: 4096, at_hand: vec![] },
            "NoMatchingKey",
            "item a is sealed to an RSA key of 4096 bits, and no RSA key is at hand: load the key that belongs to \
             the certificate it was sealed with",
        ),
        (
            UnsealError::NoRsaKey { what: "data".into(), bits: 4096, at_hand: vec![one] },
            "NoMatchingKey",
            "data is sealed to an RSA key of 4096 bits, and those at hand have other sizes (7692c3ad3540bb80): load \
             the key that belongs to the certificate it was sealed with",
        ),
        (
            UnsealError::TooManyTrials { limit: 100 },
            "TooManyTrials",
            "its items are sealed to so many different RSA keys that finding them takes more than 100 failed trials: \
             seal it again with one certificate, or split it",
        ),
        (
            UnsealError::EnvelopeAltered { envelope: 1 },
            "EnvelopeAltered",
            "envelopes[1] was changed after it was sealed",
        ),
        (
            UnsealError::MalformedEnvelope { envelope: 1, problem: "a recipient twice" },
            "MalformedEnvelope",
            "envelopes[1] holds a recipient twice",
        ),
        (
            UnsealError::WrongScope { sealed: Scope::Strict, found: Scope::ClusterWide },
            "WrongScope",
            "sealed with scope strict, found with scope cluster-wide",
        ),
        (
            UnsealError::WrongPlace { sealed: "prod/db".into(), found: "staging/db".into() },
            "WrongPlace",
            "sealed for prod/db, found in staging/db",
        ),
        (
            UnsealError::WrongRecipients { envelope: 1, sealed: vec![one], found: vec![two] },
            "WrongRecipients",
            "envelopes[1] is sealed to 7692c3ad3540bb80, but says 3fc4ccfe745870e2",
        ),
        (
            UnsealError::WrongKeys { envelope: 1 },
            "WrongKeys",
            "envelopes[1].keys does not match the data keys inside",
        ),
        (UnsealError::DuplicateKey { id: "x".into() }, "DuplicateKey", "data key x is listed more than once"),
        (
            UnsealError::MissingKey { item: item(), id: "x".into() },
            "MissingKey",
            "item a needs data key x, which no envelope holds",
        ),
        (
            UnsealError::UnusedEnvelope { envelope: 1 },
            "UnusedEnvelope",
            "envelopes[1] holds no data key that an item needs: remove it",
        ),
        (
            UnsealError::ItemAltered { item: item() },
            "ItemAltered",
            "item a was changed after it was sealed, or was sealed as another item",
        ),
        (
            UnsealError::NotForTemplates { item: item() },
            "NotForTemplates",
            "template.data refers to item a, which was not sealed for use in templates",
        ),
        (
            UnsealError::SecretTooLarge { limit: 1024 },
            "SecretTooLarge",
            "the Secret would be larger than 1024 bytes",
        ),
    ];
    for (error, reason, message) in errors {
        assert_eq!((error.reason().as_str(), &*error.to_string()), (reason, message));
        // A printer that walks the chain says nothing twice.
        assert!(error.source().is_none(), "{message}");
        let transient = ["NoMatchingKey", "CannotOpen"].contains(&error.reason().as_str());
        assert_eq!(error.may_pass_with_other_keys(), transient, "{message}");
    }
}
