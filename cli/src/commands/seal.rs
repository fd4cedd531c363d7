//! `seal [FILE…]`: every Secret in the input becomes a SealedSecret.
//!
//! Everything is read and checked before anybody is asked for recipients, and
//! everything is sealed before anything is written.

mod join;
mod target;

use std::path::Path;

use crate::{
    args::{self, SealArgs, SealFormat},
    exit::Exit,
    failure::{Explain, Failure},
    input::Input,
    manifest::{Format, Kind, Manifest, Object, splice},
    output::{self, Privacy},
    plan::{self, Destination},
    sealing::{self, How, Target, choose},
    secret::{Secret, read},
    source::Source,
    terminal,
    yaml::value::Value,
};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NothingToSeal {
    #[error("the input is empty")]
    Empty,
    #[error("there is no Secret in the input, only SealedSecrets")]
    OnlySealed,
    #[error("there is no Secret in the input")]
    NoSecret,
}

impl Explain for NothingToSeal {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "pipe a manifest in, or name a file: seal secret.yaml".to_owned(),
            Self::OnlySealed => {
                "it is sealed already; to change it, seal the Secret it was made from".to_owned()
            }
            Self::NoSecret => "a Secret has apiVersion: v1 and kind: Secret".to_owned(),
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no Secret in the input has an item {0}")]
struct NoSuchItem(seal_crds::ItemName);

impl Explain for NoSuchItem {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("--template-item names an item that is being sealed".to_owned())
    }
}

/// A Secret of a manifest, with the place it is for.
struct Planned<'m> {
    object: &'m Object,
    secret: Secret,
    target: Target,
}

pub(super) fn run(args: SealArgs) -> Result<Exit, Failure> {
    if args.files.is_empty() && terminal::stdin_is_terminal() {
        return args::print_help();
    }
    let inputs = plan::inputs(&args.files)?;
    let destination = plan::destination(&args, &inputs)?;
    choose::check(&args.sealing)?;

    let sources = inputs.iter().map(Input::read).collect::<Result<Vec<Source>, Failure>>()?;
    let manifests = sources.iter().map(Manifest::parse).collect::<Result<Vec<_>, Failure>>()?;
    check_for_secrets(&manifests)?;
    let planned = plan_secrets(&args, &manifests)?;

    let how = choose::choose(args.sealing)?;
    let mut results = Vec::new();
    for (manifest, planned) in manifests.iter().zip(planned) {
        results.push(seal_manifest(manifest, planned, &how)?);
    }
    write(&destination, &inputs, &manifests, &results)?;
    Ok(Exit::Done)
}

fn check_for_secrets(manifests: &[Manifest<'_>]) -> Result<(), Failure> {
    let mut objects = manifests.iter().flat_map(|manifest| &manifest.objects).peekable();
    let first = manifests.iter().find(|manifest| !manifest.objects.is_empty());
    let error = match objects.peek() {
        None => NothingToSeal::Empty,
        Some(_) => {
            let kinds: Vec<Kind> = objects.map(|object| object.kind).collect();
            if kinds.contains(&Kind::Secret) {
                return Ok(());
            }
            let only_sealed = kinds.iter().all(|kind| *kind == Kind::SealedSecret);
            if only_sealed { NothingToSeal::OnlySealed } else { NothingToSeal::NoSecret }
        }
    };
    let spot = first.map(|manifest| {
        manifest.spot(manifest.tree(&manifest.objects[0]).range(manifest.objects[0].node).start)
    });
    let failure = Failure::from(error);
    Err(match spot {
        Some(spot) => failure.at(spot),
        None => failure,
    })
}

/// Reads every Secret and finds its place, manifest by manifest.
fn plan_secrets<'m>(
    args: &SealArgs,
    manifests: &'m [Manifest<'_>],
) -> Result<Vec<Vec<Planned<'m>>>, Failure> {
    let all = manifests.iter().flat_map(|manifest| &manifest.objects);
    let count = all.filter(|object| object.kind == Kind::Secret).count();
    let wanted = target::Wanted {
        namespace: args.sealing.namespace.as_ref(),
        name: args.name.as_ref(),
        scope: args.sealing.scope,
    };
    wanted.check_count(count)?;
    let mut planned = Vec::new();
    for manifest in manifests {
        let mut here = Vec::new();
        for object in manifest.objects.iter().filter(|object| object.kind == Kind::Secret) {
            let reading = read::read(manifest.tree(object), manifest.source.text(), object.node)
                .map_err(|error| manifest.locate(error))?;
            let is_native = args.sealing.seal_format == SealFormat::Native;
            let peer_warnings = reading.peer_warnings.iter().filter(|_| is_native);
            for warning in reading.warnings.iter().chain(peer_warnings) {
                terminal::warn(&warning.error, Some(&manifest.spot(warning.at)));
            }
            let target = wanted.resolve(&reading).map_err(|error| manifest.locate(error))?;
            here.push(Planned { object, secret: reading.secret, target });
        }
        planned.push(here);
    }
    let has =
        |item: &&seal_crds::ItemName| planned.iter().flatten().any(|p| p.secret.items.contains_key(*item));
    match args.sealing.template_items.iter().find(|item| !has(item)) {
        Some(missing) => Err(NoSuchItem(missing.clone()).into()),
        None => Ok(planned),
    }
}

fn seal_manifest(manifest: &Manifest<'_>, planned: Vec<Planned<'_>>, how: &How) -> Result<String, Failure> {
    let mut sealed: Vec<(&Object, Value)> = Vec::new();
    for Planned { object, secret, target } in planned {
        let value = how.seal(secret, &target)?;
        if sealing::is_too_large_to_apply(&value) {
            let what = format!("{target} is too large for kubectl apply; use kubectl apply --server-side");
            terminal::warn(&what, None);
        }
        sealed.push((object, value));
    }
    let replacements: Vec<_> = sealed.iter().map(|(object, value)| (*object, value)).collect();
    let spliced = splice(manifest, &replacements).map_err(|error| manifest.locate(error))?;
    if spliced.dropped_comments > 0 {
        let (count, name) = (spliced.dropped_comments, &manifest.source.name);
        let comments = if count == 1 { "1 comment" } else { &format!("{count} comments") };
        terminal::warn(
            &format!("{comments} inside of Secrets left out of {name}: a comment isn't sealed"),
            None,
        );
    }
    Ok(spliced.text)
}

fn write(
    destination: &Destination,
    inputs: &[Input],
    manifests: &[Manifest<'_>],
    results: &[String],
) -> Result<(), Failure> {
    if *destination == Destination::InPlace {
        let changed = inputs.iter().zip(manifests).zip(results);
        let files: Vec<(&Path, &[u8], &[u8])> = changed
            .filter(|((_, manifest), _)| manifest.objects.iter().any(|object| object.kind == Kind::Secret))
            .filter_map(|((input, manifest), result)| match input {
                Input::File(path) => {
                    Some((path.as_path(), manifest.source.text().as_bytes(), result.as_bytes()))
                }
                Input::Stdin => None,
            })
            .collect();
        return Ok(output::replace_files(&files)?);
    }
    let formats: Vec<Format> = manifests.iter().map(|manifest| manifest.format).collect();
    let text = join::join(results.iter().map(String::as_str).zip(formats));
    match destination {
        Destination::File(path) => Ok(output::to_files(&[(path, text.as_bytes())], Privacy::Public)?),
        Destination::Stdout | Destination::InPlace => output::to_stdout(text.as_bytes()),
    }
}
