//! `seal unseal [FILE…] -i IDENTITY`: the Secrets themselves, offline.
//!
//! For the day the cluster is gone. All of the input opens, or nothing is
//! printed; other objects in it are left out.

mod place;
mod render;

use std::{collections::BTreeSet, path::Path};

use seal_crds::{
    ItemName, Namespace, Place, Plaintext, Sealed, Shape, UnsealError, Unsealed,
    keys::{IdentitiesError, Keyring, parse_identities},
    native::NativeSealed,
};

use crate::{
    args::UnsealArgs,
    exit::Exit,
    failure::{Explain, Failure},
    input::Input,
    manifest::{Format, Kind, Manifest, Object},
    output::{self, Privacy},
    plan::{self, Destination, PlanError},
    source::Source,
    terminal,
};

#[derive(Debug, thiserror::Error)]
enum UnsealCommandError {
    #[error("plaintext isn't printed to a terminal")]
    ToTerminal,
    #[error("there is no SealedSecret in the input")]
    NothingSealed,
    #[error("{0} can't be used as an identity file")]
    Identities(String, #[source] IdentitiesError),
    #[error("this is a SealedSecret of bitnami.com, a format that seal can't open yet")]
    OtherFormat,
    #[error("{place} can't be opened")]
    Unseal { place: Place, source: UnsealError },
    #[error("no SealedSecret in the input has an item {0}")]
    NoSuchItem(ItemName),
    #[error("several SealedSecrets in the input have an item {0}")]
    ManySuchItems(ItemName),
}

impl Explain for UnsealCommandError {
    fn exit(&self) -> Exit {
        match self {
            Self::ToTerminal => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ToTerminal => "pipe it on, write it to a file with -o FILE, or add --show".to_owned(),
            Self::Unseal { source: UnsealError::NoMatchingKey { .. }, .. } => {
                "give the identity of one of these recipients with -i".to_owned()
            }
            Self::Unseal {
                source: UnsealError::WrongPlace { .. } | UnsealError::WrongScope { .. }, ..
            } => "a SealedSecret opens only as what it was sealed for; undo the change".to_owned(),
            Self::OtherFormat => "kubeseal --recovery-unseal opens it".to_owned(),
            Self::ManySuchItems(_) => "name the one file".to_owned(),
            Self::NothingSealed | Self::Identities(..) | Self::Unseal { .. } | Self::NoSuchItem(_) => {
                return None;
            }
        })
    }
}

/// A Secret in the clear. Without `Debug`.
struct Opened {
    place: Place,
    /// The place's, unless the manifest leaves it open (cluster-wide only).
    namespace: Option<Namespace>,
    shape: Shape,
    unsealed: Unsealed,
    format: Format,
}

pub(super) fn run(args: &UnsealArgs) -> Result<Exit, Failure> {
    let destination = Destination::from_output(args.output.clone());
    if destination == Destination::Stdout && terminal::stdout_is_terminal() && !args.show {
        return Err(UnsealCommandError::ToTerminal.into());
    }
    let inputs = plan::inputs(&args.files)?;
    let identities: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().chain(&identities).filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(PlanError::StdinTwice.into());
    }
    let keys = read_identities(&identities)?;

    let sources = inputs.iter().map(Input::read).collect::<Result<Vec<Source>, Failure>>()?;
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

fn read_identities(inputs: &[Input]) -> Result<Keyring, Failure> {
    let mut identities = Vec::new();
    for input in inputs {
        let bytes = input.read_bytes()?;
        let found =
            parse_identities(&*bytes).map_err(|error| UnsealCommandError::Identities(input.name(), error))?;
        identities.extend(found);
    }
    Ok(Keyring::from_iter(identities))
}

fn open(
    args: &UnsealArgs,
    manifest: &Manifest<'_>,
    object: &Object,
    keys: &Keyring,
) -> Result<Opened, Failure> {
    let spot = || manifest.spot(manifest.tree(object).range(object.node).start);
    if !place::is_native(manifest, object) {
        return Err(Failure::from(UnsealCommandError::OtherFormat).at(spot()));
    }
    let spec = manifest.spec(object)?;
    let target = place::read(manifest, object, args.namespace.as_ref(), spec.scope)?;
    let place = target.place();
    let failure =
        |source| Failure::from(UnsealCommandError::Unseal { place: place.clone(), source }).at(spot());
    // Whether a type may be made by a controller is its policy; here somebody
    // has the key and wants the values.
    let allowed: BTreeSet<String> = seal_crds::secret::REFUSED_TYPES.map(str::to_owned).into();
    let sealed = NativeSealed::parse(place.clone(), &spec, &allowed).map_err(failure)?;
    let unsealed = sealed.unseal(keys).map_err(failure)?;
    Ok(Opened {
        place: place.clone(),
        namespace: target.namespace,
        shape: sealed.shape().clone(),
        unsealed,
        format: manifest.format,
    })
}

fn find_item<'o>(opened: &'o [Opened], item: &ItemName) -> Result<&'o Plaintext, UnsealCommandError> {
    let mut found = opened.iter().filter_map(|opened| opened.unsealed.data.get(item));
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(UnsealCommandError::ManySuchItems(item.clone())),
        (None, _) => Err(UnsealCommandError::NoSuchItem(item.clone())),
    }
}
