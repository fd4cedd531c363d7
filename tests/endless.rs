//! A manifest of a few kilobytes whose templates would take longer than a lifetime, given to every command that
//! reads them.
//!
//! Not the controllers, which have tests of their own, nor the cost of each operation (the crate's own tests).
//! Invariant: the manifest is right in everything but the work it takes.

use crate::sandbox::Sandbox;

/// Templates that each call the one before twice, 60 deep.
pub(crate) fn doubling() -> String {
    let calls = (1..=60).map(|n| {
        let call = format!("{{{{template \"t{}\"}}}}", n - 1);
        format!("{{{{define \"t{n}\"}}}}{call}{call}{{{{end}}}}")
    });
    let calls: String = calls.collect();
    format!("{{{{define \"t0\"}}}}{{{{end}}}}{calls}{{{{template \"t60\"}}}}")
}

#[test]
fn templates_that_never_end_are_refused_by_every_command_that_renders_them() {
    let sandbox = Sandbox::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: prod}\nstringData: {a: x}\n";
    let sealed = sandbox.succeed(["--seal-format", "bitnami", "--cert", "rsa.crt"], secret);
    let mut sealed: serde_json::Value = serde_yaml::from_slice(&sealed).unwrap();
    for (text, renders) in [("{{ .a }}".to_owned(), true), (doubling(), false)] {
        sealed["spec"]["template"]["data"]["t"] = text.into();
        sandbox.write("sealed.json", sealed.to_string());
        for args in [
            &["unseal", "-i", "rsa.key", "sealed.json"][..],
            &["migrate", "-i", "rsa.key", "-r", "prod.pub", "--render-templates", "sealed.json"],
            &["kubeseal", "--recovery-unseal", "--recovery-private-key", "rsa.key", "-f", "sealed.json"],
        ] {
            let run = sandbox.run(args, "");
            assert_eq!(run.code == 0, renders, "{args:?}: {}", run.stderr);
            assert_eq!(run.stderr.contains("the template is too much work"), !renders, "{}", run.stderr);
        }
    }
}
