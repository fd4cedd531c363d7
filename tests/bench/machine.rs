//! The machine and the versions that a run was made with.
//!
//! Invariant: nothing in it tells whose machine it is: no name, no path, no address.

use std::fs;
use std::process::Command;

use seal_tests::toolchain;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The day of the run, in UTC.
    pub(crate) day: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// In GiB.
    pub(crate) memory: u64,
    pub(crate) kernel: String,
    /// Programs, and what they call themselves.
    pub(crate) versions: Vec<(String, String)>,
}

impl Machine {
    /// This machine. What can't be found out is left empty.
    pub(crate) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let kib: u64 =
            field(&memory, "MemTotal").and_then(|it| it.split(' ').next()?.parse().ok()).unwrap_or(0);
        Self {
            day: first_line(Command::new("date").args(["-u", "+%F"])),
            processor: field(&cpu, "model name").unwrap_or_default().to_owned(),
            cores: cores(),
            memory: kib.div_ceil(1 << 20),
            kernel: first_line(Command::new("uname").arg("-sr")),
            versions: versions(),
        }
    }
}

/// How many threads run at once here.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn versions() -> Vec<(String, String)> {
    let bin = |name: &str, args: &[&str]| first_line(Command::new(toolchain::bin(name)).args(args));
    let path = |name: &str, args: &[&str]| first_line(Command::new(name).args(args));
    let seal =
        path("git", &["-C", &toolchain::repository().to_string_lossy(), "describe", "--always", "--dirty"]);
    let versions = [
        ("seal", format!("{} ({seal})", env!("CARGO_PKG_VERSION"))),
        ("rustc", path("rustc", &["--version"])),
        ("kubeseal and its controller", bin("kubeseal", &["--version"])),
        ("age", bin("age", &["--version"])),
        ("kube-apiserver", bin("kube-apiserver", &["--version"])),
        ("etcd", bin("etcd", &["--version"])),
        ("OpenSSL", path("openssl", &["version"])),
        ("git", path("git", &["--version"])),
    ];
    versions.into_iter().map(|(name, version)| (name.to_owned(), shortened(&version).to_owned())).collect()
}

/// A version without the words before it.
fn shortened(version: &str) -> &str {
    let words = ["kubeseal version: ", "Kubernetes ", "etcd Version: ", "rustc ", "git version ", "OpenSSL "];
    let version = words.iter().fold(version, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
    version.split(" (Library").next().unwrap_or(version)
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned()
}

/// The value of a field in a file of `/proc`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_without_the_names_of_programs() {
        for (said, version) in [
            ("kubeseal version: v0.40.0", "v0.40.0"),
            ("OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)", "3.0.19 27 Jan 2026"),
            ("1.3.2", "1.3.2"),
        ] {
            assert_eq!(shortened(said), version);
        }
    }

    #[test]
    fn a_field_of_proc_is_found() {
        assert_eq!(field("a\t: 1\nmodel name\t: Some Processor\n", "model name"), Some("Some Processor"));
        assert!(cores() > 0);
    }
}
