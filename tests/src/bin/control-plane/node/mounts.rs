//! The mounts of a node, in a tree that is ours alone.
//!
//! The programs of a node write to fixed places of the machine: `/run`, `/var/log/containers`, `/var/lib/cni`. Here
//! those are in memory, over what the machine has. A kubelet also sets the kernel as it likes it; here it finds it so.
//!
//! Invariant: all of it goes with the last process of the tree, and none of it is seen outside: the machine's own files
//! can't be written here.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

/// The settings that a kubelet writes unless they are so already (`kernel tunables` in its container manager). They
/// belong to the whole machine, so the files are covered by files of ours.
const SETTINGS: &[(&str, &str)] = &[
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Covers the machine's directories and settings, makes `dir` a mount that carries those beneath it, and forbids writing
/// anywhere else.
pub(crate) fn cover(dir: &Path) -> io::Result<()> {
    let run = fs::canonicalize("/var/run")?;
    mount("none", &run, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=755"))?;
    let (upper, work) = (run.join("var/upper"), run.join("var/work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let options = format!("lowerdir=/var,upperdir={},workdir={}\0", upper.display(), work.display());
    let options = CStr::from_bytes_with_nul(options.as_bytes()).map_err(io::Error::other)?;
    mount("none", "/var", "overlay", MountFlags::empty(), Some(options))?;
    for (setting, value) in SETTINGS {
        let (theirs, ours) = (Path::new("/proc/sys").join(setting), run.join(setting.replace('/', ".")));
        // A kernel that was built without it is left alone by a kubelet, too.
        if theirs.exists() {
            fs::write(&ours, format!("{value}\n"))?;
            mount_bind(&ours, &theirs)?;
        }
    }
    mount_bind(dir, dir)?;
    set_root(MountFlags::RDONLY)
}

/// Takes the mounts beneath `dir` away, so that its files can be removed.
pub(crate) fn uncover(dir: &Path) {
    // Fails only if it isn't mounted, and then there is nothing beneath it either.
    let _ = unmount(dir, UnmountFlags::DETACH);
    let _ = set_root(MountFlags::empty());
}

/// Changes how this tree of mounts shows the root's file system, and not the file system.
fn set_root(flags: MountFlags) -> io::Result<()> {
    Ok(mount_remount("/", MountFlags::BIND | flags, "")?)
}
