//! The faults, each for every command that it can meet.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use super::{COMMANDS, Case, Changes, FILE, Input, Scene, is_printing};
use crate::sandbox::{CANARY, Run, holds, run};

/// The commands that read a manifest.
fn readers() -> impl Iterator<Item = &'static Case> {
    COMMANDS.iter().filter(|case| case.input != Input::Nothing)
}

/// The commands that write files.
fn writers() -> impl Iterator<Item = &'static Case> {
    COMMANDS.iter().filter(|case| case.effect == Changes)
}

/// A command behind a line of a shell that ends with `exec "$0" "$@"`.
fn behind(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// Checks that a run failed as failures do: with a message, without output, and with every file as it was.
#[track_caller]
fn assert_failed(case: &Case, scene: &Scene, before: &crate::sandbox::Files, ended: &Run) {
    let name = case.name;
    assert_eq!(ended.code, if name == "kubeseal" { 1 } else { 3 }, "{name}: {}", ended.stderr);
    assert!(ended.stderr.contains("error: "), "{name}: {}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{name}: {}", String::from_utf8_lossy(&ended.stdout));
    let after = scene.sandbox.files();
    let changed: Vec<_> = after.keys().filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(after == *before, "{name}: {changed:?}");
    assert!(!holds(ended.stderr.as_bytes(), CANARY), "{name}: {}", ended.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for case in &COMMANDS {
        let scene = case.scene();
        let expected = case.run(&case.scene()).code;
        let mut command = case.command(&scene, FILE);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), case.stdin()).unwrap();
        let ended = Run::from(child.wait_with_output().unwrap());
        assert_eq!(
            (ended.code, ended.stderr.contains("error")),
            (expected, false),
            "{}: {}",
            case.name,
            ended.stderr
        );
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_a_failure() {
    for case in COMMANDS.iter().filter(|case| is_printing(case)) {
        let scene = case.scene();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = case.command(&scene, FILE);
        let mut child = command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), case.stdin()).unwrap();
        let ended = Run::from(child.wait_with_output().unwrap());
        let said = "error: can't write to standard output: no space left on device\n";
        assert!(ended.stderr.ends_with(said), "{}: {}", case.name, ended.stderr);
        assert_eq!(ended.code, 3, "{}", case.name);
    }
}

#[test]
fn a_full_disk_changes_no_file_and_leaves_none() {
    // A hook and an identity are smaller than the disk.
    for case in writers().filter(|case| !["hook", "keys"].contains(&case.name)) {
        let scene = case.scene();
        let before = scene.sandbox.files();
        // Two blocks of 512 bytes, as POSIX has it; of 1,024 bytes in some shells.
        let small = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
        let ended = run(&mut behind(small, &case.command(&scene, FILE)), case.stdin());
        assert!(ended.stderr.contains("file too large"), "{}: {}", case.name, ended.stderr);
        assert_failed(case, &scene, &before, &ended);
    }
}

#[test]
fn a_disk_that_is_mounted_for_reading_alone_is_said_so_and_nothing_is_left() {
    for case in writers() {
        let scene = case.scene();
        let before = scene.sandbox.files();
        let dir = scene.sandbox.dir().display().to_string();
        let script = format!(
            "mount --bind '{dir}' '{dir}' && mount -o remount,ro,bind '{dir}' && cd '{dir}' && exec \"$0\" \"$@\""
        );
        let inner = behind(&script, &case.command(&scene, FILE));
        let mut outer = Command::new("/usr/bin/unshare");
        outer.args(["--user", "--map-root-user", "--mount"]).arg(inner.get_program()).args(inner.get_args());
        outer.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = run(outer.current_dir(scene.sandbox.dir()), case.stdin());
        assert!(ended.stderr.contains("read-only file system"), "{}: {}", case.name, ended.stderr);
        assert_failed(case, &scene, &before, &ended);
    }
}

#[test]
fn a_link_stays_a_link_and_its_file_is_changed() {
    for case in readers() {
        let scene = case.scene();
        let sandbox = &scene.sandbox;
        let text = sandbox.read(FILE);
        fs::create_dir(sandbox.path("real")).unwrap();
        fs::rename(sandbox.path(FILE), sandbox.path("real/target.yaml")).unwrap();
        symlink("real/target.yaml", sandbox.path(FILE)).unwrap();
        let ended = case.run(&scene);
        assert_eq!(ended.code, 0, "{}: {}", case.name, ended.stderr);
        assert_eq!(
            fs::read_link(sandbox.path(FILE)).unwrap().to_str(),
            Some("real/target.yaml"),
            "{}",
            case.name
        );
        let is_in_place = case.effect == Changes && !case.args.contains(&"new.yaml");
        assert_eq!(sandbox.read("real/target.yaml") != text, is_in_place, "{}", case.name);
    }
}

#[test]
fn a_file_with_line_ends_of_windows_keeps_them() {
    for case in readers() {
        let scene = case.scene();
        let sandbox = &scene.sandbox;
        let text = String::from_utf8(sandbox.read(FILE)).unwrap().replace('\n', "\r\n");
        sandbox.write(FILE, &text);
        let ended = case.run(&scene);
        assert_eq!(ended.code, 0, "{}: {}", case.name, ended.stderr);
        let after = String::from_utf8(sandbox.read(FILE)).unwrap();
        assert!(!after.replace("\r\n", "").contains(['\n', '\r']), "{}: {after:?}", case.name);
    }
}

#[test]
fn a_file_that_is_no_text_is_refused_and_stays() {
    // `check` tells of such a file, and textconv is for any file.
    for case in readers().filter(|case| !["check", "git"].contains(&case.name)) {
        let scene = case.scene();
        let text = [b"# caf\xe9\n", scene.sandbox.read(FILE).as_slice()].concat();
        scene.sandbox.write(FILE, &text);
        let before = scene.sandbox.files();
        let ended = case.run(&scene);
        assert!(ended.stderr.contains("UTF-8"), "{}: {}", case.name, ended.stderr);
        assert_failed(case, &scene, &before, &ended);
    }
    for name in ["check", "git"] {
        let case = COMMANDS.iter().find(|case| case.name == name).unwrap();
        let scene = case.scene();
        let text = [b"# caf\xe9\n", scene.sandbox.read(FILE).as_slice()].concat();
        scene.sandbox.write(FILE, &text);
        let ended = case.run(&scene);
        assert_eq!(ended.code, 0, "{name}: {}", ended.stderr);
        if name == "git" {
            assert_eq!(ended.stdout, text);
        } else {
            assert!(String::from_utf8(ended.stdout).unwrap().contains("isn't text in UTF-8"));
        }
    }
}

#[test]
fn a_hundred_megabytes_are_refused_before_they_cost_anything() {
    let line = "# a line of a file that is far too long to be a manifest\n";
    let padding = line.repeat(100_000_000 / line.len()).into_bytes();
    for case in readers() {
        let scene = case.scene();
        scene.sandbox.write(FILE, [scene.sandbox.read(FILE).as_slice(), &padding].concat());
        // Seconds of CPU time, and KiB of memory.
        let limited = "ulimit -t 20 && ulimit -v 700000 && exec \"$0\" \"$@\"";
        let ended = run(&mut behind(limited, &case.command(&scene, FILE)), case.stdin());
        if case.name == "check" {
            assert_eq!(ended.code, 1, "{}", ended.stderr);
            assert!(String::from_utf8(ended.stdout).unwrap().contains("larger than 64 MiB"));
        } else {
            assert!(ended.stderr.contains("is larger than 64 MiB"), "{}: {}", case.name, ended.stderr);
            assert_eq!(ended.code, if case.name == "kubeseal" { 1 } else { 3 }, "{}", case.name);
        }
        fs::remove_file(scene.sandbox.path(FILE)).unwrap();
    }
}
