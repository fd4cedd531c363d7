//! The meaning of the arguments together: the inputs, the destination of results, the recipients to seal to.
//!
//! Invariant: arguments that make no sense together are refused before any input is read.

use std::path::PathBuf;

use crate::args::{ClusterArgs, SealArgs};
use crate::files::input::Input;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};
use crate::talk::terminal;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntentError {
    #[error("there is no input: no file is named, and standard input is the terminal")]
    NoInput,
    #[error("-w replaces files, and there is none to replace")]
    WriteWithoutFile,
    #[error("standard input can't be read twice")]
    StdinTwice,
    #[error("{0} is named twice")]
    FileTwice(String),
    #[error("without -r, and without a terminal to ask at, the cluster has to be named")]
    UnnamedCluster,
    #[error("without a terminal to ask at, the cluster has to be named")]
    UnnamedFetch,
    #[error("without a terminal to ask at, the cluster has to be named")]
    UnnamedRevocation,
    #[error("where nobody is asked, the cluster that gets the keys has to be named")]
    UnnamedRestore,
    #[error("there is nothing to count: neither a cluster, nor a path, nor a revision is named")]
    NothingToCount,
    #[error("none of -i, --from-cluster and --verify is given")]
    NoWay,
    #[error(
        "--from-cluster needs to know which recipients an offer may have: -r isn't given, and no rule is for {0}"
    )]
    Unpinned(String),
    #[error("without --cert, and without a terminal to ask at, the cluster has to be named")]
    UnnamedController,
}

impl Explain for IntentError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoInput => "name a file, pipe a manifest in, or give - to type one; seal --help says more".to_owned(),
            Self::WriteWithoutFile => "name the files, or write to one with -o".to_owned(),
            Self::StdinTwice => "give - once".to_owned(),
            Self::FileTwice(_) => return None,
            Self::Unpinned(_) => "give them with -r, or write a rule in .seal.yaml (seal init writes a first one)".to_owned(),
            Self::NoWay => "rotate with an identity at hand (-i FILE), or with what a cluster offers (--from-cluster)".to_owned(),
            Self::UnnamedFetch | Self::UnnamedRestore => "give it with --context".to_owned(),
            Self::NothingToCount => {
                "seal keys status . counts the files here, --rev those of a revision, --context the objects of a cluster"
                    .to_owned()
            }
            Self::UnnamedRevocation => {
                "give it with --context; or add --offline to mark the key in the files of -r alone".to_owned()
            }
            Self::UnnamedController => {
                "give the certificate with --cert (kubeseal --fetch-cert > cert.pem), or a cluster with --context"
                    .to_owned()
            }
            Self::UnnamedCluster => {
                "give recipients with -r (seal keys fetch -o prod.pub), or a cluster with --context".to_owned()
            }
        })
    }
}

/// The destination of a result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    File(PathBuf),
    /// Each input file is replaced by its result.
    InPlace,
}

impl Destination {
    pub(crate) fn from_output(output: Option<PathBuf>) -> Self {
        match output {
            Some(path) if path.as_os_str() != "-" => Self::File(path),
            _ => Self::Stdout,
        }
    }
}

/// The origin of the recipients to seal to.
pub(crate) enum RecipientChoice {
    /// The arguments of `-r` as typed: recipients, or files of recipients.
    Given(Vec<String>),
    /// The sealing key of a cluster.
    Cluster(ClusterArgs),
}

impl RecipientChoice {
    /// The recipients of the flags if there are any, else the cluster.
    ///
    /// # Errors
    ///
    /// [`IntentError::UnnamedCluster`], if no flag names the cluster and no person is there to see which one
    /// it is.
    pub(crate) fn new(
        recipients: Vec<String>,
        cluster: ClusterArgs,
        watched: bool,
    ) -> Result<Self, IntentError> {
        if !recipients.is_empty() {
            Ok(Self::Given(recipients))
        } else if cluster.context.is_some() || watched {
            Ok(Self::Cluster(cluster))
        } else {
            Err(IntentError::UnnamedCluster)
        }
    }
}

/// Whether standard error is a terminal, so that a person sees it.
pub(crate) fn is_watched() -> bool {
    terminal::stderr_is_terminal()
}

/// The inputs of a command that reads files, or standard input if no file is named.
pub(crate) fn inputs(files: &[PathBuf]) -> Result<Vec<Input>, IntentError> {
    if files.is_empty() {
        // A program that waits for a person to type looks as if it hangs.
        return if terminal::stdin_is_terminal() {
            Err(IntentError::NoInput)
        } else {
            Ok(vec![Input::Stdin])
        };
    }
    let mut inputs: Vec<Input> = Vec::new();
    for file in files {
        let input = Input::from_arg(file);
        if inputs.contains(&input) {
            return Err(match input {
                Input::Stdin => IntentError::StdinTwice,
                Input::File(_) => IntentError::FileTwice(input.name()),
            });
        }
        inputs.push(input);
    }
    Ok(inputs)
}

/// The destination that the flags of `seal` ask for.
pub(crate) fn destination(args: &SealArgs, inputs: &[Input]) -> Result<Destination, IntentError> {
    if !args.write {
        return Ok(Destination::from_output(args.output.clone()));
    }
    if inputs.contains(&Input::Stdin) { Err(IntentError::WriteWithoutFile) } else { Ok(Destination::InPlace) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(context: Option<&str>) -> ClusterArgs {
        ClusterArgs { context: context.map(str::to_owned), kubeconfig: None, controller_namespace: None }
    }

    #[test]
    fn no_input_is_standard_input_once() {
        assert_eq!(inputs(&[]).unwrap(), [Input::Stdin]);
        assert_eq!(inputs(&["-".into(), "-".into()]), Err(IntentError::StdinTwice));
        assert_eq!(inputs(&["a".into(), "a".into()]), Err(IntentError::FileTwice("a".to_owned())));
    }

    #[test]
    fn an_unnamed_cluster_is_used_only_under_somebodys_eyes() {
        let choice = |recipients: &[&str], context, watched| {
            let recipients = recipients.iter().map(|r| (*r).to_owned()).collect();
            RecipientChoice::new(recipients, cluster(context), watched)
        };
        assert!(matches!(choice(&["age1"], None, false), Ok(RecipientChoice::Given(_))));
        assert!(matches!(choice(&[], Some("prod"), false), Ok(RecipientChoice::Cluster(_))));
        assert!(matches!(choice(&[], None, true), Ok(RecipientChoice::Cluster(_))));
        assert!(matches!(choice(&[], None, false), Err(IntentError::UnnamedCluster)));
    }
}
