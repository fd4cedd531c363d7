//! Templates that make public what should be sealed, or that show an item where it wasn't shown before.
//!
//! The template of a SealedSecret is public and not authenticated. A constant in it is legal, and mostly a host name; only
//! one that its key or its form calls a password is a finding. Everybody who may change a template can let an item that was sealed
//! for templates appear under another key of the Secret: a reviewer has to see that.
//!
//! Invariant: no message holds a text of a template.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_documents::manifest::shown;

use super::Sealed;
use crate::check::finding::Finding;
use crate::check::lint::Lint;

/// Words in a key that call its value secret.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "credential",
];

/// Constants of an object's template that look like secrets.
pub(super) fn plain_values(sealed: &Sealed<'_>) -> Vec<Finding> {
    let outline = sealed.outline;
    let found = outline.template.data.iter().filter_map(|(key, value)| {
        let text = value.text.as_deref()?;
        let is_secret = (is_constant(text, outline.format) && is_secret_word(key) && is_value(text))
            || has_password_in_url(text);
        let key = shown(key);
        let message = format!("template.data.{key} of {} looks like a secret in plaintext", sealed.name());
        is_secret.then(|| sealed.finding(Lint::PlaintextTemplate, message).at(value.at).item(key))
    });
    found.collect()
}

/// Items that a template shows under a key where the earlier state of the same object didn't show them. A new object is
/// new as a whole.
pub(super) fn shown_since(now: &[Sealed<'_>], before: &[Sealed<'_>]) -> Vec<Finding> {
    let mut earlier: BTreeMap<_, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for sealed in before {
        let uses = uses(sealed).into_iter().map(|(item, key, _)| (item, key));
        earlier.entry(&sealed.outline.object_name).or_default().extend(uses);
    }
    let mut found = Vec::new();
    for sealed in now {
        let Some(known) = earlier.get(&sealed.outline.object_name) else { continue };
        for (item, key, at) in
            uses(sealed).into_iter().filter(|(item, key, _)| !known.contains(&(*item, *key)))
        {
            let (item, key) = (shown(item), shown(key));
            let message = format!("template.data.{key} of {} now shows item {item}", sealed.name());
            let hint =
                "whoever may read that key of the Secret sees the item; review it as a change of access";
            found.push(sealed.finding(Lint::PlaintextTemplate, message).at(at).item(key).hint(hint));
        }
    }
    found
}

/// Each use of an item in a template: the item, the key, and the byte of the key.
fn uses<'a>(sealed: &Sealed<'a>) -> Vec<(&'a str, &'a str, usize)> {
    let outline = sealed.outline;
    if outline.template.data.is_empty() {
        return Vec::new();
    }
    let of_item = |item: &'a String| {
        let keys = outline.uses_in_template(item).into_iter();
        keys.map(move |key| (item.as_str(), key, outline.template.data[key].at))
    };
    outline.items.keys().flat_map(of_item).collect()
}

fn is_constant(text: &str, format: Format) -> bool {
    match format {
        Format::Native => !text.contains("$("),
        Format::Bitnami => !text.contains("{{"),
    }
}

fn is_secret_word(key: &str) -> bool {
    let word: String =
        key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // The name of something isn't the thing: `token_url`, `secretName`.
    let names_it = ["url", "uri", "name", "file", "path", "type", "ref", "id", "enabled", "ttl", "policy"];
    SECRET_WORDS.iter().any(|secret| word.contains(secret)) && !names_it.iter().any(|end| word.ends_with(end))
}

/// Whether a text says anything: neither nothing, nor a switch, nor a placeholder.
fn is_value(text: &str) -> bool {
    let text = text.trim();
    let is_switch =
        matches!(text.to_ascii_lowercase().as_str(), "" | "true" | "false" | "yes" | "no" | "null");
    !is_switch && seal_documents::manifest::Look::of(text.as_bytes()).is_none()
}

/// Whether a text has a URL with a password in it that is no reference: `db://app:hunter2@host`.
fn has_password_in_url(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', '"', '\'', ' ', '\n']).next().unwrap_or_default();
        let password = authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .map(|(_, password)| password);
        let is_reference = |password: &str| password.contains(['$', '{', '<', '*']) || password.is_empty();
        password.is_some_and(|password| !is_reference(password))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::lints::samples::{File, manifest, objects, recipient, spec};
    use seal_crds::Scope;

    fn file(data: &[(&str, &str)]) -> File {
        let mut spec = spec("prod/db", Scope::Strict, &[&recipient()]);
        spec.template.data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        File::new("f.yaml", &manifest("{name: db, namespace: prod}", &spec))
    }

    #[test]
    fn a_constant_that_looks_like_a_secret_is_told_without_its_text() {
        let found = |key: &str, text: &str| {
            let files = [file(&[(key, text)])];
            let found: Vec<Finding> = objects(&files).iter().flat_map(plain_values).collect();
            assert!(found.iter().all(|found| !found.message.contains("hunter2")));
            !found.is_empty()
        };
        for (key, text) in [
            ("db-password", "hunter2"),
            ("API_TOKEN", "hunter2"),
            ("url", "postgres://app:hunter2@db/app"),
            ("config", "a: b\ndsn: \"mysql://u:hunter2@h\"\n"),
        ] {
            assert!(found(key, text), "{key}");
        }
        for (key, text) in [
            ("host", "db.example.com"),
            ("url", "postgres://app:$(password)@db/app"),
            ("url", "https://host:8080/path"),
            ("url", "https://user@host"),
            ("db-password2", "$(password)"),
            ("token_url", "https://example.com"),
            ("secretName", "db"),
            ("use-token", "true"),
            ("token", "${TOKEN}"),
            ("docs", "see http://a:b and x@y"),
        ] {
            assert!(!found(key, text), "{key}: {text}");
        }
    }

    #[test]
    fn an_item_that_a_template_shows_now_is_told() {
        let (before, now) = (
            file(&[("url", "db://$(password)")]),
            file(&[("url", "db://$(password)"), ("x", "$(password)")]),
        );
        let shown = |now: &File, before: &[File]| shown_since(&now.sealed(), &objects(before)).len();
        assert_eq!(shown(&now, std::slice::from_ref(&before)), 1);
        assert_eq!(shown(&before, std::slice::from_ref(&before)), 0);
        assert_eq!(shown(&now, &[]), 0);
    }
}
