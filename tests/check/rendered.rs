//! What the real kustomize renders, on standard input, held against the repository.

use std::process::Command;

use seal_tests::toolchain;

use super::Repo;
use crate::sandbox::run;

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {password: x}\n";

#[test]
fn a_place_that_kustomize_changes_is_found_in_what_it_renders_and_without_rendering() {
    let repo = Repo::new();
    repo.write("prod.pub", std::fs::read(toolchain::repository().join("tests/cli/given/prod.pub")).unwrap());
    repo.write("base/db.yaml", SECRET);
    repo.write("base/kustomization.yaml", "resources: [db.yaml]\n");
    repo.write("same/kustomization.yaml", "resources: [../base]\n");
    let changed = "resources: [../base]\nnamespace: staging\nnamePrefix: dev-\nnameSuffix: -v2\n";
    repo.write("overlay/kustomization.yaml", changed);
    let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
    let sealed = run(seal.args(["-w", "-r", "prod.pub", "base/db.yaml"]), b"");
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    let check_render = |directory: &str| {
        let mut kustomize = Command::new(toolchain::bin("kubectl"));
        let rendered = run(kustomize.arg("kustomize").arg(repo.dir().join(directory)), b"");
        assert_eq!(rendered.code, 0, "{}", rendered.stderr);
        let mut seal = repo.command(env!("CARGO_BIN_EXE_test-seal"));
        run(seal.args(["check", "-"]), &rendered.stdout)
    };
    let wrong = check_render("overlay");
    let text = String::from_utf8(wrong.stdout).unwrap();
    assert_eq!((wrong.code, text.lines().count()), (1, 1), "{text}{}", wrong.stderr);
    assert!(text.starts_with("<stdin>:1:1 error transformed: staging/dev-db-v2 "), "{text}");
    assert!(text.contains("prod/db (base/db.yaml)"), "{text}");
    let right = check_render("same");
    assert_eq!((right.code, right.stdout.as_slice()), (0, b"".as_slice()), "{}", right.stderr);
    // Without rendering, the kustomizations say the same.
    let (code, lines) = repo.found::<&str>([]);
    assert!(code == 1 && lines.iter().any(|line| line.ends_with(" transformed")), "{lines:?}");
}
