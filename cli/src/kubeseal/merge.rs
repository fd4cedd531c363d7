//! `--merge-into`: puts the items of a Secret into a SealedSecret's file.
//!
//! The file keeps everything but its layout: it is printed anew, as kubeseal does. Invariant: the file is
//! replaced as a whole, only if it still holds the text that was read, and only by an object in which every
//! item has the scope that the object claims.

use std::path::Path;

use seal_crds::Scope;
use seal_crds::keys::Certificate;
use seal_documents::source::Source;

use super::failure::KubesealError;
use super::go_value::GoValue;
use super::options::Options;
use super::schema::{OBJECT_META, SEALED_SECRET, SPEC, StructField, TEMPLATE, set};
use super::seal::{Overrides, claimed, seal};
use super::{print, sealed};
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::talk::failure::Failure;

/// Merges the Secret into the file, and writes the file.
pub(super) fn merge(
    options: &Options,
    into: &Path,
    secret: &Source,
    certificate: &Certificate,
) -> Result<(), Failure> {
    let file = Input::File(into.to_owned()).read()?;
    let mut there = sealed::one(&file)?;
    let metadata = there.get("metadata").expect("a SealedSecret that was read always has it");
    let scope = claimed(metadata);
    let (name, namespace) = (metadata.text_at("name").to_owned(), metadata.text_at("namespace").to_owned());
    let overrides = Overrides {
        name: Some(name.as_str()).filter(|name| !name.is_empty()),
        namespace: Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()),
        scope: Some(scope),
    };
    let mut updates = seal(options, &overrides, secret, certificate)?;
    let mut update = match (updates.pop(), updates.len()) {
        (Some(update), 0) => update,
        (_, others) => return Err(KubesealError::ManySecrets(others + 1).into()),
    };
    check_scope(scope, claimed(update.get("metadata").expect("it was just made")))?;

    let mut spec = there.take("spec").expect("a SealedSecret that was read always has it");
    let mut new = update.take("spec").expect("it was just made");
    join(&mut spec, &mut new, &SPEC, "encryptedData");
    let mut template = spec.take("template").expect("a spec that was read always has it");
    let mut new = new.take("template").expect("it was just made");
    let mut metadata = template.take("metadata").expect("a template that was read always has it");
    let mut new = new.take("metadata").expect("it was just made");
    join(&mut metadata, &mut new, &OBJECT_META, "annotations");
    join(&mut metadata, &mut new, &OBJECT_META, "labels");
    set(&mut template, &TEMPLATE, "metadata", metadata);
    set(&mut spec, &SPEC, "template", template);
    set(&mut there, &SEALED_SECRET, "spec", spec);
    let text = print::objects([&there], &options.format)?;
    Ok(output::replace_files(&[Replacement { path: into, old: file.text().as_bytes(), new: text.bytes() }])?)
}

/// Checks that both scopes are the same: an item of another scope would never open beside the others.
fn check_scope(there: Scope, new: Scope) -> Result<(), KubesealError> {
    if there == new { Ok(()) } else { Err(KubesealError::OtherScope { there, new }) }
}

/// Merges the entries of a field of `from` into the same field of `into`.
fn join(into: &mut GoValue, from: &mut GoValue, fields: &'static [StructField], field: &str) {
    let Some(mut new) = from.take(field) else { return };
    let new = std::mem::take(new.map_mut());
    if new.is_empty() {
        return;
    }
    let mut all = into.take(field).unwrap_or(GoValue::Null);
    let entries = all.map_mut();
    entries.retain(|(key, _)| !new.iter().any(|(known, _)| known == key));
    entries.extend(new);
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    set(into, fields, field, all);
}
