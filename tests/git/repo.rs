//! A repository with a SealedSecret in it, and git as a person uses it.
//!
//! Not a test. Invariant: no configuration, no variable and no home of the machine reaches git.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::{Run, Sandbox, run};

/// The file of most tests.
pub(crate) const FILE: &str = "prod/db.yaml";

/// A repository in the working directory of a sandbox.
pub(crate) struct Repo {
    pub(crate) sandbox: Sandbox,
    /// Directories in which programs are found, beside git's own.
    programs: Option<PathBuf>,
}

impl Repo {
    /// A repository that is set up as `seal git …` says, with one commit on `main`.
    pub(crate) fn new() -> Self {
        let repo = Self::bare_of_setup();
        repo.configure();
        repo.commit("set git up");
        repo
    }

    /// A repository with the attributes, and without the configuration.
    pub(crate) fn without_config() -> Self {
        let repo = Self::bare_of_setup();
        repo.write_attributes();
        repo.commit("set git up");
        repo
    }

    fn bare_of_setup() -> Self {
        let sandbox = Sandbox::new();
        let programs = sandbox.path("../programs");
        std::fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_test-seal"), programs.join("seal")).unwrap();
        let repo = Self { sandbox, programs: Some(programs) };
        repo.git(["init", "--quiet", "--initial-branch=main"]);
        // The keys of the sandbox are no part of the repository.
        repo.sandbox.write(".gitignore", "*.key\n*.pub\n*.crt\nkeys-backup.yaml\n");
        repo
    }

    /// Writes what the program prints to where it says.
    pub(crate) fn configure(&self) {
        self.write_attributes();
        let config = self.sandbox.succeed(["git", "config"], "");
        let mut present = self.sandbox.read(".git/config");
        present.extend(config);
        self.sandbox.write(".git/config", present);
    }

    fn write_attributes(&self) {
        let attributes = self.sandbox.succeed(["git", "attributes"], "");
        self.sandbox.write(".gitattributes", attributes);
    }

    /// From now on, `seal` isn't installed.
    pub(crate) fn uninstall(&mut self) {
        self.programs = None;
    }

    pub(crate) fn command<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut git = Command::new("/usr/bin/git");
        self.sandbox.confine(&mut git);
        let programs = self.programs.iter().map(|programs| programs.display().to_string());
        let path: Vec<String> = programs.chain(["/usr/bin".to_owned(), "/bin".to_owned()]).collect();
        git.env("PATH", path.join(":")).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_EDITOR", "true");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "A Person")
                .env(format!("GIT_{who}_EMAIL"), "person@example.com");
        }
        git.args(args);
        git
    }

    /// Runs git, however it ends.
    pub(crate) fn try_git<const N: usize>(&self, args: [&str; N]) -> Run {
        run(&mut self.command(args), b"")
    }

    /// Runs git, which has to succeed; returns its standard output.
    #[track_caller]
    pub(crate) fn git<const N: usize>(&self, args: [&str; N]) -> String {
        let run = self.try_git(args);
        assert_eq!(run.code, 0, "git {args:?}: {}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
        String::from_utf8(run.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn commit(&self, message: &str) {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--message", message]);
    }

    /// Makes a SealedSecret with these items in the namespace of most tests.
    #[track_caller]
    pub(crate) fn create(&self, file: &str, items: &[&str]) {
        self.create_in("prod", file, items);
    }

    #[track_caller]
    pub(crate) fn create_in(&self, namespace: &str, file: &str, items: &[&str]) {
        std::fs::create_dir_all(self.sandbox.path(file).parent().unwrap()).unwrap();
        let mut args = vec!["create", "db", "-n", namespace, "-r", "prod.pub", "-o", file];
        let literals: Vec<String> = items.iter().map(|item| format!("{item}=first-{item}")).collect();
        args.extend(literals.iter().flat_map(|literal| ["--literal", literal]));
        let run = self.sandbox.run(args, "");
        assert_eq!(run.code, 0, "{}", run.stderr);
    }

    #[track_caller]
    pub(crate) fn set(&self, file: &str, item: &str, value: &str) {
        let run = self.sandbox.run(["set", file, item, "-r", "prod.pub"], value);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }

    #[track_caller]
    pub(crate) fn rm(&self, file: &str, item: &str) {
        let run = self.sandbox.run(["rm", file, item], "");
        assert_eq!(run.code, 0, "{}", run.stderr);
    }

    /// Rewraps everything to other recipients.
    #[track_caller]
    pub(crate) fn rotate(&self, recipients: &[&str]) {
        let mut args = vec!["rotate", FILE, "-i", "prod.key"];
        args.extend(recipients.iter().flat_map(|recipient| ["-r", recipient]));
        let run = self.sandbox.run(args, "");
        assert_eq!(run.code, 0, "{}", run.stderr);
    }

    /// On a new branch from `main`, makes changes and commits them.
    #[track_caller]
    pub(crate) fn branch(&self, name: &str, change: impl FnOnce(&Self)) {
        self.git(["switch", "--quiet", "--create", name, "main"]);
        change(self);
        self.commit(&format!("change on {name}"));
    }

    pub(crate) fn text(&self, file: &str) -> String {
        String::from_utf8(self.sandbox.read(file)).unwrap()
    }

    /// The value of an item, opened.
    #[track_caller]
    pub(crate) fn value(&self, file: &str, item: &str) -> String {
        let value = self.sandbox.succeed(["unseal", file, "-i", "prod.key", "--item", item], "");
        String::from_utf8(value).unwrap()
    }

    /// Why the file doesn't open.
    #[track_caller]
    pub(crate) fn refusal(&self, file: &str) -> String {
        let run = self.sandbox.run(["unseal", file, "-i", "prod.key"], "");
        assert_eq!(run.code, 3, "{}", run.stderr);
        run.stderr
    }
}
