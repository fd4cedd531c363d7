//! The user's editor: which program, with which arguments, and the wait for its end.
//!
//! The editor is the user's own choice, from the environment; a repository names no program. Invariants: no shell runs; a
//! program is found in an absolute directory ([`program`]), or by a path with a slash; editors that keep copies of what
//! they edit get the flags that turn that off, if this file knows them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, io};

use signal_hook::consts::{SIGINT, SIGQUIT};

use crate::files::program;
use crate::files::scratch::Scratch;
use crate::talk::failure::{Explain, Rule};

/// How often the end of the editor is looked for.
const STEP: Duration = Duration::from_millis(20);
/// How long an editor may take to end after a signal that ends `seal`.
const PATIENCE: Duration = Duration::from_secs(2);

/// The signals that keys make: whoever presses one means the editor.
const KEYS: [i32; 2] = [SIGINT, SIGQUIT];

#[derive(Debug, thiserror::Error)]
pub(crate) enum EditorError {
    #[error("there is no editor: neither $VISUAL nor $EDITOR is set, and there is no vi")]
    None,
    #[error("the editor {0} isn't found")]
    NotFound(String),
    #[error("{0} has a quote that isn't closed")]
    Quotes(&'static str),
    #[error("the editor {0} can't be run")]
    Unrunnable(String, #[source] io::Error),
    #[error("the editor ended with {0}, and nothing was changed")]
    Failed(ExitStatus),
}

impl Explain for EditorError {
    fn rule(&self) -> Rule {
        Rule::Editor
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::None | Self::NotFound(_) => Some("set EDITOR, for example EDITOR=nano".to_owned()),
            Self::Quotes(_) | Self::Unrunnable(..) | Self::Failed(_) => None,
        }
    }
}

/// An editor with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Editor {
    program: PathBuf,
    args: Vec<OsString>,
    /// Whether it is known to keep no copy of what it edits, with these arguments.
    pub(crate) is_quiet: bool,
}

impl Editor {
    /// The editor of the environment, else `vi`.
    pub(crate) fn of_environment() -> Result<Self, EditorError> {
        let typed = ["VISUAL", "EDITOR"].into_iter().find_map(|name| {
            let value = env::var(name).ok().filter(|value| !value.trim().is_empty());
            value.map(|value| (name, value))
        });
        let Some((name, typed)) = typed else {
            let vi = program::find("vi").ok_or(EditorError::None)?;
            return Ok(Self::new(vi, Vec::new()));
        };
        let mut words = split(&typed).ok_or(EditorError::Quotes(name))?.into_iter();
        let first = words.next().unwrap_or_default();
        let program = if first.contains('/') { Some(PathBuf::from(&first)) } else { program::find(&first) };
        let program = program.filter(|path| path.exists()).ok_or(EditorError::NotFound(first))?;
        Ok(Self::new(program, words.map(OsString::from).collect()))
    }

    fn new(program: PathBuf, mut args: Vec<OsString>) -> Self {
        let quiet = quiet_flags(&program);
        let is_quiet = quiet.is_some();
        args.extend(quiet.unwrap_or_default().iter().map(OsString::from));
        Self { program, args, is_quiet }
    }

    /// The program's name, for people.
    pub(crate) fn name(&self) -> String {
        name(&self.program)
    }

    /// Runs the editor on the text, and returns how long it ran.
    ///
    /// A signal that ends `seal` ends the editor first. An interrupt is the editor's alone.
    pub(crate) fn run(&self, scratch: &Scratch) -> Result<Duration, EditorError> {
        let unrunnable = |error| EditorError::Unrunnable(self.name(), error);
        let directory = scratch.directory();
        let start = Instant::now();
        let mut command = Command::new(&self.program);
        // Temporary files of the editor's stand where they are wiped; the traditional vi asks EXINIT.
        command.args(&self.args).arg(scratch.text()).env("TMPDIR", directory);
        if name(&self.program) == "vi" && !is_vim(&self.program) {
            let directory = directory.display();
            command.env("EXINIT", format!("set directory={directory} recdir={directory}"));
        }
        let mut child = command.spawn().map_err(unrunnable)?;
        let status = loop {
            match child.try_wait().map_err(unrunnable)? {
                Some(status) => break status,
                None if scratch.held().is_caught_but(&KEYS) => break end(&mut child).map_err(unrunnable)?,
                None => thread::sleep(STEP),
            }
        };
        scratch.held().forget(&KEYS);
        if status.success() { Ok(start.elapsed()) } else { Err(EditorError::Failed(status)) }
    }
}

/// Ends the editor, and waits for it.
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(STEP);
    }
    child.kill()?;
    child.wait()
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a program is Vim or Neovim under whichever name: on many systems `vi` is a link to one.
fn is_vim(program: &Path) -> bool {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    name(&real).contains("vim")
}

/// The flags with which an editor keeps no copy outside of the directory of the text: no swap file, no undo file, no
/// backup, no history. `None` for an editor that this file doesn't know.
fn quiet_flags(program: &Path) -> Option<&'static [&'static str]> {
    const VIM: &[&str] = &["-n", "-i", "NONE", "-c", "set noswapfile nobackup nowritebackup noundofile"];
    const EMACS: &[&str] = &[
        "--eval",
        "(setq-default make-backup-files nil auto-save-default nil create-lockfiles nil auto-save-list-file-prefix nil)",
    ];
    match name(program).as_str() {
        "vim" | "nvim" | "gvim" | "vimx" | "rvim" => Some(VIM),
        "vi" | "view" | "ex" if is_vim(program) => Some(VIM),
        "vi" | "ed" => Some(&[]),
        // Backups and histories are turned on in its configuration alone.
        "nano" | "rnano" => Some(&["--ignorercfiles"]),
        "emacs" => Some(EMACS),
        _ => None,
    }
}

/// Words separated by blanks; quotes and backslashes as a shell has them. `None` for a quote that isn't closed.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => word.push(letters.next()?),
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let words = |text: &str| split(text).unwrap();
        assert_eq!(words("code --wait"), ["code", "--wait"]);
        assert_eq!(
            words("  '/opt/my editor/bin' \"-c\" a\\ b 'x'\"y\"z "),
            ["/opt/my editor/bin", "-c", "a b", "xyz"]
        );
        assert_eq!(words("a ''"), ["a", ""]);
        assert!(words(" ").is_empty());
        for open in ["'a", "\"a", "a\\", "\"a\\\""] {
            assert_eq!(split(open), None, "{open}");
        }
    }

    #[test]
    fn vim_under_any_name_keeps_no_copy() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("vim.basic");
        std::fs::write(&real, "").unwrap();
        let vi = directory.path().join("vi");
        std::os::unix::fs::symlink(&real, &vi).unwrap();
        for program in [vi, PathBuf::from("/usr/bin/vim"), PathBuf::from("/usr/bin/nvim")] {
            let editor = Editor::new(program, vec!["-u".into(), "x".into()]);
            assert!(editor.is_quiet);
            assert_eq!(editor.args[..3], ["-u", "x", "-n"]);
        }
        assert!(!Editor::new(PathBuf::from("/usr/bin/code"), Vec::new()).is_quiet);
    }
}
