//! What is there: in the directory of hooks, in `.gitattributes`, in the configuration.
//!
//! Invariant: nothing is written, and nothing that is found is run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::git::setup::{DRIVER, SETTINGS, Setting};
use super::attributes::{self, FILE_NAME};
use super::calls;
use super::managers::{self, HookManager};
use super::script::{self, BEFORE, NAMES, Own};
use crate::files::git::{Attribute, Content, HooksPlace, Repository};
use crate::files::input::Input;
use crate::files::program;
use crate::talk::failure::Failure;

/// What a clone has.
pub(super) struct Setup {
    pub(super) top: PathBuf,
    pub(super) place: HooksPlace,
    /// The hooks that `core.hooksPath` leads to run our check.
    pub(super) is_run_elsewhere: bool,
    pub(super) hooks: Vec<Hook>,
    pub(super) attributes: Attributes,
    pub(super) settings: Vec<Configured>,
    /// Whether `seal` is in `PATH`, where hooks and drivers look for it.
    pub(super) has_program: bool,
}

/// The file of a hook.
pub(super) struct Hook {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
    pub(super) kind: HookKind,
    pub(super) is_executable: bool,
    /// Another hook is there under the name with [`BEFORE`].
    pub(super) has_before: bool,
}

/// Whose a hook is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HookKind {
    Absent,
    Ours,
    /// Ours, as another version of seal wrote it.
    OtherVersion,
    /// Ours, and somebody changed it.
    Changed,
    /// Of a program that keeps hooks.
    Managed(&'static HookManager),
    /// Somebody's, which runs our check itself.
    Checks,
    Foreign,
}

/// The attributes of the repository.
pub(super) struct Attributes {
    pub(super) path: PathBuf,
    /// `None` if there is no such file.
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) is_link: bool,
    /// HEAD has lines of ours in it.
    pub(super) is_committed: bool,
    /// What counts for files of the kinds that our lines are for.
    pub(super) in_effect: Vec<Attribute>,
}

/// A setting, and what it is set to.
pub(super) struct Configured {
    pub(super) setting: &'static Setting,
    /// The value that counts, wherever it is set.
    pub(super) value: Option<String>,
    /// Some of the clone's own values.
    pub(super) own: Vec<String>,
}

impl Setup {
    pub(super) fn of(repository: &Repository) -> Result<Self, Failure> {
        let place = repository.hooks()?;
        let top = repository.top().expect("where hooks are, there is a work tree").to_owned();
        let hooks = NAMES.iter().map(|name| Hook::of(name, &place.own)).collect();
        let configured = |setting: &'static Setting| -> Result<Configured, Failure> {
            Ok(Configured {
                setting,
                value: repository.setting(setting.name)?,
                own: repository.own_settings(setting.name)?,
            })
        };
        let settings = SETTINGS.iter().map(configured).collect::<Result<_, _>>()?;
        let attributes = Attributes::of(repository, &top)?;
        let is_run_elsewhere = place.elsewhere.as_deref().is_some_and(|dir| is_run(dir, &top));
        Ok(Self {
            is_run_elsewhere,
            attributes,
            top,
            place,
            hooks,
            settings,
            has_program: program::find("seal").is_some(),
        })
    }

    /// A path as people know it: from the top of the work tree, if it is beneath.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.top).unwrap_or(path).display().to_string()
    }
}

impl Hook {
    fn of(name: &'static str, dir: &Path) -> Self {
        let path = dir.join(name);
        let mode = fs::metadata(&path).map(|found| found.permissions().mode()).unwrap_or_default();
        Self {
            name,
            kind: HookKind::of(&path),
            is_executable: mode & 0o111 != 0,
            has_before: before(&path).symlink_metadata().is_ok(),
            path,
        }
    }
}

impl HookKind {
    fn of(path: &Path) -> Self {
        let Ok(found) = path.symlink_metadata() else { return Self::Absent };
        let text = bytes_of(path);
        match script::own(&text).filter(|_| !found.is_symlink()) {
            Some(Own::Current) => return Self::Ours,
            Some(Own::OtherVersion) => return Self::OtherVersion,
            Some(Own::Changed) => return Self::Changed,
            None => {}
        }
        match managers::of_hook(&text) {
            Some(manager) => Self::Managed(manager),
            None if calls::in_script(&text) => Self::Checks,
            None => Self::Foreign,
        }
    }
}

impl Attributes {
    fn of(repository: &Repository, top: &Path) -> Result<Self, Failure> {
        let path = top.join(FILE_NAME);
        let found = path.symlink_metadata().ok();
        let is_link = found.as_ref().is_some_and(fs::Metadata::is_symlink);
        // A link would lead to a file that may be anywhere, and git doesn't follow it either.
        let bytes = match found {
            Some(_) if !is_link => Some(Input::File(path.clone()).read_bytes()?.to_vec()),
            _ => None,
        };
        let committed = match repository.head() {
            Some(head) => repository.file_at(&head, Path::new(FILE_NAME))?,
            None => None,
        };
        let is_committed = matches!(committed, Some(Content::Bytes(bytes)) if attributes::has_lines(&bytes));
        let in_effect = repository.attributes(&["diff", "merge"], &attributes::samples())?;
        Ok(Self { path, bytes, is_link, is_committed, in_effect })
    }

    /// Whether git would ask for our merge driver.
    pub(super) fn ask_for_driver(&self) -> bool {
        let has_lines = self.bytes.as_deref().is_some_and(attributes::has_lines);
        has_lines
            || self.in_effect.iter().any(|attribute| attribute.name == "merge" && attribute.value == DRIVER)
    }
}

impl Configured {
    pub(super) fn is_ours(&self) -> bool {
        self.value.as_deref() == Some(self.setting.value)
    }

    /// Whether the clone has a value that an earlier version of seal wrote, and no other.
    pub(super) fn is_outdated(&self) -> bool {
        matches!(&self.own[..], [own] if self.setting.earlier.contains(&own.as_str()))
            && self.value.as_ref() == self.own.first()
    }
}

/// Whether hooks elsewhere run our check.
fn is_run(dir: &Path, top: &Path) -> bool {
    // husky keeps what people write one directory above what git runs.
    let hooks = [Some(dir), dir.parent()].into_iter().flatten().map(|dir| dir.join("pre-commit"));
    hooks.into_iter().any(|hook| calls::in_script(&bytes_of(&hook)))
        || managers::of_path(dir, top).is_some_and(|manager| manager.runs_seal(top))
}

/// The name that a hook gets which was there before.
pub(super) fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BEFORE);
    PathBuf::from(name)
}

/// The bytes of a file, to look for words in; none if it can't be read.
pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    if !is_file {
        // A pipe would be waited for.
        return Vec::new();
    }
    Input::File(path.to_owned()).read_bytes().map(|bytes| bytes.to_vec()).unwrap_or_default()
}
