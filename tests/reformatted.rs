//! Random changes of files that other tools have written: yq, kustomize's library, Kubernetes' KYAML encoder, and prettier.
//!
//! The layouts are those of [`seal_random::shapes`], which `cli/src/objects/change/tests/layouts.rs` changes as they are;
//! here each is first written anew by the tool, then changed by the real `seal`. What belongs to the item is found by
//! [`Shape::find`], and yq reads what came of it: neither is our reader or our editor. Prettier needs Node, so
//! its output is in `prettier/`. Invariant: no result is wrong, and fewer than 1.5 % are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::thread;

use seal_crds::resources::SealedSecretSpec;
use seal_random::shapes::{Envelope, Says, Shape, Task};
use seal_random::{Random, rounds};
use seal_tests::toolchain;
use serde_json::Value;

use crate::sandbox::{Sandbox, run};

mod judge;

/// The most files of one run of a program.
const BATCH: usize = 16;

const NEW_NAMES: [&str; 3] = ["zzz", "AAA", "m.m"];

/// A tool that writes YAML anew.
#[derive(Clone, Copy, Debug)]
enum Tool {
    Yq,
    Kustomize,
    Kyaml,
}

/// A file with what is to be done to it.
struct Case {
    file: String,
    says: Says,
    task: Task,
}

/// What came of the changes that one tool's files got.
#[derive(Default)]
struct Tally {
    /// Files that the tool can't read, or that it writes broken.
    unread: usize,
    /// Refused, as it has to be: another part of the file is an alias of the item.
    shared: usize,
    right: usize,
    refused: Vec<String>,
    wrong: Vec<String>,
}

/// From one item in one envelope to five in three, by the program itself.
fn stock(sandbox: &Sandbox) -> Vec<SealedSecretSpec> {
    /// Scope, items of the first envelope, items of each further one.
    type Shape = (&'static str, &'static [&'static str], &'static [&'static [&'static str]]);
    let objects: [Shape; 5] = [
        ("strict", &["password"], &[]),
        ("strict", &["user", "password", "tls.key"], &[]),
        ("namespace-wide", &["a", "b"], &[&["c"]]),
        ("cluster-wide", &["password", "user"], &[&["token", "HOST"], &["_x"]]),
        ("strict", &["one"], &[&["two"], &["three"]]),
    ];
    let mut specs = Vec::new();
    for (index, (scope, first, then)) in objects.into_iter().enumerate() {
        let file = format!("stock-{index}.yaml");
        let literals = first.iter().flat_map(|name| ["--literal".to_owned(), format!("{name}=x")]);
        let create = ["create", "db", "-n", "prod", "--scope", scope, "-r", "prod.pub", "-o", &file]
            .map(str::to_owned);
        sandbox.succeed(create.into_iter().chain(literals), "");
        for names in then {
            let items = names.iter().flat_map(|name| ["--generate".to_owned(), format!("{name}=16")]);
            let set = ["set", &file, "-r", "prod.pub"].map(str::to_owned);
            sandbox.succeed(set.into_iter().chain(items), "");
        }
        specs.push(spec_of(&String::from_utf8(sandbox.read(&file)).unwrap()));
    }
    specs
}

/// The spec of the only SealedSecret of a file.
fn spec_of(text: &str) -> SealedSecretSpec {
    let documents = serde_yaml::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let documents = documents.map(|document| <Value as serde::Deserialize>::deserialize(document).unwrap());
    let mut documents: Vec<Value> = documents.collect();
    serde_json::from_value(judge::take_spec(&mut documents).unwrap()).unwrap()
}

fn says(spec: &SealedSecretSpec) -> Says {
    let envelope = |envelope: &seal_crds::resources::Envelope| Envelope {
        keys: envelope.keys.clone(),
        recipients: envelope
            .recipients
            .iter()
            .map(|hint| (hint.name.clone(), hint.fingerprint.clone()))
            .collect(),
        age: envelope.age.clone(),
    };
    let items = spec.encrypted_data.clone().into_iter().collect();
    Says { scope: spec.scope.to_string(), envelopes: spec.envelopes.iter().map(envelope).collect(), items }
}

/// An object and a task for it.
fn draw(stock: &[SealedSecretSpec], random: &mut Random) -> (Says, Task) {
    let mut says = says(&stock[random.below(stock.len())]);
    let items = says.items.len();
    let task = match random.below(8) {
        0 => Task::Add(NEW_NAMES[random.below(3)]),
        1 if items > 1 => Task::Remove(random.below(items)),
        2 => {
            // An envelope of another object, which no item here uses.
            let mut others = stock.iter().flat_map(|spec| self::says(spec).envelopes);
            let other = others.find(|other| says.envelopes.iter().all(|known| known.age != other.age));
            let at = random.below(says.envelopes.len() + 1);
            says.envelopes.insert(at, other.unwrap());
            Task::Tidy
        }
        3 if items > 2 => Task::Set(vec![0, 1]),
        _ => Task::Set(vec![random.below(items)]),
    };
    if random.below(3) == 0 && !matches!(task, Task::Set(_)) {
        says.items.reverse();
    }
    (says, task)
}

/// The arguments before and behind the files.
fn command_line(says: &Says, task: &Task) -> (Vec<String>, Vec<String>) {
    let set = |names: &mut dyn Iterator<Item = &str>| {
        let values = names.flat_map(|name| ["--generate".to_owned(), format!("{name}=16")]);
        (vec!["set".to_owned()], values.chain(["-r", "prod.pub"].map(str::to_owned)).collect())
    };
    match task {
        Task::Set(items) => set(&mut items.iter().map(|index| says.items[*index].0.as_str())),
        Task::Add(name) => set(&mut [*name].into_iter()),
        Task::Remove(index) => (vec!["rm".to_owned()], vec![says.items[*index].0.clone()]),
        Task::Tidy => (vec!["tidy".to_owned()], Vec::new()),
    }
}

/// Writes the files anew; the answer is those that the tool can't read.
fn reformat(sandbox: &Sandbox, tool: Tool, files: &[String]) -> BTreeSet<String> {
    let style = match tool {
        Tool::Kustomize => "kustomize",
        Tool::Kyaml => "kyaml",
        // It writes one file at a time.
        Tool::Yq => {
            let is_unread = |file: &&String| {
                let mut yq = Command::new(toolchain::bin("yq"));
                sandbox.confine(&mut yq);
                !yq.args(["-i", ".", file]).output().unwrap().status.success()
            };
            return files.iter().filter(is_unread).cloned().collect();
        }
    };
    let mut unread = BTreeSet::new();
    for files in files.chunks(500) {
        let mut reformat = Command::new(toolchain::bin("reformat"));
        sandbox.confine(&mut reformat);
        let done = run(reformat.arg(style).args(files), b"");
        assert_eq!((done.code, done.stderr.as_str()), (0, ""));
        unread.extend(String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned));
    }
    unread
}

/// Changes files by one run of `seal`. If it refuses, which changes none, each half is tried by itself, until it is known
/// which files it refuses.
fn change(
    sandbox: &Sandbox,
    command: &(Vec<String>, Vec<String>),
    files: &[&str],
    tally: &mut BTreeMap<String, String>,
) {
    let limit = if command.0 == ["rm"] { 1 } else { BATCH };
    if files.len() <= limit {
        let before: Vec<Vec<u8>> = files.iter().map(|file| sandbox.read(file)).collect();
        let args = command.0.iter().map(String::as_str).chain(files.iter().copied());
        let done = sandbox.run(args.chain(command.1.iter().map(String::as_str)), "");
        if done.code == 0 {
            return;
        }
        assert_eq!(done.code, 3, "{}", done.stderr);
        let after: Vec<Vec<u8>> = files.iter().map(|file| sandbox.read(file)).collect();
        assert!(before == after, "{files:?} changed although seal refused: {}", done.stderr);
        if let [file] = files {
            tally.insert((*file).to_owned(), done.stderr);
            return;
        }
    }
    let (first, second) = files.split_at(files.len().min(2 * limit).div_ceil(2));
    change(sandbox, command, first, tally);
    change(sandbox, command, second, tally);
}

/// Makes the changes and judges each.
fn tally(sandbox: &Sandbox, mut cases: Vec<Case>) -> Tally {
    let mut tally = Tally::default();
    let files: Vec<String> = cases.iter().map(|case| case.file.clone()).collect();
    let mut documents = judge::read(sandbox, &files);
    // go-yaml puts an anchor behind a comment onto a line of its own, which nobody can read.
    // And kustomize forgets all but the first of several JSON objects.
    let has_object = |documents: &Vec<Value>| judge::take_spec(&mut documents.clone()).is_some();
    cases.retain(|case| documents.get(&case.file).is_some_and(has_object));
    tally.unread = files.len() - cases.len();
    let before: BTreeMap<&str, String> = cases
        .iter()
        .map(|case| (case.file.as_str(), String::from_utf8(sandbox.read(&case.file)).unwrap()))
        .collect();
    let mut groups: BTreeMap<(Vec<String>, Vec<String>), Vec<&str>> = BTreeMap::new();
    for case in &cases {
        groups.entry(command_line(&case.says, &case.task)).or_default().push(&case.file);
    }
    let mut refused = BTreeMap::new();
    for (command, files) in &groups {
        change(sandbox, command, files, &mut refused);
    }
    let mut documents_after = judge::read(sandbox, &files);
    for (index, case) in cases.iter().enumerate() {
        let old = &before[case.file.as_str()];
        let new = String::from_utf8(sandbox.read(&case.file)).unwrap();
        let shape = match Shape::find(old, &case.says) {
            Ok(shape) => shape,
            Err(error) => {
                tally.wrong.push(format!("{}: {error}\n{old}", case.file));
                continue;
            }
        };
        if let Some(message) = refused.get(&case.file) {
            match shape.is_shared {
                true => tally.shared += 1,
                false => tally.refused.push(format!("{message}{old}")),
            }
            continue;
        }
        let mut fault = match (documents.remove(&case.file), documents_after.remove(&case.file)) {
            (Some(before), Some(after)) => judge::fault(case, &shape, old, &new, before, after),
            _ => Some("yq can't read it".to_owned()),
        };
        if fault.is_none() && index % 50 == 0 {
            let opened = sandbox.run(["unseal", &case.file, "-i", "prod.key"], "");
            fault = (opened.code != 0).then_some(opened.stderr);
        }
        match fault {
            None => tally.right += 1,
            Some(fault) => {
                tally.wrong.push(format!("{}, {:?}: {fault}\n{old}\n=====\n{new}", case.file, case.task));
            }
        }
    }
    tally
}

impl Tally {
    #[expect(clippy::print_stderr, reason = "people who run it with --nocapture want the numbers")]
    fn show(&self, tool: &str) {
        let Self { unread, shared, right, refused, wrong } = self;
        eprintln!(
            "{tool}: {right} changes are right, {} refused, {} wrong; {shared} refused for an alias, and {unread} files that \
             {tool} can't read or breaks",
            refused.len(),
            wrong.len()
        );
        if std::env::var_os("SEAL_SHOW").is_some() {
            refused.iter().for_each(|refused| eprintln!("REFUSED {refused}\n====="));
        }
    }

    #[track_caller]
    fn assert_good(&self) {
        let Self { unread, right, refused, wrong, .. } = self;
        assert!(wrong.is_empty(), "{}", wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n#####\n"));
        assert!(refused.len() * 1000 < (refused.len() + right) * 15, "{} were refused", refused.len());
        assert!(*unread < right / 4, "{unread} files are no test");
    }
}

#[test]
fn random_mutations_of_what_a_tool_wrote_are_right_to_the_byte_or_refused() {
    let sandbox = Sandbox::new();
    let stock = stock(&sandbox);
    // Each file costs some starts of processes: a quarter of the rounds that stay in one process, for all tools.
    let count = rounds() / 12;
    let one = |tool: Tool| {
        let mut random = Random(12 + tool as u64);
        let cases = (0..count).map(|round| {
            let (says, task) = draw(&stock, &mut random);
            let file = format!("{tool:?}/{round}.yaml");
            let text = Shape::draw(&says, &mut random).text();
            // The readers of kustomize and of Kubernetes don't know this escape.
            sandbox.write(&file, if matches!(tool, Tool::Yq) { text } else { text.replace("\\/", "/") });
            Case { file, says, task }
        });
        let mut cases: Vec<Case> = cases.collect();
        let files: Vec<String> = cases.iter().map(|case| case.file.clone()).collect();
        let unread = reformat(&sandbox, tool, &files);
        cases.retain(|case| !unread.contains(&case.file));
        let mut tally = tally(&sandbox, cases);
        tally.unread += unread.len();
        tally
    };
    let tallies = thread::scope(|scope| {
        let one = &one;
        let tools =
            [Tool::Yq, Tool::Kustomize, Tool::Kyaml].map(|tool| (tool, scope.spawn(move || one(tool))));
        tools.map(|(tool, tally)| (tool, tally.join().unwrap()))
    });
    for (tool, tally) in &tallies {
        tally.show(&format!("{tool:?}"));
    }
    for (_, tally) in tallies {
        tally.assert_good();
    }
}

/// With `SEAL_UPDATE=prettier`, writes the texts that prettier is then to write anew; `prettier/README.md` says how.
#[test]
fn changes_of_what_prettier_wrote_are_right_to_the_byte_or_refused() {
    let sandbox = Sandbox::new();
    let dir = toolchain::repository().join("tests/prettier");
    if std::env::var("SEAL_UPDATE").is_ok_and(|what| what == "prettier") {
        let stock = stock(&sandbox);
        let mut random = Random(60);
        for round in 0..60 {
            let (says, _) = draw(&stock, &mut random);
            let text = Shape::draw(&says, &mut random).text();
            fs::write(dir.join(format!("{round:02}.yaml")), text).unwrap();
        }
        return;
    }
    let mut cases = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let spec = spec_of(&text);
        let items = says(&spec).items.len();
        let used: BTreeSet<&str> =
            spec.encrypted_data.values().filter_map(|line| Some(line.split_once('.')?.0)).collect();
        let is_tidy =
            spec.envelopes.iter().all(|envelope| envelope.keys.iter().any(|key| used.contains(key.as_str())));
        // An object with an envelope too many is for tidy only: everything else would take that along.
        let mut tasks = if is_tidy { Vec::new() } else { vec![Task::Tidy] };
        if is_tidy {
            tasks.extend((0..items).map(|item| Task::Set(vec![item])));
            tasks.extend(NEW_NAMES.map(Task::Add));
            tasks.extend((0..items).filter(|_| items > 1).map(Task::Remove));
        }
        for (round, task) in tasks.into_iter().enumerate() {
            let file = format!("prettier-{round}/{}", path.file_name().unwrap().to_str().unwrap());
            sandbox.write(&file, &text);
            cases.push(Case { file, says: says(&spec), task });
        }
    }
    assert!(cases.len() > 300, "{} changes", cases.len());
    let tally = tally(&sandbox, cases);
    tally.show("prettier");
    tally.assert_good();
}
