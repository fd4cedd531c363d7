//! The namespace of objects that name none: what kustomizations, Flux and Argo CD say of their file.
//!
//! `seal check` knows it from the tree that it reads ([`Given`] of [`lints`](super::lints)); a command that lacks a
//! namespace reads the repository for it, once it has failed. Invariant: it is a hint for people, and nothing is ever sealed
//! for a namespace that was found here.

use std::collections::BTreeMap;

use seal_foreign::word;

use super::context::Context;
use super::lints;
use super::scan::Texts;
use super::scanned::Origin;
use super::tree::Tree;
use crate::files::git::Repository;
use crate::rules::site::Site;

/// The most namespaces that a message names.
const MOST_NAMED: usize = 3;

/// The namespaces that objects of one file get where they are deployed, each with the `file:line` that says so.
pub(crate) type Given = BTreeMap<String, String>;

/// The namespaces that a repository gives the objects of a file. None outside of Git, where nobody knows how far to look,
/// and none if the repository can't be read.
pub(crate) fn given(site: &Site) -> Given {
    let find = || {
        let repository = Repository::find(&site.top).ok().flatten().filter(|_| site.is_in_git)?;
        let mut tree = Tree::of_work_tree(&repository, &site.top).ok()?;
        // Git may well ignore a Secret in plaintext, and a kustomization may name it all the same.
        tree.add_named(site.path.as_ref());
        let texts = Texts::of(&tree, Origin::Tree, &[site.path.clone()].into()).ok()?;
        let context = Context::new(texts.scanned(), texts.paths.clone(), 0);
        lints::given(&context, &[site.path.as_str()].into()).remove(&site.path)
    };
    find().unwrap_or_default()
}

/// `overlays/dev/kustomization.yaml:3 says web-dev`, for each namespace.
pub(crate) fn said(given: &Given) -> String {
    let more = if given.len() > MOST_NAMED { ", …" } else { "" };
    let said: Vec<String> = given
        .iter()
        .take(MOST_NAMED)
        .map(|(namespace, by)| format!("{} says {}", word(by), word(namespace)))
        .collect();
    said.join(", ") + more
}

/// The only namespace, if there is one, and no placeholder.
pub(crate) fn only(given: &Given) -> Option<&str> {
    let mut names = given.keys().map(String::as_str);
    match (names.next(), names.next()) {
        (Some(name), None) => Some(name).filter(|name| name.parse::<seal_crds::Namespace>().is_ok()),
        _ => None,
    }
}
