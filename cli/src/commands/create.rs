//! `seal create NAME …`: makes a SealedSecret from values, without a Secret manifest in between.

mod metadata;

use std::collections::BTreeMap;

use seal_crds::secret::OPAQUE;
use seal_documents::manifest::Look;

use super::{choose, values};
use crate::args::CreateArgs;
use crate::args::intent::Destination;
use crate::files::output::{self, Privacy};
use crate::objects::name::ObjectName;
use crate::objects::sealing;
use crate::objects::secret::{Secret, check};
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
            Self::Empty => Some("give items with --prompt, --file, --env-file or --literal".to_owned()),
            Self::UnknownItem(_, there) => Some(format!("the items are: {there}")),
        }
    }
}

pub(super) fn run(args: CreateArgs) -> Result<Exit, Failure> {
    let (mut chooser, flags) = choose::chooser(&args.sealing)?;
    let destination = Destination::from_output(args.output.clone());
    let ruled = chooser.ruled(match (&args.destined, &destination) {
        (Some(path), _) | (None, Destination::File(path)) => Some(path),
        (None, Destination::Stdout | Destination::InPlace) => None,
    })?;
    let scope = ruled.scope(args.sealing.scope)?;
    let namespace = ruled.namespace(args.sealing.namespace.as_ref())?;
    if namespace.is_none() && scope.binds_namespace() {
        return Err(CreateError::WithoutNamespace.into());
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
    for (item, value) in &secret.items {
        if let Some(look) = Look::of(value.expose()) {
            terminal::warn(&format!("item {item} {look}"), None);
        }
    }
    check::check(&secret)?;
    ruled.check_type(&secret.type_)?;

    let object_name = ObjectName { namespace, name: args.name };
    let sealer = chooser.sealers(&flags, &[(&ruled, scope)])?.pop().expect("there is one for each file");
    let value = sealer.seal(secret, &object_name)?;
    if sealing::is_too_large_to_apply(&value) {
        terminal::warn(
            &format!("{object_name} is too large for kubectl apply; use kubectl apply --server-side"),
            None,
        );
    }
    let mut text = if args.json { value.to_json(0, 2) } else { value.to_yaml(0) };
    if args.json {
        text.push('\n');
    }
    match destination {
        Destination::File(path) => output::to_files(&[(&path, text.as_bytes())], Privacy::Public)?,
        Destination::Stdout | Destination::InPlace => output::to_stdout(text.as_bytes())?,
    }
    Ok(Exit::Done)
}
