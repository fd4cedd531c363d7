//! An identity behind an age plugin (<https://c2sp.org/age-plugin>): a key in hardware, or wherever the program
//! `age-plugin-…` keeps it.
//!
//! [`super`] finds such identities in the files of `-i`, and [`messages`] reads and writes what the two programs say.
//!
//! A plugin is a program that runs with the user's rights. So it runs only for an identity that stands in a file of
//! `-i`, never because of what a repository says, and only from an absolute directory of `PATH`, because a relative one
//! may be in a repository. It has no terminal to read from: whatever it asks, `seal` asks in its name, without echo.
//!
//! Invariants: a plugin has [`DEADLINE`] for one file, and is then ended with everything that it started. One plugin
//! runs at a time, so that its questions don't mix. What it answers is bounded and wiped.

mod messages;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use rustix::process::{Pid, Signal, kill_process_group};
use seal_crds::keys::{Identity, Recipient};
use zeroize::Zeroizing;

use crate::files::program;
use crate::talk::{prompt, terminal};
use messages::{Conversation, Message};

/// The time that a plugin may take for one file: somebody has to find the key, type a PIN and touch it.
const DEADLINE: Duration = Duration::from_secs(90);

/// The most messages that a plugin may send for one file.
const MAX_MESSAGES: usize = 64;

/// The longest name of a plugin.
const MAX_NAME: usize = 32;

const PREFIX: &str = "age-plugin-";

/// The lock of whichever plugin runs.
static TURN: Mutex<()> = Mutex::new(());

/// Why a plugin gave no key. `Display` begins with the program's name.
#[derive(Debug, thiserror::Error)]
enum PluginError {
    #[error("can't be started")]
    Start(#[source] io::Error),
    #[error("took longer than {}s and was ended", DEADLINE.as_secs())]
    Slow,
    #[error("ended before it was done")]
    Ended,
    #[error("doesn't speak the protocol of age plugins")]
    Protocol,
    #[error("failed: {0}")]
    Failed(String),
}

/// The program of a plugin, found in `PATH`.
pub(super) struct Plugin {
    /// Its name in messages.
    name: String,
    program: PathBuf,
}

impl Plugin {
    /// The name of the plugin that this text is an identity of: `AGE-PLUGIN-YUBIKEY-1…` is one of `yubikey`. `None` if
    /// it is no identity of a plugin.
    pub(super) fn name_in(identity: &str) -> Option<String> {
        let (prefix, _) = identity.rsplit_once('1')?;
        let prefix = prefix.to_ascii_lowercase();
        let name = prefix.strip_prefix(PREFIX)?.strip_suffix('-')?;
        // So a name is a file name, and nothing but a file name.
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"+-._".contains(&b);
        ((1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits)).then(|| name.to_owned())
    }

    /// Finds the program; `Err` has its name.
    pub(super) fn find(name: &str) -> Result<Self, String> {
        let name = format!("{PREFIX}{name}");
        match program::find(&name) {
            Some(program) => Ok(Self { name, program }),
            None => Err(name),
        }
    }

    /// The identity that this text is to the plugin, which opens what is sealed to the recipient.
    pub(super) fn identity(self, recipient: Recipient, text: &str) -> Identity {
        let text = Zeroizing::new(text.to_owned());
        Identity::external(recipient, text.clone(), Key { plugin: self, text })
    }
}

/// A key that the plugin knows by this text.
struct Key {
    plugin: Plugin,
    text: Zeroizing<String>,
}

impl age::Identity for Key {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    /// Runs the plugin once, for all stanzas of a file.
    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let _turn = held(&TURN);
        let Plugin { name, program } = &self.plugin;
        let opened = Running::start(program, DEADLINE).and_then(|running| {
            let asked = running.converse(|talk| open(name, talk, &self.text, stanzas));
            asked.map_err(|error| error.unwrap_or(PluginError::Protocol))
        });
        opened.map_err(|error| failed(name, &error)).transpose()
    }
}

/// Tells of the failure here, because the error that age passes on has no room for it.
fn failed(name: &str, error: &PluginError) -> DecryptError {
    let cause = match error {
        PluginError::Start(cause) => format!(": {}", crate::talk::failure::reason(cause)),
        _ => String::new(),
    };
    terminal::warn(&format!("{name} {error}{cause}"), None);
    DecryptError::Io(io::Error::other("an age plugin failed"))
}

/// Asks for the file key: what there is first, and then the plugin asks until it is done. `None` if it has none.
fn open(
    name: &str,
    talk: &mut Conversation,
    identity: &str,
    stanzas: &[Stanza],
) -> Result<Option<FileKey>, PluginError> {
    talk.say("add-identity", &[identity], b"")?;
    for stanza in stanzas {
        // "0" is the file: there is one.
        let args: Vec<&str> =
            ["0", &stanza.tag].into_iter().chain(stanza.args.iter().map(String::as_str)).collect();
        talk.say("recipient-stanza", &args, &stanza.body)?;
    }
    talk.say("done", &[], b"")?;
    let (mut key, mut errors) = (None, Vec::new());
    for _ in 0..MAX_MESSAGES {
        let message = talk.hear()?;
        match message.tag.as_str() {
            "done" if key.is_none() && !errors.is_empty() => {
                return Err(PluginError::Failed(errors.join("; ")));
            }
            "done" => return Ok(key),
            "file-key" => {
                key = Some(file_key(&message).ok_or(PluginError::Protocol)?);
                talk.say("ok", &[], b"")?;
            }
            "error" => {
                errors.push(message.text());
                talk.say("ok", &[], b"")?;
            }
            "msg" => {
                terminal::note(&format!("{name}: {}", message.text()));
                talk.say("ok", &[], b"")?;
            }
            "request-secret" | "request-public" => {
                match prompt::hidden(&format!("{name}: {} ", message.text())) {
                    Ok(answer) => talk.say("ok", &[], &answer)?,
                    Err(_) => talk.say("fail", &[], b"")?,
                }
            }
            _ => talk.say("unsupported", &[], b"")?,
        }
    }
    Err(PluginError::Protocol)
}

fn file_key(message: &Message) -> Option<FileKey> {
    let is_ours = message.args == ["0"];
    let bytes: &[u8; FILE_KEY_BYTES] = message.body.as_slice().try_into().ok()?;
    is_ours.then(|| FileKey::init_with_mut(|key| key.copy_from_slice(bytes)))
}

/// A plugin that runs. Dropped, it is ended.
struct Running {
    child: Arc<Mutex<Watched>>,
    /// Dropped, it sends the guard home.
    guard: Option<Sender<()>>,
}

struct Watched {
    child: Child,
    is_late: bool,
}

impl Running {
    /// Starts the program in a process group of its own. So it can be ended with whatever it starts, and the terminal
    /// doesn't let it read. It starts in `/`, where nothing that it names relatively is in a repository.
    fn start(program: &Path, deadline: Duration) -> Result<Self, PluginError> {
        let mut command = Command::new(program);
        command.arg("--age-plugin=identity-v1").current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().map_err(PluginError::Start)?;
        let child = Arc::new(Mutex::new(Watched { child, is_late: false }));
        let (guard, ended) = mpsc::channel::<()>();
        let watched = child.clone();
        thread::spawn(move || {
            if ended.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
                let mut watched = held(&watched);
                watched.is_late = true;
                watched.end();
            }
        });
        Ok(Self { child, guard: Some(guard) })
    }

    /// Has a conversation with the plugin, and waits for its end.
    ///
    /// # Errors
    ///
    /// That of the conversation, or that the plugin was too slow.
    fn converse<T>(
        self,
        have: impl FnOnce(&mut Conversation) -> Result<T, PluginError>,
    ) -> Result<T, Option<PluginError>> {
        let mut talk = {
            let child = &mut held(&self.child).child;
            Conversation::new(child.stdin.take().ok_or(None)?, child.stdout.take().ok_or(None)?)
        };
        let outcome = have(&mut talk);
        // The end of its input tells it to end.
        drop(talk);
        while outcome.is_ok() && matches!(held(&self.child).child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        let is_late = held(&self.child).is_late;
        outcome.map_err(|error| Some(if is_late { PluginError::Slow } else { error }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.guard = None;
        held(&self.child).end();
    }
}

impl Watched {
    /// Ends the plugin, and everything that it started. Its process id is still its own, since nobody has waited for it.
    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

/// The lock, also after a panic in another thread: what it guards is never half changed.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    use super::*;

    /// A program that runs this shell script.
    fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("age-plugin-x");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn outcome(text: &str, deadline: Duration) -> Result<Option<FileKey>, String> {
        let directory = tempfile::tempdir().unwrap();
        let program = script(directory.path(), text);
        let stanza = Stanza { tag: "X25519".to_owned(), args: vec!["a".to_owned()], body: vec![7; 32] };
        let running = Running::start(&program, deadline).map_err(|error| error.to_string())?;
        let asked = running.converse(|talk| open("age-plugin-x", talk, "AGE-PLUGIN-X-1QQ", &[stanza]));
        asked.map_err(|error| error.unwrap().to_string())
    }

    #[test]
    fn the_name_of_a_plugin_is_a_file_name_and_nothing_else() {
        for (identity, name) in [
            ("AGE-PLUGIN-YUBIKEY-1QQPQ5", Some("yubikey")),
            ("age-plugin-yubikey-1qqpq5", Some("yubikey")),
            ("AGE-PLUGIN-X1-1QQ", Some("x1")),
            ("AGE-PLUGIN-1QQ", None),
            ("AGE-PLUGIN--1QQ", None),
            ("AGE-PLUGIN-../X-1QQ", None),
            ("AGE-PLUGIN-A B-1QQ", None),
            ("AGE-SECRET-KEY-1QQ", None),
            ("AGE-PLUGIN-YUBIKEY", None),
        ] {
            assert_eq!(Plugin::name_in(identity).as_deref(), name, "{identity}");
        }
        assert_eq!(Plugin::name_in(&format!("AGE-PLUGIN-{}-1QQ", "X".repeat(33))), None);
    }

    #[test]
    fn what_a_plugin_does_wrong_is_said() {
        let patience = Duration::from_secs(20);
        let read_all = "while read -r line; do case \"$line\" in '-> done') break; esac; done; read -r line;";
        for (text, expected) in [
            ("exit 0", "ended before it was done"),
            // They go on reading, so that what they say is seen, and not that they have ended.
            ("echo hello; cat >/dev/null", "doesn't speak the protocol of age plugins"),
            ("head -c 100000 /dev/zero; cat >/dev/null", "doesn't speak the protocol of age plugins"),
            ("while :; do printf -- '-> x\\n\\n'; done", "doesn't speak the protocol of age plugins"),
            (
                "printf -- '-> file-key 0\\nQUFB\\n'; cat >/dev/null",
                "doesn't speak the protocol of age plugins",
            ),
            (
                "printf -- '-> file-key 1\\nAAAAAAAAAAAAAAAAAAAAAA\\n'; cat >/dev/null",
                "doesn't speak the protocol of age plugins",
            ),
            (
                &format!(
                    "{read_all} printf -- '-> error internal\\nbm8ga2V5\\n'; read -r ok; printf -- '-> done\\n\\n'"
                ),
                "failed: no key",
            ),
        ] {
            assert_eq!(outcome(text, patience).err().as_deref(), Some(expected), "{text}");
        }
        let none = format!("{read_all} printf -- '-> done\\n\\n'");
        assert!(matches!(outcome(&none, patience), Ok(None)));
        let key = format!(
            "{read_all} printf -- '-> file-key 0\\nAAAAAAAAAAAAAAAAAAAAAA\\n'; read -r a; read -r b; printf -- '-> done\\n\\n'"
        );
        assert!(matches!(outcome(&key, patience), Ok(Some(_))));
    }

    #[test]
    fn a_plugin_that_hangs_is_ended_with_what_it_started() {
        let start = Instant::now();
        // The other process keeps the pipe open, so that ending the plugin alone would not be enough.
        for text in ["sleep 100 & sleep 100", "sleep 100 & wait"] {
            assert_eq!(
                outcome(text, Duration::from_millis(200)).err().as_deref(),
                Some("took longer than 90s and was ended")
            );
        }
        let done_but_stays = "printf -- '-> done\\n\\n'; sleep 100";
        assert!(matches!(outcome(done_but_stays, Duration::from_millis(500)), Ok(None)));
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
