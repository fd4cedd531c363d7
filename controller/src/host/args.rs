//! The flags of `seal-controller host`.
//!
//! Not their meaning; [`run`](super::run) decides that. Invariant: only flags say who may read the files,
//! which namespaces are served and which scopes are opened; a manifest never does.

use std::path::PathBuf;
use std::time::Duration;

use seal_crds::{Namespace, duration};

use crate::policy::PolicyArgs;

/// Keeps a directory of files in step with the SealedSecrets of a checkout.
#[derive(clap::Args)]
#[command(after_help = "Exit codes: 0 done (with --once: every Secret is in place), 1 some object isn't \
    in place or some file couldn't be read (--once), 2 usage, 3 failure")]
pub(crate) struct HostArgs {
    /// Directory of manifests, such as a Git checkout; read only
    #[arg(long, value_name = "DIR")]
    pub(crate) manifests: PathBuf,

    /// Directory to keep the Secrets in, as NAMESPACE/NAME/ITEM [default: /run/seal/secrets, if /run is in
    /// memory]
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets: Option<PathBuf>,

    /// Identity file to open SealedSecrets with: identities, an RSA key in PEM, or a backup of
    /// sealed-secrets' keys; may be repeated. Read again when it changes
    #[arg(long = "identity", value_name = "FILE", required = true)]
    pub(crate) identities: Vec<PathBuf>,

    /// Do it once and exit, instead of watching
    #[arg(long)]
    pub(crate) once: bool,

    /// Directory for a status file per object [default: ..status in the directory of Secrets]
    #[arg(long, value_name = "DIR")]
    pub(crate) status: Option<PathBuf>,

    /// File that says which Secrets are ours [default: ..seal-state.json in the directory of Secrets]
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Mode of the items' files, octal
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = parse_mode)]
    pub(crate) mode: u32,

    /// Owner of the items' files, as numbers; its group may list the directories [default: us]
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    pub(crate) owner: Option<(u32, u32)>,

    /// Serve only this namespace; may be repeated [default: all]
    #[arg(long = "allow-namespace", value_name = "NAMESPACE")]
    pub(crate) allow_namespaces: Vec<Namespace>,

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    /// Prune also when the checkout holds no SealedSecret at all any more
    #[arg(long)]
    pub(crate) allow_empty: bool,

    /// How long a manifest has to be gone before its Secret is pruned
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::parse)]
    pub(crate) prune_after: Duration,

    /// How often everything is looked at, should a change have gone unnoticed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    pub(crate) resync: Duration,
}

/// Parses an octal mode. Others may read if the flag says so, but only the owner may write.
fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode & !0o777 != 0 => Err("not an octal file mode such as 0640".into()),
        Ok(mode) if mode & 0o022 != 0 => Err("group and others can't have write access to a Secret".into()),
        Ok(mode) if mode & 0o400 == 0 => Err("the owner has to be able to read".into()),
        Ok(mode) => Ok(mode),
        Err(_) => Err("not an octal file mode such as 0640".into()),
    }
}

/// Parses two numbers. A name would be looked up in the host's user database, which may not be there yet.
fn parse_owner(text: &str) -> Result<(u32, u32), String> {
    // chown(2) takes all ones for "leave it".
    let number = |text: &str| text.parse().ok().filter(|id| *id != u32::MAX);
    text.split_once(':')
        .and_then(|(uid, gid)| Some((number(uid)?, number(gid)?)))
        .ok_or_else(|| "not UID:GID, two numbers such as 1000:1000".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use seal_crds::Scope;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: HostArgs,
    }

    fn parse(more: &[&str]) -> Result<HostArgs, String> {
        let base = ["host", "--manifests", "m", "--identity", "i"];
        let parsed = Cli::try_parse_from(base.iter().chain(more));
        parsed.map(|cli| cli.args).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_private() {
        let args = parse(&[]).unwrap();
        assert_eq!((args.mode, args.owner, args.once, args.allow_empty), (0o600, None, false, false));
        assert_eq!(args.policy.allowed_scopes, [Scope::Strict, Scope::NamespaceWide]);
        assert_eq!((args.prune_after, args.resync), (Duration::from_secs(2), Duration::from_secs(60)));
    }

    #[test]
    fn modes_and_owners_that_make_no_sense_are_refused() {
        for (flag, bad) in [
            ("--mode", "0660"),
            ("--mode", "0602"),
            ("--mode", "4600"),
            ("--mode", "9"),
            ("--mode", "0040"),
            ("--owner", "root:root"),
            ("--owner", "1000"),
            ("--owner", "1000:4294967295"),
            ("--allow-namespace", "../etc"),
            ("--allowed-scopes", "wide"),
            ("--resync", "soon"),
            ("--resync", "-5s"),
        ] {
            assert!(parse(&[&format!("{flag}={bad}")]).is_err(), "{flag}={bad}");
        }
        let args =
            parse(&["--mode=0440", "--owner=1000:2000", "--allowed-scopes=cluster-wide", "--resync=5m"]);
        let args = args.unwrap();
        assert_eq!((args.mode, args.owner, args.resync.as_secs()), (0o440, Some((1000, 2000)), 300));
    }
}
