//! Tests of bytes that aren't in the format. Everybody sees those bytes, so the error names the problem.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

fn sealed(value: &str) -> Vec<u8> {
    BASE64.decode(Object::new(Scope::Strict).seal(value)).unwrap()
}

fn refused(text: String) -> UnsealError {
    let mut object = Object::new(Scope::Strict);
    object.spec.encrypted_data.insert("a".into(), text);
    object.refused()
}

#[test]
fn a_value_that_is_not_one_says_what_is_wrong_with_its_bytes() {
    let whole = sealed("hunter2");
    let with_length = |length: u16| {
        let mut bytes = whole.clone();
        bytes[..2].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let bits = "keys of 2048 to 8192 bits give 256 to 1024";
    for (bytes, problem) in [
        (vec![], "is cut off: it has 0 bytes".to_owned()),
        (vec![1], "is cut off: it has 1 bytes".to_owned()),
        (whole[..100].to_vec(), "is cut off: it has 100 bytes, and needs at least 274".to_owned()),
        (whole[..273].to_vec(), "is cut off: it has 273 bytes, and needs at least 274".to_owned()),
        (with_length(512), "is cut off: it has 281 bytes, and needs at least 530".to_owned()),
        (with_length(255), format!("says that its RSA ciphertext has 255 bytes; {bits}")),
        (with_length(1025), format!("says that its RSA ciphertext has 1025 bytes; {bits}")),
        (
            b"postgres://user:hunter2@db".to_vec(),
            format!("says that its RSA ciphertext has 28783 bytes; {bits}"),
        ),
    ] {
        assert_eq!(refused(BASE64.encode(bytes)), malformed("encryptedData.a", &problem));
    }
}

#[test]
fn what_is_not_base64_is_not_repeated() {
    let text = BASE64.encode(sealed("x"));
    assert!(text.ends_with('='));
    for text in ["hunter2!", &format!(" {text}"), text.trim_end_matches('='), &format!("{text}="), &text[1..]]
    {
        assert_eq!(refused(text.to_owned()), malformed("encryptedData.a", "is not base64"));
    }
}

#[test]
fn the_deprecated_data_says_the_same_of_itself() {
    let mut object = Object::new(Scope::Strict);
    object.spec.data = Some("AQ==".into());
    assert_eq!(object.refused(), malformed("data", "is cut off: it has 1 bytes"));
    object.spec.encrypted_data.insert("a".into(), "AQ==".into());
    let problem = "stands beside encryptedData; an object has one or the other";
    assert_eq!(object.refused(), malformed("data", problem));
}

#[test]
fn items_have_names_that_a_secret_can_have_and_are_not_too_many_or_large() {
    let mut object = Object::new(Scope::Strict).item("a", "1");
    let item = object.spec.encrypted_data["a"].clone();
    for name in ["..", "a/b", ""] {
        object.spec.encrypted_data = [(name.to_owned(), item.clone())].into();
        assert_eq!(object.refused(), name.parse::<crate::ItemName>().unwrap_err().into());
    }
    object.spec.encrypted_data = (0..1025).map(|n| (format!("k{n}"), item.clone())).collect();
    let path = "encryptedData".to_owned();
    assert_eq!(object.refused(), UnsealError::TooLarge { path, found: 1025, limit: 1024, unit: "items" });
    object.spec.encrypted_data.remove("k0");
    assert!(object.parse().is_ok());

    let object = Object::new(Scope::Strict).item("a", vec![0; 1 << 19]).item("b", vec![0; 1 << 19]);
    assert_eq!(object.parse().unwrap().shape().keys.len(), 2);
    assert_eq!(object.item("c", "1").refused(), UnsealError::SecretTooLarge { limit: 1 << 20 });
}
