//! `seal edit FILE`: the items of a SealedSecret in the user's editor, with or without a key.
//!
//! Without an identity the values stand there as `<sealed>`, and those that are replaced or added are sealed. If a text can't
//! be taken as it was typed, the person at the terminal is asked whether to edit it again. Then it is shown with the reason
//! above it, as kubectl edit does, so that nothing typed is lost; who leaves it as it is then gives up. Without a terminal
//! the command fails at once: an editor that is a script would make the same mistake for ever.
//!
//! Invariants: the text for the editor is in memory and wiped after each run of the editor; items that weren't changed keep
//! their lines.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use seal_crds::{ItemName, Plaintext};
use seal_documents::manifest::{Manifest, Object, edit};
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::list;
use super::target::{self, Placed, Target};
use crate::args::EditArgs;
use crate::args::intent::IntentError;
use crate::files::editor::Editor;
use crate::files::input::Input;
use crate::files::output::{self, OutputError, Replacement};
use crate::files::scratch::Scratch;
use crate::keys::identities;
use crate::objects::change::{self, Changeable, NewItem};
use crate::objects::secret::content;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{prompt, terminal};

use text::{Shown, Wanted};

/// The question about a text that was refused.
const AGAIN: &str = "press Enter to edit again, Ctrl-C to give up: ";

/// A program that ends sooner didn't wait for anybody to type.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
#[error("nothing was changed: {0}")]
struct GivenUp(String, Option<String>);

impl Explain for GivenUp {
    fn rule(&self) -> Rule {
        Rule::Refused(seal_crds::Reason::Malformed)
    }

    fn hint(&self) -> Option<String> {
        self.1.clone()
    }
}

/// Why a text wasn't taken, while nobody has given up yet.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.0)]
struct Refused<'g>(&'g GivenUp);

impl Explain for Refused<'_> {
    fn rule(&self) -> Rule {
        self.0.rule()
    }

    fn hint(&self) -> Option<String> {
        self.0.hint()
    }
}

/// The file as it was shown, its object, and what is needed to change it.
struct Session<'a> {
    args: &'a EditArgs,
    source: &'a Source,
    placed: &'a Placed<'a>,
    target: &'a Target,
    /// The items with their values and marks; empty without an identity.
    opened: &'a BTreeMap<ItemName, NewItem>,
}

pub(super) fn run(args: EditArgs) -> Result<Exit, Failure> {
    let source = Input::File(args.file.clone()).read()?;
    let manifest = Manifest::parse(&source)?;
    let object = change::find(&manifest, args.target.object.as_deref())?;
    let mut chooser = target::chooser(&args.target);
    let placed = Placed::read(&mut chooser, &args.file, &manifest, object, args.namespace.as_ref())?;
    let sealed = &placed.sealed;
    target::check_formats(&args.target, &args.template_items, std::iter::once(sealed.format()))?;
    let opened = open(&args, &manifest, object, sealed)?;
    let editor = Editor::of_environment()?;
    let target = target::resolve(&args.target, &mut chooser, &[&placed])?.pop();
    let target = target.expect("there is one for each file");

    let mut shown: Shown = Shown::new();
    for name in sealed.lines().keys().filter_map(|name| name.parse::<ItemName>().ok()) {
        let value = opened.get(&name).map(|item| Plaintext::from(item.value.expose().to_vec()));
        shown.insert(name, value);
    }
    if !editor.is_quiet {
        let name = editor.name();
        terminal::warn(&format!("seal doesn't know whether {name} keeps copies of what it edits"), None);
    }
    let session = Session { args: &args, source: &source, placed: &placed, target: &target, opened: &opened };
    let rendered = text::render(&session.head(), &shown);
    let mut given = Zeroizing::new(rendered.as_bytes().to_vec());
    let mut problem: Option<GivenUp> = None;
    loop {
        let (typed, took) = type_in(&editor, &args, &given)?;
        if *typed == *given || text::is_blank(&typed) {
            return match problem {
                Some(problem) if !text::is_blank(&typed) => Err(problem.into()),
                _ => {
                    if took < AT_ONCE {
                        let name = editor.name();
                        let warning = format!(
                            "{name} ended at once; an editor with a window needs a flag to wait: EDITOR=\"{name} --wait\""
                        );
                        terminal::warn(&warning, None);
                    }
                    terminal::note("nothing was changed");
                    Ok(Exit::Done)
                }
            };
        }
        match session.apply(&typed, &shown) {
            Ok(line) => {
                match line {
                    Some(line) => output::report([line])?,
                    None => terminal::note("nothing was changed"),
                }
                return Ok(Exit::Done);
            }
            Err(refused) => {
                if !is_attended() {
                    return Err(refused.into());
                }
                terminal::print_failure(&Failure::from(Refused(&refused)));
                if !prompt::enter(AGAIN) {
                    return Err(GivenUp("given up".to_owned(), None).into());
                }
                given = text::with_remark(&typed, &refused.remark());
                problem = Some(refused);
            }
        }
    }
}

/// Whether a person can be asked to edit a text again.
fn is_attended() -> bool {
    terminal::stdin_is_terminal() && terminal::stderr_is_terminal()
}

impl GivenUp {
    /// The lines above the text that is shown again.
    fn remark(&self) -> String {
        let hint = self.1.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let said = format!("error: {}{hint}\nLeft as it is, nothing is changed.", self.0);
        seal_foreign::lines(&said, seal_foreign::MAX_LINES).to_string()
    }
}

fn open(
    args: &EditArgs,
    manifest: &Manifest<'_>,
    object: &Object,
    sealed: &Changeable,
) -> Result<BTreeMap<ItemName, NewItem>, Failure> {
    if args.identities.is_empty() {
        return Ok(BTreeMap::new());
    }
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    let keys = identities::read(&inputs)?;
    let at = manifest.tree(object).range(object.node).start;
    sealed.open(&sealed.object_name, &keys).map_err(|error| Failure::from(error).at(manifest.spot(at)))
}

/// Lets the user type, and returns the text with the time that it took. Nothing of it is left when this returns.
fn type_in(
    editor: &Editor,
    args: &EditArgs,
    given: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, Duration), Failure> {
    let scratch = Scratch::new(args.scratch.as_deref(), "items.yaml", given)?;
    let took = editor.run(&scratch)?;
    Ok((scratch.read()?, took))
}

impl Session<'_> {
    fn head(&self) -> String {
        let (name, file) = (&self.placed.sealed.object_name, self.args.file.display());
        let to = self.target.names();
        let how = if self.opened.is_empty() {
            "Replace <sealed> by a new value, add lines, remove lines. What stays <sealed> isn't touched."
        } else {
            "Change values, add lines, remove lines. What isn't changed isn't sealed again."
        };
        let head = format!(
            "{name} in {file}; sealed to {to}\n{how}\nQuote numbers and words like yes. Several lines: \"key: |\", \
             then each line indented.\n"
        );
        seal_foreign::lines(&head, seal_foreign::MAX_LINES).to_string()
    }

    /// Does what the text asks for, and says so in a line; `None` if it asks for nothing.
    fn apply(&self, typed: &[u8], shown: &Shown) -> Result<Option<String>, GivenUp> {
        let wanted = text::parse(typed, shown).map_err(|error| {
            let hint = error.error.hint();
            GivenUp(error.at_line(typed).to_string(), hint)
        })?;
        if wanted.is_nothing() {
            return Ok(None);
        }
        let spoken = |failure: Failure| GivenUp(failure.facts.join(": "), failure.hint.clone());
        self.write(wanted).map(Some).map_err(spoken)
    }

    fn write(&self, Wanted { put, removed }: Wanted) -> Result<String, Failure> {
        let Self { args, placed, .. } = self;
        let sealed = &placed.sealed;
        // The editor may have been open for long: what was typed is put into the file as it is by now, if the object in
        // it is still the one that was shown.
        let again = self.read_again()?;
        let source = again.as_ref().unwrap_or(self.source);
        let manifest = &Manifest::parse(source)?;
        let object = change::find(manifest, args.target.object.as_deref())?;
        if !Changeable::read(manifest, object, placed.namespace.as_ref())?.is_same_as(sealed) {
            return Err(OutputError::Changed(args.file.clone()).into());
        }
        let named: Vec<ItemName> = put.keys().cloned().collect();
        let doubts = content::doubts(&put);
        let for_templates: Vec<ItemName> =
            named.iter().filter(|name| self.is_for_templates(name)).cloned().collect();
        sealed.check_template(named.iter().cloned(), &for_templates)?;
        let to = self.target.seal_to();
        let mut what = Vec::new();
        if !named.is_empty() {
            what.push(target::describe(sealed, named.iter(), self.target));
        }
        if !removed.is_empty() {
            what.push(format!("{} removed", list(&removed)));
        }
        let items = put.into_iter().map(|(name, value)| {
            let template = for_templates.contains(&name);
            let seen = self.seen(&value);
            (name, NewItem::new(value, template).seen_by(seen))
        });
        let items: BTreeMap<ItemName, NewItem> = items.collect();
        let change = sealed.change(manifest, object, &to, items, &removed)?;
        let edited = edit(manifest, &[change.edits]).map_err(|error| manifest.locate(error))?;
        let (old, new) = (source.text().as_bytes(), edited.text.as_bytes());
        output::replace_files(&[Replacement { path: &args.file, old, new }])?;
        for doubt in doubts {
            terminal::warn(&doubt.words, None);
        }
        target::warn_of_others(sealed, named.iter().chain(&removed), &to);
        // With an identity, the items opened at this place.
        if self.opened.is_empty() && !named.is_empty() {
            placed.warn_of_place(named.iter().chain(&removed))?;
        }
        for at in edited.lost_comments {
            terminal::warn("a comment is left out with what it stood at", Some(&manifest.spot(at)));
        }
        Ok(format!("{}: {}", args.file.display(), what.join("; ")))
    }

    /// The file as it is by now; `None` if it is none that can be read twice.
    fn read_again(&self) -> Result<Option<Source>, Failure> {
        let is_file = std::fs::metadata(&self.args.file).is_ok_and(|found| found.is_file());
        is_file.then(|| Input::File(self.args.file.clone()).read()).transpose()
    }

    /// Whether templates may use an item: by the flag, or by the mark that was opened. The mark is authentic, because it is
    /// part of what is sealed.
    fn is_for_templates(&self, name: &ItemName) -> bool {
        self.args.template_items.contains(name)
            || self.opened.get(name).is_some_and(NewItem::is_for_templates)
    }

    /// Whoever has seen this very value under another item's name: a value that was moved in the editor isn't new.
    fn seen(&self, value: &Plaintext) -> BTreeSet<seal_crds::keys::Fingerprint> {
        let same = self.opened.values().filter(|item| item.value.expose() == value.expose());
        same.flat_map(NewItem::seen).copied().collect()
    }
}
