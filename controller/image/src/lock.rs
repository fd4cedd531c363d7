//! The checksums in Cargo.lock, which `cargo metadata` doesn't tell.
//!
//! Not a reader of TOML: Cargo writes the file itself, one field a line. Invariant: a checksum is that of the crate
//! with this name and version, or there is none.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cargo::Package;
use crate::{ImageError, read};

/// The checksums by name and version.
pub(crate) struct Lock(BTreeMap<(String, String), String>);

impl Lock {
    pub(crate) fn read(path: &Path) -> Result<Self, ImageError> {
        Ok(Self::parse(&String::from_utf8_lossy(&read(path)?)))
    }

    fn parse(text: &str) -> Self {
        let packages = text.split("[[package]]").skip(1).filter_map(|package| {
            let field = |name: &str| {
                let mut lines = package.lines();
                let value =
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'));
                value.map(str::to_owned)
            };
            Some(((field("name")?, field("version")?), field("checksum")?))
        });
        Self(packages.collect())
    }

    /// None for crates that don't come from a registry.
    pub(crate) fn checksum(&self, package: &Package) -> Option<&str> {
        self.0.get(&(package.name.clone(), package.version.clone())).map(String::as_str)
    }
}
