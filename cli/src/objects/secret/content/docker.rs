//! Doubts about the credentials of a registry: `.dockerconfigjson` that kubelet takes and can't log in with.
//!
//! kubelet reads `auths`, and of each entry `auth` (base64 of `user:password`), or `username` and `password`
//! (pkg/credentialprovider in Kubernetes). Docker Desktop puts no credentials into the file but the name of a program
//! that has them. Invariant: no text of the value is copied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Doubt, Items, find};

const ITEM: &str = ".dockerconfigjson";

/// The parts of the file that decide. A raw value is a slice of the text, so nothing of it is copied.
#[derive(Deserialize)]
struct Config<'a> {
    #[serde(borrow)]
    auths: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow, rename = "credsStore")]
    store: Option<&'a RawValue>,
    #[serde(borrow, rename = "credHelpers")]
    helpers: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    auth: Option<&'a RawValue>,
    #[serde(borrow)]
    username: Option<&'a RawValue>,
    #[serde(borrow)]
    password: Option<&'a RawValue>,
}

pub(super) fn doubts(items: &Items) -> Option<Doubt> {
    let (item, value) = find(items, ITEM)?;
    // In a Secret of its own type, a value that is no JSON object is an error already.
    let words = match serde_json::from_slice::<Config<'_>>(value.expose()) {
        Ok(config) => problem(&config)?,
        Err(_) => {
            "has another shape than ~/.docker/config.json: {\"auths\": {\"registry.example.com\": {\"auth\": …}}}"
        }
    };
    Some(Doubt::new(item, words))
}

fn problem(config: &Config<'_>) -> Option<&'static str> {
    let auths = config.auths.iter().flatten();
    let entries: Vec<Option<Entry<'_>>> =
        auths.map(|(_, entry)| serde_json::from_str(entry.get()).ok()).collect();
    let is_complete =
        |entry: &Entry<'_>| entry.auth.is_some() || (entry.username.is_some() && entry.password.is_some());
    let is_elsewhere = config.store.is_some() || config.helpers.is_some();
    if entries.is_empty() && !is_elsewhere {
        return Some(
            "names no registry under auths, so no image can be pulled with it; kubectl create secret docker-registry makes one",
        );
    }
    if !entries.iter().flatten().any(is_complete) && is_elsewhere {
        return Some(
            "holds no credentials: they are in the store of this machine (credsStore), which no kubelet can ask; kubectl create \
             secret docker-registry puts them in",
        );
    }
    if !entries.iter().all(|entry| entry.as_ref().is_some_and(is_complete)) {
        return Some("has a registry under auths without auth, and without username and password");
    }
    let mut given = entries.iter().flatten().filter_map(|entry| entry.auth);
    given.any(|auth| !is_auth(auth)).then_some("has an auth that isn't base64 of USER:PASSWORD")
}

/// Whether a JSON text is base64 of `user:password`. Go's reader takes line breaks, and this one takes none: an
/// escaped one isn't base64 to anybody else.
fn is_auth(auth: &RawValue) -> bool {
    let Some(text) = auth.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return false;
    };
    // The empty auth stands beside a username and a password.
    if text.is_empty() {
        return true;
    }
    let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    match BASE64.decode_slice(text, &mut decoded) {
        Ok(length) => decoded[..length].contains(&b':'),
        // JSON may write any character as an escape: what is written with one isn't judged.
        Err(_) => text.contains('\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::words;

    fn said(config: &str) -> Vec<String> {
        words(&[(".dockerconfigjson", config)], 0)
    }

    #[test]
    fn credentials_that_kubelet_can_use_are_not_doubted() {
        for config in [
            r#"{"auths":{"ghcr.io":{"auth":"Ym90Omh1bnRlcjI="}}}"#,
            r#"{"auths":{"ghcr.io":{"username":"bot","password":"hunter2","auth":""}}}"#,
            r#"{"auths":{"a":{"auth":"Ym90Omh1bnRlcjI="}},"credsStore":"desktop"}"#,
            r#"{"auths":{"a":{"auth":"Ym90Omh1bnRlcjI\u003d","email":"x"}}}"#,
        ] {
            assert!(said(config).is_empty(), "{config}: {:?}", said(config));
        }
    }

    #[test]
    fn each_way_to_hold_no_credentials_is_named_and_nothing_is_shown() {
        for (config, expected) in [
            ("{}", "names no registry"),
            (r#"{"auths":{}}"#, "names no registry"),
            (r#"{"auths":{"hunter2":{}},"credsStore":"desktop"}"#, "credsStore"),
            (r#"{"credHelpers":{"hunter2":"gcloud"}}"#, "credsStore"),
            (r#"{"auths":{"hunter2":{"username":"bot"}}}"#, "without auth"),
            (r#"{"auths":{"hunter2":"x"}}"#, "without auth"),
            (r#"{"auths":{"a":{"auth":"bot:hunter2"}}}"#, "isn't base64"),
            (r#"{"auths":{"a":{"auth":"aHVudGVyMg=="}}}"#, "isn't base64"),
            (r#"{"auths":[]}"#, "another shape"),
            (r#"{"ghcr.io":{"auth":"Ym90Omh1bnRlcjI="}}"#, "names no registry"),
        ] {
            let said = said(config);
            assert!(said.len() == 1 && said[0].contains(expected), "{config}: {said:?}");
            assert!(!said[0].contains("hunter2"), "{said:?}");
        }
    }
}
