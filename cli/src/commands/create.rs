//! `seal create NAME …`: makes a SealedSecret from values, without a Secret manifest in between.
//!
//! Invariants: no value is asked for before everything was checked that can be checked without it; no item that is sealed in
//! the file of `-o` is dropped.

mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use seal_crds::ItemName;
use seal_crds::secret::OPAQUE;
use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use seal_documents::yaml::Syntax;
use seal_documents::yaml::written::Written;

use super::again::{self, Part};
use super::{choose, values};
use crate::args::CreateArgs;
use crate::args::intent::Destination;
use crate::files::output;
use crate::objects::keeping::{Current, Keeper};
use crate::objects::name::ObjectName;
use crate::objects::outline::{self, OutlineName};
use crate::objects::sealing::{self, NativeSealer, Sealer};
use crate::objects::secret::{Secret, check, content};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{pasted, terminal};

#[derive(Debug, thiserror::Error)]
enum CreateError {
    #[error("no namespace: it is part of what is sealed")]
    WithoutNamespace,
    #[error("no items")]
    Empty,
    #[error("--template-item {0} isn't one of the items")]
    UnknownItem(ItemName, String),
    #[error("{file} has items of {object} that this would drop: {lost}")]
    Drops { file: String, object: String, lost: String, hint: String },
}

impl Explain for CreateError {
    fn rule(&self) -> Rule {
        match self {
            Self::Drops { .. } => Rule::Unwritable,
            _ => Rule::Usage,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Drops { .. } => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Drops { hint, .. } => Some(hint.clone()),
            Self::WithoutNamespace => Some("give it with -n".to_owned()),
            Self::Empty => {
                Some("give items with --prompt, --file, --env-file, --dotenv or --literal".to_owned())
            }
            Self::UnknownItem(_, there) => Some(format!("the items are: {there}")),
        }
    }
}

pub(super) fn run(args: CreateArgs) -> Result<Exit, Failure> {
    let (mut chooser, flags) = choose::chooser(&args.sealing)?;
    let destination = Destination::from_output(args.output.clone());
    again::check(&args.keep, args.sealing.seal_format, &destination, args.values.stdin_uses())?;
    let ruled = chooser.ruled(match (&args.destined, &destination) {
        (Some(path), _) | (None, Destination::File(path)) => Some(path),
        (None, Destination::Stdout | Destination::InPlace) => None,
    })?;
    let scope = ruled.scope(args.sealing.scope)?;
    let namespace = ruled.namespace(args.sealing.namespace.as_ref())?;
    if namespace.is_none() && scope.binds_namespace() {
        let failure = Failure::from(CreateError::WithoutNamespace);
        return Err(failure.hinted(ruled.namespace_hint(|_| None, "create one for each")));
    }
    let mut items = values::literals(&args.literals)?;
    let (labels, annotations) = metadata::read(&args)?;
    values::read(&args.values, &mut items)?;
    values::generate(&args.values, &mut items)?;
    let names = values::names(&items, args.values.prompts.iter())?;
    if names.is_empty() {
        return Err(CreateError::Empty.into());
    }
    if let Some(missing) = args.sealing.template_items.iter().find(|item| !names.contains(item)) {
        return Err(CreateError::UnknownItem(missing.clone(), super::list(&names)).into());
    }
    let type_ = if args.type_.is_empty() { OPAQUE.to_owned() } else { args.type_.clone() };
    check::check_names(&type_, &names)?;
    ruled.check_type(&type_)?;

    let object_name = ObjectName { namespace: namespace.clone(), name: args.name.clone() };
    let keeper = again::keeper(&args.keep, args.sealing.seal_format)?;
    let sealer = chooser.sealers(&flags, &[(&ruled, scope)])?.pop().expect("there is one for each file");
    let there = match &destination {
        Destination::File(path) => {
            output::check_place(path)?;
            again::in_file(path)
        }
        Destination::Stdout | Destination::InPlace => None,
    };
    if let (Some(there), Destination::File(path)) = (&there, &destination) {
        check_drops(path, there, &object_name, &names)?;
    }

    values::ask(&args.values, &mut items)?;
    let secret = Secret {
        namespace,
        name: Some(args.name),
        type_,
        immutable: args.immutable.then_some(true),
        labels,
        annotations,
        bitnami_annotations: BTreeMap::new(),
        items,
    };
    for doubt in content::doubts(&secret.items) {
        terminal::warn(&doubt.words, None);
    }
    check::check(&secret)?;
    let text = match (&keeper, &sealer) {
        (Some(keeper), Sealer::Native(sealer)) => {
            seal_again(secret, &object_name, sealer, keeper, there.as_ref(), args.json)?
        }
        _ => print(&object_name, &sealer.seal(secret, &object_name)?, args.json),
    };
    again::write(&destination, &text, there.as_ref())?;
    Ok(Exit::Done)
}

/// Refuses a file that has sealed items that wouldn't be in the result: nobody could get them back without a key. A file
/// that can't be read as a manifest is replaced.
fn check_drops(
    path: &Path,
    there: &Source,
    object_name: &ObjectName,
    names: &BTreeSet<ItemName>,
) -> Result<(), CreateError> {
    let Ok(present) = Manifest::parse(there) else { return Ok(()) };
    for outline in outline::read_all(&present) {
        let OutlineName { namespace, name } = &outline.object_name;
        let is_namespace = match (namespace, &object_name.namespace) {
            (Some(one), Some(other)) => one == other.as_str(),
            // A kustomization may name it.
            _ => true,
        };
        let is_same = is_namespace && name.as_deref() == Some(object_name.name.as_str());
        let stays = |item: &str| is_same && names.iter().any(|name| name.as_str() == item);
        let items = outline.items.keys().filter(|item| !stays(item)).map(|item| seal_foreign::word(item));
        // The deprecated form of bitnami.com seals all items as one text, which stands for them.
        let mut lost: Vec<String> =
            items.chain(outline.whole.as_ref().map(|_| "spec.data".to_owned())).collect();
        if lost.is_empty() {
            continue;
        }
        const SHOWN: usize = 20;
        if lost.len() > SHOWN {
            let more = lost.split_off(SHOWN).len();
            lost.push(format!("{more} more"));
        }
        let parts = namespace.iter().chain(name).map(|part| seal_foreign::word(part));
        let shown = path.to_string_lossy();
        let hint = match names.iter().next() {
            Some(first) if is_same && outline.whole.is_none() => format!(
                "seal set {} {first} adds or changes an item, and keeps the others; or give these, too",
                pasted::path(&shown)
            ),
            _ => "choose another file with -o".to_owned(),
        };
        return Err(CreateError::Drops {
            file: seal_foreign::path(path),
            object: parts.collect::<Vec<_>>().join("/"),
            lost: lost.join(", "),
            hint,
        });
    }
    Ok(())
}

/// Seals a Secret that the destination may have already. If it is all that the file has, the file is edited where it
/// stands.
fn seal_again(
    secret: Secret,
    object_name: &ObjectName,
    sealer: &NativeSealer,
    keeper: &Keeper,
    there: Option<&Source>,
    json: bool,
) -> Result<String, Failure> {
    let present = there.and_then(|source| Manifest::parse(source).ok());
    let current = present.as_ref().and_then(|present| Current::find(present, object_name));
    let sealed = keeper.seal(secret, object_name, sealer, current)?;
    if current.is_some() {
        terminal::note(&format!("{object_name}: {}", sealed.summary()));
    }
    let is_of_this_syntax = |present: &&Manifest<'_>| (present.syntax == Syntax::Json) == json;
    let edited = present
        .as_ref()
        .filter(is_of_this_syntax)
        .and_then(|present| again::edited(&[Part::Sealed(current, &sealed)], present));
    Ok(edited.unwrap_or_else(|| print(object_name, &sealing::object(object_name, &sealed.spec), json)))
}

/// The text of a SealedSecret.
fn print(object_name: &ObjectName, value: &Written, json: bool) -> String {
    if sealing::is_too_large_to_apply(value) {
        let warning =
            format!("{object_name} is too large for kubectl apply; use kubectl apply --server-side");
        terminal::warn(&warning, None);
    }
    if json { format!("{}\n", *value.to_json(0, 2)) } else { value.to_yaml(0).to_string() }
}
