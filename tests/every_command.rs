//! Every command of `seal` before the same faults: of its input, of its output, and of the disk.
//!
//! What each command does is tested elsewhere; here is only how it takes a fault. The commands come from the program's own
//! help, so that a new one can't be left out: it has to say in [`COMMANDS`] how it is called. Invariants of every fault: a
//! failed run leaves every file as it was, and no fault is a crash.

mod faults;
mod inputs;

use std::collections::BTreeSet;
use std::process::Command;

use crate::sandbox::{Run, Sandbox, run};

use Effect::{Changes, Prints};
use Input::{Bitnami, Conflict, Nothing, Sealed, Secret, Untidy};

/// A command, called so that it succeeds.
struct Case {
    /// The name in the program's help; empty for `seal` itself.
    name: &'static str,
    /// `FILE` stands for the file of the input.
    args: &'static [&'static str],
    input: Input,
    effect: Effect,
}

/// What `FILE` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The command reads no manifest.
    Nothing,
    Secret,
    Sealed,
    /// A SealedSecret with an envelope that no item needs.
    Untidy,
    /// A SealedSecret with conflict markers.
    Conflict,
    /// A SealedSecret of bitnami.com.
    Bitnami,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It writes files.
    Changes,
    /// It prints something, and writes nothing.
    Prints,
}

const fn case(name: &'static str, args: &'static [&'static str], input: Input, effect: Effect) -> Case {
    Case { name, args, input, effect }
}

const COMMANDS: [Case; 23] = [
    case("", &["-r", "prod.pub", "-w", "FILE"], Secret, Changes),
    case(
        "create",
        &["create", "db", "-n", "prod", "-r", "prod.pub", "--literal=a=b", "-o", "new.yaml"],
        Nothing,
        Changes,
    ),
    case("set", &["set", "FILE", "password", "-r", "prod.pub"], Sealed, Changes),
    case("rm", &["rm", "FILE", "user"], Sealed, Changes),
    case("tidy", &["tidy", "FILE"], Untidy, Changes),
    case("unseal", &["unseal", "FILE", "-i", "prod.key"], Sealed, Prints),
    case("show", &["show", "FILE"], Sealed, Prints),
    case("edit", &["edit", "FILE", "-r", "prod.pub"], Sealed, Changes),
    case(
        "move",
        &["move", "FILE", "--item", "user=login", "-i", "prod.key", "-r", "prod.pub"],
        Sealed,
        Changes,
    ),
    case("migrate", &["migrate", "--write", "FILE", "-i", "rsa.key", "-r", "prod.pub"], Bitnami, Changes),
    case("rotate", &["rotate", "FILE", "-i", "prod.key", "-r", "backup.pub"], Sealed, Changes),
    case("check", &["check", "FILE", "--format", "json"], Sealed, Prints),
    case("diff", &["diff", "FILE", "other.yaml"], Sealed, Prints),
    case("resolve", &["resolve", "FILE", "--take", "main"], Conflict, Changes),
    case("git", &["git", "textconv", "FILE"], Sealed, Prints),
    case("hook", &["hook", "install"], Nothing, Changes),
    case("init", &["init", "-r", "prod.pub"], Nothing, Changes),
    case("keys", &["keys", "new", "-o", "new.key"], Nothing, Changes),
    case("help", &["help", "set"], Nothing, Prints),
    case("completions", &["completions", "bash"], Nothing, Prints),
    case("man", &["man", "set"], Nothing, Prints),
    case("kubeseal", &["kubeseal", "--cert", "rsa.crt", "-f", "FILE", "-w", "new.yaml"], Secret, Changes),
    // With an output in a file of its own.
    case("seal -o", &["-r", "prod.pub", "FILE", "-o", "new.yaml"], Secret, Changes),
];

/// A sandbox with the input of a command, and a repository for `seal hook`.
struct Scene {
    sandbox: Sandbox,
}

/// The name of the input.
const FILE: &str = "file.yaml";

impl Case {
    fn scene(&self) -> Scene {
        let scene = Scene { sandbox: Sandbox::new() };
        inputs::write(&scene.sandbox, self.input, FILE);
        scene
    }

    /// The command with a file in the place of `FILE`.
    fn command(&self, scene: &Scene, file: &str) -> Command {
        let args = self.args.iter().map(|arg| if *arg == "FILE" { file } else { arg });
        let mut seal = scene.sandbox.seal(args);
        // The editor sets one item.
        seal.env("PATH", "/usr/bin:/bin").env("EDITOR", "sed -i 's/^user: .*/user: new/'");
        seal.env("GIT_CONFIG_NOSYSTEM", "1");
        seal
    }

    fn run(&self, scene: &Scene) -> Run {
        run(&mut self.command(scene, FILE), self.stdin())
    }

    fn stdin(&self) -> &'static [u8] {
        if self.name == "set" { b"a new value" } else { b"" }
    }
}

#[test]
fn every_command_of_the_help_is_in_the_table() {
    let help = String::from_utf8(Sandbox::new().succeed(["-h"], "")).unwrap();
    let (_, commands) = help.split_once("Other commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let named = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    // A line that goes on stands further in.
    let is_name = |line: &&str| {
        commands.contains(&format!("\n  {line} ")) || commands.starts_with(&format!("  {line} "))
    };
    let named: BTreeSet<&str> = named.filter(is_name).collect();
    assert!(named.len() > 20, "{commands}");
    let known: BTreeSet<&str> = COMMANDS.iter().map(|case| case.name).collect();
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn every_command_succeeds_without_a_fault() {
    for case in &COMMANDS {
        let scene = case.scene();
        let before = scene.sandbox.files();
        let ended = case.run(&scene);
        assert_eq!(ended.code, 0, "{}: {}", case.name, ended.stderr);
        let is_changed = scene.sandbox.files() != before;
        assert_eq!(is_changed, case.effect == Changes, "{}", case.name);
        assert_eq!(!ended.stdout.is_empty(), is_printing(case), "{}: {:?}", case.name, ended.stdout);
    }
}

/// Whether a run prints to standard output: its result, or what it did.
fn is_printing(case: &Case) -> bool {
    case.effect == Prints || !["", "create", "seal -o", "kubeseal"].contains(&case.name)
}
