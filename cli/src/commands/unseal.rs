//! `seal unseal [FILE…] -i IDENTITY`: prints the Secrets themselves, offline, for the day the cluster is
//! gone.
//!
//! The input may mix both formats. Objects that aren't SealedSecrets are left out. Invariant: the whole input
//! opens, or nothing is printed.

mod render;

use std::path::Path;

use seal_crds::keys::Keyring;
use seal_crds::{ItemName, Namespace, Place, Plaintext, Shape, Unsealed};
use seal_documents::manifest::{Kind, Manifest, Object};
use seal_documents::source::Source;
use seal_documents::yaml::Syntax;

use super::sealed_files::{self, SealedFiles};
use crate::args::UnsealArgs;
use crate::args::intent::{self, Destination, IntentError};
use crate::files::input::Input;
use crate::files::output::{self, Privacy};
use crate::keys::identities;
use crate::objects::sealed::{Opened, Parsed};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum UnsealCommandError {
    #[error("plaintext isn't printed to a terminal")]
    ToTerminal,
    #[error("there is no SealedSecret in the input")]
    NothingSealed,
    #[error("no SealedSecret in the input has an item {0}")]
    NoSuchItem(ItemName, String),
    #[error("several SealedSecrets in the input have an item {0}")]
    ManySuchItems(ItemName),
}

impl Explain for UnsealCommandError {
    fn rule(&self) -> Rule {
        match self {
            Self::ToTerminal | Self::NoSuchItem(..) | Self::ManySuchItems(_) => Rule::Usage,
            Self::NothingSealed => Rule::NothingToDo,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::ToTerminal => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ToTerminal => "pipe it on, write it to a file with -o FILE, or add --show".to_owned(),
            Self::ManySuchItems(_) => "name the one file".to_owned(),
            Self::NoSuchItem(_, there) => format!("the items are: {there}"),
            Self::NothingSealed => return None,
        })
    }
}

/// A Secret in the clear. It has no `Debug`, since it holds the values.
struct OpenedSecret {
    place: Place,
    /// The namespace of the place. It is `None` if the manifest names none, which it may if the scope doesn't
    /// bind it.
    namespace: Option<Namespace>,
    shape: Shape,
    unsealed: Unsealed,
    /// The keys of the Secret that its template makes.
    rendered: Vec<ItemName>,
    syntax: Syntax,
}

pub(super) fn run(args: &UnsealArgs) -> Result<Exit, Failure> {
    let destination = Destination::from_output(args.output.clone());
    if destination == Destination::Stdout && terminal::stdout_is_terminal() && !args.show {
        return Err(UnsealCommandError::ToTerminal.into());
    }
    let inputs = intent::inputs(&args.files)?;
    let has_directory = args.files.iter().any(|path| path.is_dir());
    let identities: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().chain(&identities).filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    let keys = identities::read(&identities)?;

    let sources = if has_directory {
        let SealedFiles { files, failures } = sealed_files::read(&args.files)?;
        if let Some(failure) = failures.into_iter().next() {
            return Err(failure);
        }
        files.into_iter().map(|file| file.source).collect()
    } else {
        inputs.iter().map(Input::read).collect::<Result<Vec<Source>, Failure>>()?
    };
    let mut opened = Vec::new();
    for source in &sources {
        let manifest = Manifest::parse(source)?;
        for object in manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret) {
            opened.push(open(args, &manifest, object, &keys)?);
        }
    }
    if opened.is_empty() {
        return Err(UnsealCommandError::NothingSealed.into());
    }
    let rendered;
    let bytes = match &args.item {
        Some(item) => find_item(&opened, item)?.expose(),
        None => {
            opened.iter().for_each(warn_of_rendered);
            rendered = render::secrets(&opened);
            rendered.as_bytes()
        }
    };
    match destination {
        Destination::File(path) => {
            let path: &Path = &path;
            output::to_files(&[(path, bytes)], Privacy::Private)?;
        }
        Destination::Stdout | Destination::InPlace => output::to_stdout(bytes)?,
    }
    Ok(Exit::Done)
}

fn open(
    args: &UnsealArgs,
    manifest: &Manifest<'_>,
    object: &Object,
    keys: &Keyring,
) -> Result<OpenedSecret, Failure> {
    let spot = || manifest.spot(manifest.tree(object).range(object.node).start);
    let parsed = Parsed::new(manifest, object, args.namespace.as_ref())?;
    let Opened { sealed, unsealed } = parsed.open(keys).map_err(|error| Failure::from(error).at(spot()))?;
    let made = |item: &&ItemName| parsed.has_template() && parsed.templates.contains(item.as_str());
    let rendered = unsealed.data.keys().filter(made).cloned().collect();
    Ok(OpenedSecret {
        place: parsed.place(),
        namespace: parsed.object_name.namespace,
        shape: sealed.shape().clone(),
        unsealed,
        rendered,
        syntax: manifest.syntax,
    })
}

/// Warns of keys that a template makes. They look like items in the Secret, and would become items if it is
/// sealed again.
fn warn_of_rendered(opened: &OpenedSecret) {
    if opened.rendered.is_empty() {
        return;
    }
    let (keys, place) = (super::list(&opened.rendered), &opened.place);
    let (is, it, keeps) =
        if opened.rendered.len() == 1 { ("is", "it", "keeps") } else { ("are", "they", "keep") };
    let warning = format!(
        "{keys} of {place} {is} made by spec.template.data; sealed again, {it} {keeps} the value of now, and the \
         template is gone"
    );
    terminal::warn(&warning, None);
}

fn find_item<'o>(opened: &'o [OpenedSecret], item: &ItemName) -> Result<&'o Plaintext, UnsealCommandError> {
    let mut found = opened.iter().filter_map(|opened| opened.unsealed.data.get(item));
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(UnsealCommandError::ManySuchItems(item.clone())),
        (None, _) => {
            let there = opened.iter().flat_map(|opened| opened.unsealed.data.keys());
            Err(UnsealCommandError::NoSuchItem(item.clone(), super::list(there)))
        }
    }
}
