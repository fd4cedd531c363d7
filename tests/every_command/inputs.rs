//! The files that commands are called with.
//!
//! Invariant: each is right; the faults come later.

use super::Input;
use crate::sandbox::Sandbox;

pub(super) const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: prod
stringData:
  password: opensesame
  user: opensesame-user
";

/// Writes an input, and `other.yaml`, which lacks one of its items.
pub(super) fn write(sandbox: &Sandbox, input: Input, file: &str) {
    for args in [&["init", "-q", "."][..], &["config", "user.name", "x"]] {
        let mut git = std::process::Command::new("git");
        sandbox.confine(&mut git);
        assert!(git.args(args).status().unwrap().success());
    }
    let text = match input {
        Input::Nothing => return,
        Input::Secret => SECRET.to_owned(),
        Input::Sealed => {
            sandbox.write("other.yaml", sealed(sandbox, &SECRET.replace("  user: opensesame-user\n", "")));
            sealed(sandbox, SECRET)
        }
        Input::Untidy => untidy(&sealed(sandbox, SECRET), &sealed(sandbox, SECRET)),
        Input::Conflict => conflict(&sealed(sandbox, SECRET), "main", "topic"),
        Input::Bitnami => {
            let args = ["--seal-format", "bitnami", "--cert", "rsa.crt"];
            String::from_utf8(sandbox.succeed(args, SECRET)).unwrap()
        }
    };
    sandbox.write(file, text);
}

fn sealed(sandbox: &Sandbox, secret: &str) -> String {
    String::from_utf8(sandbox.succeed(["-r", "prod.pub"], secret)).unwrap()
}

/// The envelope of another object in front of the own one.
fn untidy(text: &str, other: &str) -> String {
    let envelope = |text: &str| {
        let (_, rest) = text.split_once("  envelopes:\n").unwrap();
        rest.split_once("  encryptedData:\n").unwrap().0.to_owned()
    };
    text.replacen("  envelopes:\n", &format!("  envelopes:\n{}", envelope(other)), 1)
}

/// One item in conflict with itself.
fn conflict(text: &str, ours: &str, theirs: &str) -> String {
    let line = text.split_inclusive('\n').find(|line| line.starts_with("    user: ")).unwrap();
    let other = line.replacen(": ", ":  ", 1);
    text.replace(line, &format!("<<<<<<< {ours}\n{line}=======\n{other}>>>>>>> {theirs}\n"))
}
