//! `seal set FILE ITEM`: items sealed anew, or added, in the file of a SealedSecret; no private key is needed.
//!
//! Invariants: the command reads and checks all files before it asks for a value or a cluster, and seals everything
//! before it writes anything; so all files are changed or none. A word that may be a value is never repeated.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use seal_crds::keys::RsaPublicKey;
use seal_crds::native::NamedRecipient;
use seal_crds::{Format, ItemName, Plaintext};
use seal_documents::manifest::{Manifest, Object, edit};
use seal_documents::source::Source;

use super::choose::{BitnamiFlags, CertificateFlag, Chooser};
use super::{list, values};
use crate::args::SetArgs;
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::objects::change::{self, Changeable, NewItem, SealTo};
use crate::objects::secret::content;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

use plan::{Plan, SetError};
use values::Items;

/// One file, and the SealedSecret in it that changes.
struct FileToChange<'m> {
    path: &'m Path,
    manifest: &'m Manifest<'m>,
    object: &'m Object,
    sealed: Changeable,
}

/// Whom one file is sealed to, in its format.
enum Target {
    Recipients(Arc<[NamedRecipient]>),
    Certificate(RsaPublicKey),
}

/// A file's new text, and what the report says of it.
struct Changed<'m> {
    path: &'m Path,
    manifest: &'m Manifest<'m>,
    text: String,
    line: String,
}

pub(super) fn run(mut args: SetArgs) -> Result<Exit, Failure> {
    let plan = Plan::of(&args)?;
    let inputs = plan.files.iter().map(|path| Input::File(path.clone()));
    let sources = inputs.map(|input| input.read()).collect::<Result<Vec<Source>, Failure>>()?;
    let manifests = sources.iter().map(Manifest::parse).collect::<Result<Vec<_>, _>>()?;
    let files = plan.files.iter().zip(&manifests).map(|(path, manifest)| {
        let object = change::find(manifest, args.object.as_deref())?;
        let sealed = Changeable::read(manifest, object, args.namespace.as_ref())?;
        Ok(FileToChange { path, manifest, object, sealed })
    });
    let files = files.collect::<Result<Vec<_>, Failure>>()?;
    plan::check_formats(&args, files.iter().map(|file| file.sealed.format()))?;
    let named: Vec<ItemName> = plan.item.iter().chain(args.values.named()).cloned().collect();
    for file in &files {
        file.sealed.check_template(named.iter().cloned(), &args.template_items)?;
    }

    let given = collect(&plan, &args)?;
    let targets = resolve(&mut args, &files)?;
    let same = args.same.then(|| generate(&args)).transpose()?;
    let mut changed = Vec::new();
    for (file, target) in files.into_iter().zip(&targets) {
        let fresh = if same.is_none() { generate(&args)? } else { Items::new() };
        let items = given.iter().chain(same.iter().flatten()).chain(&fresh);
        changed.push(seal(file, items, &args, target)?);
    }
    let replacements: Vec<Replacement<'_>> = changed
        .iter()
        .map(|Changed { path, manifest, text, .. }| Replacement {
            path,
            old: manifest.source.text().as_bytes(),
            new: text.as_bytes(),
        })
        .collect();
    output::replace_files(&replacements)?;
    output::report(changed.iter().map(|changed| &changed.line))?;
    Ok(Exit::Done)
}

/// The values that a person or a file gives, checked against the flags.
fn collect(plan: &Plan, args: &SetArgs) -> Result<Items, Failure> {
    let mut items = Items::new();
    if let Some(item) = &plan.item {
        items.insert(item.clone(), plan::one_value(item, args.values.chomp)?);
    }
    values::read(&args.values, &mut items)?;
    let made_up = args.values.generates.iter().map(|generate| &generate.item);
    if let Some(twice) = made_up.clone().find(|item| items.contains_key(item)) {
        return Err(SetError::Twice(twice.clone()).into());
    }
    let all: BTreeSet<&ItemName> = items.keys().chain(made_up).collect();
    if all.is_empty() {
        return Err(SetError::NoItems.into());
    }
    if let Some(other) = args.template_items.iter().find(|item| !all.contains(item)) {
        return Err(SetError::NotSet(other.clone(), list(all)).into());
    }
    for doubt in content::doubts(&items) {
        terminal::warn(&doubt.words, None);
    }
    Ok(items)
}

fn generate(args: &SetArgs) -> Result<Items, Failure> {
    let mut items = Items::new();
    values::generate(&args.values, &mut items)?;
    Ok(items)
}

/// Whom to seal to, file by file. What the rule for a file doesn't allow is refused.
fn resolve(args: &mut SetArgs, files: &[FileToChange<'_>]) -> Result<Vec<Target>, Failure> {
    let is_native = |file: &FileToChange<'_>| file.sealed.format() == Format::Native;
    let mut recipients = std::mem::take(&mut args.recipients);
    let given = if files.iter().any(is_native) { None } else { recipients.pop() };
    let certificate = CertificateFlag::of(args.cert.as_ref(), given.as_ref());
    let flags = BitnamiFlags { certificate, controller_name: args.controller_name.take() };
    let mut chooser = Chooser::new(recipients, args.cluster.clone(), args.accept.clone());
    let ruled =
        files.iter().map(|file| chooser.ruled(Some(file.path))).collect::<Result<Vec<_>, Failure>>()?;
    for (file, ruled) in files.iter().zip(&ruled) {
        ruled.namespace(file.sealed.object_name.namespace.as_ref())?;
        ruled.scope(Some(file.sealed.scope()))?;
    }
    let of = |native: bool| {
        let files = files.iter().zip(&ruled).filter(move |(file, _)| is_native(file) == native);
        files.map(|(_, ruled)| ruled).collect::<Vec<_>>()
    };
    let mut recipients = chooser.recipients(&of(true))?.into_iter();
    let mut keys = chooser.bitnami_keys(&flags, &of(false))?.into_iter();
    const EACH: &str = "there is one for each file of the format";
    let target = |file: &FileToChange<'_>| {
        Ok(if is_native(file) {
            Target::Recipients(recipients.next().expect(EACH)?)
        } else {
            Target::Certificate(keys.next().expect(EACH))
        })
    };
    files.iter().map(target).collect()
}

fn seal<'m, 'i>(
    file: FileToChange<'m>,
    items: impl Iterator<Item = (&'i ItemName, &'i Plaintext)>,
    args: &SetArgs,
    target: &Target,
) -> Result<Changed<'m>, Failure> {
    let FileToChange { path, manifest, object, sealed } = file;
    let items: BTreeMap<ItemName, NewItem> = items
        .map(|(name, value)| {
            // A copy in memory that is wiped: each file seals its own.
            let value = Plaintext::from(value.expose().to_vec());
            (name.clone(), NewItem { value, template: args.template_items.contains(name) })
        })
        .collect();
    let to = match target {
        Target::Recipients(recipients) => SealTo::Recipients(recipients),
        Target::Certificate(key) => SealTo::Certificate(key),
    };
    let is_known = |name: &&ItemName| sealed.lines().contains_key(name.as_str());
    let (again, added): (Vec<&ItemName>, Vec<&ItemName>) = items.keys().partition(is_known);
    let mut what = Vec::new();
    for (items, verb) in [(again, "sealed again"), (added, "added")] {
        if !items.is_empty() {
            what.push(format!("{} {verb}", list(items)));
        }
    }
    let line = format!("{}: {} for {}", path.display(), what.join(", "), names(&to));
    warn_of_others(&sealed, &items, &to);
    let change = sealed.put(manifest, object, &to, items)?;
    let edited = edit(manifest, &[change.edits]).map_err(|error| manifest.locate(error))?;
    for at in edited.lost_comments {
        terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(at)));
    }
    Ok(Changed { path, manifest, text: edited.text, line })
}

/// Warns of recipients who open the other items of the object and won't open these: a recovery recipient that was
/// forgotten is missed only on the day of the recovery.
fn warn_of_others(sealed: &Changeable, items: &BTreeMap<ItemName, NewItem>, to: &SealTo<'_>) {
    let SealTo::Recipients(recipients) = to else { return };
    let names = items.keys().map(ItemName::as_str).collect();
    let now: BTreeSet<_> = recipients.iter().map(|named| named.recipient.fingerprint()).collect();
    let others = sealed.recipients_beside(&names).into_iter().filter(|(key, _)| !now.contains(key));
    let others: Vec<String> = others
        .map(|(key, name)| name.map_or_else(|| key.short(), |name| format!("{name} ({})", key.short())))
        .collect();
    if !others.is_empty() {
        let (object_name, items) = (&sealed.object_name, list(items.keys()));
        let warning = format!(
            "the other items of {object_name} are also sealed to {}; {items} won't be",
            others.join(", ")
        );
        terminal::warn(&warning, None);
    }
}

/// The names of those who will open the items.
fn names(to: &SealTo<'_>) -> String {
    match to {
        SealTo::Certificate(key) => key.fingerprint().short(),
        SealTo::Recipients(recipients) => {
            let name = |named: &NamedRecipient| {
                named.name.clone().unwrap_or_else(|| named.recipient.fingerprint().short())
            };
            recipients.iter().map(name).collect::<Vec<_>>().join(", ")
        }
    }
}
