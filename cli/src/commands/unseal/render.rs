//! Opened Secrets as manifests, in buffers that are wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal_crds::Plaintext;
use seal_documents::yaml::Syntax;
use seal_documents::yaml::written::Written;
use zeroize::Zeroizing;

use super::OpenedSecret;

/// The Secrets one after another, each in the syntax of its input.
pub(super) fn secrets(opened: &[OpenedSecret]) -> Zeroizing<String> {
    let texts: Vec<_> = opened
        .iter()
        .map(|opened| match opened.syntax {
            Syntax::Yaml => secret(opened).to_yaml(0),
            Syntax::Json => secret(opened).to_json(0, 2),
        })
        .collect();
    let mut out = Zeroizing::new(String::with_capacity(texts.iter().map(|text| text.len() + 8).sum()));
    let mut only_json = true;
    for (index, (text, opened)) in texts.iter().zip(opened).enumerate() {
        only_json &= opened.syntax == Syntax::Json;
        // JSON documents need no separator between them; all others do.
        if index > 0 && !only_json {
            out.push_str("---\n");
        }
        out.push_str(text);
        if opened.syntax == Syntax::Json {
            out.push('\n');
        }
    }
    out
}

fn secret(opened: &OpenedSecret) -> Written {
    let shape = &opened.shape;
    let entry = |key: &str, text: &str| (key.to_owned(), Written::text(text));
    let mut metadata = vec![entry("name", opened.place.name.as_str())];
    if let Some(namespace) = &opened.namespace {
        metadata.push(entry("namespace", namespace.as_str()));
    }
    for (key, strings) in [("labels", &shape.labels), ("annotations", &shape.annotations)] {
        if !strings.is_empty() {
            metadata.push((key.to_owned(), Written::strings(strings)));
        }
    }
    let data = opened.unsealed.data.iter().map(|(item, value)| (item.to_string(), encoded(value)));
    let mut secret = vec![
        entry("apiVersion", "v1"),
        entry("kind", "Secret"),
        ("metadata".to_owned(), Written::Mapping(metadata)),
        entry("type", &shape.type_),
        ("data".to_owned(), Written::Mapping(data.collect())),
    ];
    if let Some(immutable) = shape.immutable {
        secret.insert(4, ("immutable".to_owned(), Written::Bool(immutable)));
    }
    Written::Mapping(secret)
}

fn encoded(value: &Plaintext) -> Written {
    let mut text = Zeroizing::new(String::with_capacity(value.len().div_ceil(3) * 4));
    BASE64.encode_string(value.expose(), &mut text);
    Written::Text(text)
}
