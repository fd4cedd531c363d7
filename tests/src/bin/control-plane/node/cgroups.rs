//! The control groups of a node: one group in each hierarchy, above everything that its kubelet makes.
//!
//! Invariant: the group has the name of the control plane's directory, and that name is never used twice. So a group
//! without a directory belongs to a supervisor that was killed, and is removed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";
/// The beginning of the names of groups, which is that of the supervisors' directories.
const PREFIX: &str = crate::scratch::DIR_PREFIX;
/// The file of version 2 with the controllers that a group passes on.
const PASSED_ON: &str = "cgroup.subtree_control";
/// The controllers of version 2 that a kubelet demands for its Pods, if the root has them.
const KUBELETS: &[&str] = &["cpu", "cpuset", "memory", "hugetlb", "pids"];

/// The groups of one node.
pub(crate) struct Cgroups {
    name: String,
    /// The controllers that the root passes on because of this node.
    passed_on: Vec<&'static str>,
}

impl Cgroups {
    pub(crate) fn make(dir: &Path) -> io::Result<Self> {
        let name = dir
            .file_name()
            .and_then(OsStr::to_str)
            .ok_or_else(|| io::Error::other("the directory's name"))?;
        let mut made = Self { name: name.to_owned(), passed_on: Vec::new() };
        if let Ok(available) = fs::read_to_string(Path::new(ROOT).join("cgroup.controllers")) {
            made.pass_on(&available)?;
        }
        for hierarchy in hierarchies() {
            fs::create_dir(hierarchy.join(&made.name))?;
        }
        Ok(made)
    }

    /// The group's name, which is its path in every hierarchy.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Removes the groups, and lets the root pass on no more than before, unless another group uses it by now.
    pub(crate) fn remove(&self) {
        remove(&self.name);
        for controller in &self.passed_on {
            let _ = fs::write(Path::new(ROOT).join(PASSED_ON), format!("-{controller}"));
        }
    }

    /// Lets groups of version 2 have the controllers that a kubelet uses where it finds them. Most machines pass on some
    /// already; in a container the kernel may refuse it, because the group has processes.
    fn pass_on(&mut self, available: &str) -> io::Result<()> {
        let file = Path::new(ROOT).join(PASSED_ON);
        let before = fs::read_to_string(&file)?;
        let has = |list: &str, controller: &str| list.split_whitespace().any(|it| it == controller);
        for controller in KUBELETS.iter().filter(|it| has(available, it) && !has(&before, it)) {
            fs::write(&file, format!("+{controller}"))?;
            self.passed_on.push(controller);
        }
        Ok(())
    }
}

/// Removes the groups that killed supervisors left.
pub(crate) fn sweep() {
    for hierarchy in hierarchies() {
        for entry in fs::read_dir(hierarchy).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            if !std::env::temp_dir().join(name).exists() {
                remove(name);
            }
        }
    }
}

/// The roots of all hierarchies: one in version 2; in version 1 one for each controller, and each gets groups of Pods.
fn hierarchies() -> Vec<PathBuf> {
    let is_root = |path: &Path| path.join("cgroup.procs").exists();
    if is_root(Path::new(ROOT)) {
        return vec![PathBuf::from(ROOT)];
    }
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten();
    // Two names may be one hierarchy by a link, such as cpu and cpuacct.
    let mut found: Vec<_> = entries.filter_map(|entry| fs::canonicalize(entry.path()).ok()).collect();
    found.retain(|path| is_root(path));
    found.sort();
    found.dedup();
    found
}

fn remove(name: &str) {
    for hierarchy in hierarchies() {
        remove_tree(&hierarchy.join(name));
    }
}

/// A control group is removed as a directory, though it has files, once the groups in it are.
fn remove_tree(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}
