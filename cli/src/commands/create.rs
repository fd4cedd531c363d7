//! `seal create NAME …`: makes a SealedSecret from values, without a Secret manifest in between.

mod metadata;

use std::collections::BTreeMap;

use seal_crds::secret::OPAQUE;
use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use seal_documents::yaml::Syntax;
use seal_documents::yaml::written::Written;

use super::again::{self, Part};
use super::{choose, values};
use crate::args::CreateArgs;
use crate::args::intent::Destination;
use crate::objects::keeping::{Current, Keeper};
use crate::objects::name::ObjectName;
use crate::objects::sealing::{self, NativeSealer, Sealer};
use crate::objects::secret::{Secret, check, content};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum CreateError {
    #[error("no namespace: it is part of what is sealed")]
    WithoutNamespace,
    #[error("no items")]
    Empty,
    #[error("--template-item {0} isn't one of the items")]
    UnknownItem(seal_crds::ItemName, String),
}

impl Explain for CreateError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
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
    let secret = Secret {
        namespace: namespace.clone(),
        name: Some(args.name.clone()),
        type_: if args.type_.is_empty() { OPAQUE.to_owned() } else { args.type_.clone() },
        immutable: args.immutable.then_some(true),
        labels,
        annotations,
        bitnami_annotations: BTreeMap::new(),
        items,
    };
    if secret.items.is_empty() {
        return Err(CreateError::Empty.into());
    }
    if let Some(missing) = args.sealing.template_items.iter().find(|item| !secret.items.contains_key(item)) {
        return Err(CreateError::UnknownItem(missing.clone(), super::list(secret.items.keys())).into());
    }
    for doubt in content::doubts(&secret.items) {
        terminal::warn(&doubt.words, None);
    }
    check::check(&secret)?;
    ruled.check_type(&secret.type_)?;

    let object_name = ObjectName { namespace, name: args.name };
    let keeper = again::keeper(&args.keep, args.sealing.seal_format)?;
    let sealer = chooser.sealers(&flags, &[(&ruled, scope)])?.pop().expect("there is one for each file");
    let there = match (&keeper, &destination) {
        (Some(_), Destination::File(path)) => again::in_file(path),
        _ => None,
    };
    let text = match (&keeper, &sealer) {
        (Some(keeper), Sealer::Native(sealer)) => {
            seal_again(secret, &object_name, sealer, keeper, there.as_ref(), args.json)?
        }
        _ => print(&object_name, &sealer.seal(secret, &object_name)?, args.json),
    };
    again::write(&destination, &text, there.as_ref())?;
    Ok(Exit::Done)
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
