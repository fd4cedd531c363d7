//! The static program, and which crates are linked into it.
//!
//! Cargo itself says what it compiled for the image's target. Build scripts and macros are compiled for the host,
//! into another directory, because the target is given by name.
//!
//! Invariant: no path of this machine is in the program.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use seal_image::STATIC;

use crate::ImageError;
use crate::cargo::{Message, Metadata, Package};

const CONTROLLER: &str = "seal-controller";

/// A program that was just built.
pub(crate) struct Built {
    metadata: Metadata,
    target: String,
    program: PathBuf,
    linked: BTreeSet<String>,
}

impl Built {
    pub(crate) fn new() -> Result<Self, ImageError> {
        let target = host()?;
        let metadata = metadata(&target)?;
        let mut cargo = Command::new(cargo());
        cargo
            .args(["build", "--locked", "--release", "--message-format=json-render-diagnostics"])
            .args(["--package", CONTROLLER, "--bin", CONTROLLER, "--target", &target])
            .current_dir(&metadata.workspace_root)
            .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&metadata).join("\u{1f}"))
            .env(format!("CFLAGS_{}", target.replace('-', "_")), c_flags(&metadata))
            .stdout(Stdio::piped());
        let failed = |error| ImageError::Run { program: "cargo build", error };
        let mut child = cargo.spawn().map_err(failed)?;
        let output = BufReader::new(child.stdout.take().expect("stdout was piped above"));
        let (mut program, mut linked) = (None, BTreeSet::new());
        let ours = metadata.target_directory.join(&target);
        for line in output.lines() {
            let line = line.map_err(failed)?;
            if let Message::CompilerArtifact(artifact) = parsed("cargo build", &line)? {
                if artifact.target.name == CONTROLLER {
                    program = artifact.executable.or(program);
                }
                if artifact.filenames.iter().any(|file| file.starts_with(&ours)) {
                    linked.insert(artifact.package_id);
                }
            }
        }
        match program {
            Some(program) if child.wait().map_err(failed)?.success() => {
                Ok(Self { metadata, target, program, linked })
            }
            _ => Err(ImageError::Failed("cargo build")),
        }
    }

    /// A build that didn't happen, of crates with these names.
    #[cfg(test)]
    pub(crate) fn of(names: &[&str]) -> Self {
        let target = "x86_64-unknown-linux-gnu".to_owned();
        let metadata = metadata(&target).expect("Cargo runs the tests, so it is there");
        let linked = metadata.packages.iter().filter(|it| names.contains(&it.name.as_str()));
        let linked = linked.map(|it| it.id.clone()).collect();
        Self { metadata, target, program: PathBuf::new(), linked }
    }

    /// The program's file.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn root(&self) -> &Path {
        &self.metadata.workspace_root
    }

    pub(crate) fn target_dir(&self) -> &Path {
        &self.metadata.target_directory
    }

    /// The architecture under Go's name for it, which is OCI's.
    pub(crate) fn architecture(&self) -> &'static str {
        if self.target.starts_with("x86_64") { "amd64" } else { "arm64" }
    }

    pub(crate) fn controller(&self) -> &Package {
        let found = self.linked().find(|package| package.name == CONTROLLER);
        found.expect("it was built, so it is among what was linked")
    }

    /// The packages that are linked into the program, itself among them.
    pub(crate) fn linked(&self) -> impl Iterator<Item = &Package> {
        self.metadata.packages.iter().filter(|package| self.linked.contains(&package.id))
    }

    /// The linked packages that one of them uses.
    pub(crate) fn uses(&self, package: &Package) -> impl Iterator<Item = &Package> {
        let node = self.metadata.resolve.nodes.iter().find(|node| node.id == package.id);
        let used = node.map(|node| node.dependencies.as_slice()).unwrap_or_default();
        self.linked().filter(|package| used.contains(&package.id))
    }
}

/// The target that is the host's own: no other one has its C compiler and its libc.a here.
fn host() -> Result<String, ImageError> {
    let said = answer("rustc", &["-vV"])?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    if matches!(host, "x86_64-unknown-linux-gnu" | "aarch64-unknown-linux-gnu") {
        Ok(host.to_owned())
    } else {
        Err(ImageError::Host(host.to_owned()))
    }
}

/// The Cargo that runs this program.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn metadata(target: &str) -> Result<Metadata, ImageError> {
    let filter = format!("--filter-platform={target}");
    parsed("cargo metadata", &answer("cargo", &["metadata", "--locked", "--format-version=1", &filter])?)
}

fn parsed<'a, T: serde::Deserialize<'a>>(program: &'static str, json: &'a str) -> Result<T, ImageError> {
    serde_json::from_str(json).map_err(|error| ImageError::Answer { program, error: error.to_string() })
}

/// What a program prints.
pub(crate) fn answer(program: &'static str, args: &[&str]) -> Result<String, ImageError> {
    let path = if program == "cargo" { cargo() } else { program.into() };
    let output = Command::new(path).args(args).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| ImageError::Run { program, error })?;
    if !output.status.success() {
        return Err(ImageError::Failed(program));
    }
    String::from_utf8(output.stdout).map_err(|error| ImageError::Answer { program, error: error.to_string() })
}

fn rust_flags(metadata: &Metadata) -> Vec<String> {
    let renamed = renamed(metadata).into_iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    [STATIC.to_owned()].into_iter().chain(renamed).collect()
}

/// Separated by spaces, because the crate cc knows no other way: a path with a space in it stays in the program.
fn c_flags(metadata: &Metadata) -> String {
    let renamed = renamed(metadata).into_iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}"));
    renamed.filter(|flag| !flag.contains(' ')).collect::<Vec<_>>().join(" ")
}

/// The directories of this machine that compilers would write down, with the names to write instead. Of those that
/// fit, compilers take the last.
fn renamed(metadata: &Metadata) -> Vec<(String, &'static str)> {
    let published = metadata.packages.iter().filter(|package| package.source.is_some());
    let registries: BTreeSet<_> =
        published.filter_map(|package| package.manifest_path.parent()?.parent()).collect();
    let own = [(metadata.workspace_root.as_path(), "/seal"), (&metadata.target_directory, "/target")];
    let all = own.into_iter().chain(registries.into_iter().map(|registry| (registry, "/crates")));
    all.map(|(from, to)| (from.display().to_string(), to)).collect()
}
