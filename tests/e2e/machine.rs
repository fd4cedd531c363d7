//! What a node could leave behind on the machine that it ran on.
//!
//! Namespaces end with their last process, so all that matters is what outlives a process, and whether a process of the node
//! still is there. Invariant: looking changes nothing; what other programs of the machine do all the time isn't looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CGROUPS: &str = "/sys/fs/cgroup";
/// Where programs of a node would make files and directories, whatever their settings say.
const DIRECTORIES: &[&str] = &[
    "/",
    "/etc",
    "/etc/cni",
    "/opt",
    "/opt/cni",
    "/run",
    "/run/netns",
    "/usr/libexec",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/lib/cni",
    "/var/log",
    "/var/log/containers",
    "/var/log/pods",
];
/// Settings of the kernel that a kubelet, kube-proxy or a bridge changes. Those of a network are the machine's own here.
const SETTINGS: &[&str] = &[
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// The machine at one moment, a line for each thing.
pub(crate) struct Machine(BTreeSet<String>);

impl Machine {
    pub(crate) fn look() -> Self {
        let lines = [mounts(), network(), control_groups(), settings(), files()];
        Self(lines.into_iter().flatten().collect())
    }

    /// What is there that wasn't before, and the other way round.
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        let new = self.0.difference(&before.0).map(|line| format!("now: {line}"));
        new.chain(before.0.difference(&self.0).map(|line| format!("no longer: {line}"))).collect()
    }
}

/// The processes that see a control plane's directory among their mounts, belong to its control groups, or have its path
/// among their arguments: all that ran in the node, whoever started them.
pub(crate) fn processes(dir: &Path) -> Vec<String> {
    let name = dir.file_name().unwrap().to_str().unwrap();
    let pids = names("/proc").into_iter().filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()));
    let has_to_do = |pid: &String| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let files = ["mountinfo", "cgroup", "cmdline"].map(read);
        files.iter().any(|file| String::from_utf8_lossy(file).contains(name))
    };
    let called = |pid: String| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("process {pid} {}", name.trim())
    };
    pids.filter(has_to_do).map(called).collect()
}

/// The roots of all hierarchies of control groups: one in version 2, several in version 1.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    if is_version_2() {
        return vec![CGROUPS.into()];
    }
    // Two names may be one hierarchy, such as cpu and cpuacct.
    let all =
        names(CGROUPS).into_iter().filter_map(|name| fs::canonicalize(Path::new(CGROUPS).join(name)).ok());
    let all: BTreeSet<_> = all.filter(|path| path.join("cgroup.procs").exists()).collect();
    all.into_iter().collect()
}

fn is_version_2() -> bool {
    Path::new(CGROUPS).join("cgroup.procs").exists()
}

/// Each mount without its number: its root, place, options and file system.
fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = |line: &str| {
        let (mount, file_system) = line.split_once(" - ").unwrap();
        let mount: Vec<_> = mount.split(' ').skip(3).take(3).collect();
        format!("mount {} {file_system}", mount.join(" "))
    };
    text.lines().map(line).collect()
}

fn network() -> Vec<String> {
    let links = names("/sys/class/net").into_iter().map(|link| format!("link {link}"));
    let lines = |what: &'static str, text: String| {
        text.lines().map(|line| format!("{what} {line}")).collect::<Vec<_>>()
    };
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let rules = Command::new("nft").args(["--stateless", "list", "ruleset"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    let tables = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].map(read).concat();
    let rest = [("route", read("/proc/net/route")), ("rule", rules), ("table", tables)];
    links.chain(rest.into_iter().flat_map(|(what, text)| lines(what, text))).collect()
}

/// The groups right below each root, and in version 2 the controllers that the root passes on.
fn control_groups() -> Vec<String> {
    let groups = hierarchies().into_iter().flat_map(|root| {
        let all = names(&root).into_iter().map(move |name| root.join(name));
        all.filter(|path| path.is_dir()).map(|path| format!("control group {}", path.display()))
    });
    let passed_on = fs::read_to_string(Path::new(CGROUPS).join("cgroup.subtree_control"));
    groups.chain(passed_on.ok().map(|all| format!("controllers {}", all.trim()))).collect()
}

fn settings() -> Vec<String> {
    let read = |name: &&str| {
        let value = fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
        Some(format!("setting {name} {}", value.trim()))
    };
    SETTINGS.iter().filter_map(read).collect()
}

fn files() -> Vec<String> {
    let all =
        DIRECTORIES.iter().flat_map(|dir| names(dir).into_iter().map(move |name| Path::new(dir).join(name)));
    all.map(|path| format!("file {}", path.display())).collect()
}

/// The names in a directory; none if it isn't there.
fn names(dir: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
