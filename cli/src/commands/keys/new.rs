//! `seal keys new`: makes an identity, in age-keygen's file format.

use jiff::{Timestamp, Unit};
use seal_crds::keys::Identity;
use zeroize::Zeroizing;

use crate::args::NewArgs;
use crate::args::intent::Destination;
use crate::files::output;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
#[error("an identity isn't printed to a terminal")]
struct NotToTerminal;

impl Explain for NotToTerminal {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write it to a file with -o FILE, or add --show".to_owned())
    }
}

pub(super) fn run(args: &NewArgs) -> Result<Exit, Failure> {
    let destination = Destination::from_output(args.output.clone());
    if destination == Destination::Stdout && terminal::stdout_is_terminal() && !args.show {
        return Err(NotToTerminal.into());
    }
    let identity = Identity::generate();
    let recipient = identity.recipient().to_string();
    let file = identity_file(&identity, Timestamp::now());
    match destination {
        Destination::File(path) => {
            output::to_new_private_file(&path, file.as_bytes())?;
            // The recipient is the public result; users redirect it into a file of recipients.
            output::to_stdout(format!("{recipient}\n").as_bytes())?;
        }
        Destination::Stdout | Destination::InPlace => {
            output::to_stdout(file.as_bytes())?;
            terminal::note(&format!("Public key: {recipient}"));
        }
    }
    Ok(Exit::Done)
}

/// The identity in the three lines that age-keygen writes.
fn identity_file(identity: &Identity, now: Timestamp) -> Zeroizing<String> {
    let now = now.round(Unit::Second).unwrap_or(now);
    let (recipient, secret) = (identity.recipient(), identity.to_secret_string());
    let head = format!("# created: {now}\n# public key: {recipient}\n");
    let mut file = Zeroizing::new(String::with_capacity(head.len() + secret.len() + 1));
    file.push_str(&head);
    file.push_str(&secret);
    file.push('\n');
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::keys::parse_identities;

    #[test]
    fn the_file_looks_like_age_keygens_and_reads_back() {
        let identity = Identity::generate();
        let now: Timestamp = "2026-11-21T10:00:00.4Z".parse().unwrap();
        let file = identity_file(&identity, now);
        let lines: Vec<_> = file.lines().collect();
        assert_eq!(lines[0], "# created: 2026-11-21T10:00:00Z");
        assert_eq!(lines[1], format!("# public key: {}", identity.recipient()));
        let read = parse_identities(file.as_bytes()).unwrap();
        assert_eq!(read[0].fingerprint(), identity.fingerprint());
    }
}
