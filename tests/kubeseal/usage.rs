//! Wrong flags: the output, and the stream that it goes to.
//!
//! Invariant: both streams have the real one's bytes, except for the explanations of the flags, which are ours.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use seal_tests::toolchain;

use crate::sandbox::{Run, Sandbox, run};

/// The lines of a help text. Of an explanation only its column is kept.
fn unexplained(bytes: &[u8]) -> Vec<(String, Option<usize>)> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let line = |line: &str| {
        let Some(flag) = line.find("--").filter(|_| line.starts_with("  ")) else {
            return (line.to_owned(), None);
        };
        let end = line[flag..].find("   ").map_or(line.len(), |end| flag + end);
        let explanation = line[end..].find(|c| c != ' ').map(|at| end + at);
        (line[..end].to_owned(), explanation)
    };
    text.split('\n').map(line).collect()
}

/// Runs both programs under one name.
fn both(args: &[&str]) -> [Run; 2] {
    [Path::new(env!("CARGO_BIN_EXE_test-seal")), &toolchain::bin("kubeseal")].map(|program| {
        let mut command = Command::new(program);
        Sandbox::new().confine(&mut command);
        run(command.current_dir("/").arg0("./kubeseal").args(args), b"")
    })
}

#[test]
fn a_flag_that_is_wrong_is_told_where_the_real_kubeseal_tells_it() {
    for args in [
        &["--nosuch"][..],
        &["--scope", "bogus"],
        &["--scope=Strict"],
        &["--cert"],
        &["-w"],
        &["-x"],
        &["-vo"],
        &["--=x"],
        &["---"],
        &["--raw=maybe"],
        &["--raw="],
        &["--insecure-skip-tls-verify=\"1\""],
        &["--v=1.5"],
        &["--v=99999999999"],
        &["--log_file_max_size=x"],
        &["--log_file_max_size=-1"],
        &["--log_file_max_size=99999999999999999999"],
        &["--stderrthreshold=x"],
        &["--vmodule=x"],
        &["--vmodule==1"],
        &["--vmodule=a=-1"],
        &["--log_backtrace_at=x"],
        &["--log_backtrace_at=a.go:0"],
        &["--log_backtrace_at=ago:1"],
        &["--fetch-cert", "--no\u{e9}"],
    ] {
        let [ours, peer] = both(args);
        assert_eq!((ours.code, peer.code), (2, 2), "{args:?}");
        assert_eq!(ours.stderr, peer.stderr, "{args:?}");
        assert_eq!(unexplained(&ours.stdout), unexplained(&peer.stdout), "{args:?}");
        assert!(ours.stdout.len() > 2000, "{args:?}");
    }
}

#[test]
fn help_lists_the_real_kubeseals_flags() {
    let [ours, peer] = both(&["--help"]).map(|run| {
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        unexplained(&run.stdout)
    });
    let is_told_more = |(line, _): &(String, _)| !line.starts_with("  ") && !line.starts_with("Usage");
    let ours: Vec<_> = ours.into_iter().filter(|line| !is_told_more(line)).collect();
    let peer: Vec<_> = peer.into_iter().filter(|line| !is_told_more(line)).collect();
    assert_eq!(ours, peer);
}
