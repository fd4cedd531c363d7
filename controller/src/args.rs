//! The command line, parsed into types.
//!
//! Invariant: secrets never come as arguments or environment variables, only as files or through the API.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use seal_crds::Namespace;

use self::key_flags::{KeyArgs, KeyArgsError};
use crate::compat_http::args::CompatArgs;
use crate::host::args::HostArgs;
use crate::policy::PolicyArgs;

mod key_flags;

/// Reconciles SealedSecrets into Secrets.
#[derive(Parser)]
#[command(name = "seal-controller", bin_name = "seal-controller", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to run.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Reconcile SealedSecrets of a cluster into Secrets.
    Run(RunArgs),
    /// Keep a directory of files in step with the SealedSecrets of a checkout, without Kubernetes.
    Host(HostArgs),
    /// Print the CustomResourceDefinitions as YAML.
    Crds,
}

/// How the program logs, to stderr.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// What to log: a level, or a filter as of tracing-subscriber's EnvFilter.
    #[arg(long, global = true, env = "SEAL_CONTROLLER_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,
    /// One JSON object a line, or text for people.
    #[arg(long, global = true, env = "SEAL_CONTROLLER_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Flags of `run`.
#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// The controller's own namespace, where its sealing keys are.
    #[arg(long, env = "POD_NAMESPACE", default_value = "seal-system")]
    pub(crate) namespace: Namespace,
    /// Watch this namespace only, with a Role instead of a ClusterRole. Without it, all.
    #[arg(long, env = "SEAL_CONTROLLER_WATCH_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) watch_namespace: Option<Namespace>,
    /// Where the sealing keys of sealed-secrets are. Without it, in the controller's own namespace.
    #[arg(long, env = "SEAL_CONTROLLER_BITNAMI_KEY_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) bitnami_key_namespace: Option<Namespace>,
    /// Also open SealedSecrets in the namespaces with sealing keys. A planted key Secret is a sealing key.
    #[arg(long)]
    pub(crate) allow_own_namespace: bool,
    /// Give Secrets of Bitnami SealedSecrets no owner, so that they outlive them: for a migration under a
    /// tool that deletes the old object before it creates the new one.
    #[arg(long, env = "SEAL_CONTROLLER_ORPHAN_BITNAMI_SECRETS")]
    pub(crate) orphan_bitnami_secrets: bool,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// How many objects are in hand at once. This bounds memory: each may hold the values of one Secret. Key operations are
    /// bounded by the cores, and requests to the API server by how fast it answers.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: u16,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "SEAL_CONTROLLER_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) compat: CompatArgs,
}

impl RunArgs {
    /// The options of the controller.
    ///
    /// # Errors
    ///
    /// If the files of recipients can't be used.
    pub(crate) fn to_options(&self) -> Result<crate::run::Options, KeyArgsError> {
        let mut policy = self.policy.to_policy();
        let bitnami_keys = self.bitnami_key_namespace.as_ref().unwrap_or(&self.namespace);
        if !self.allow_own_namespace {
            policy.refused_namespaces = [self.namespace.clone(), bitnami_keys.clone()].into();
        }
        Ok(crate::run::Options {
            namespace: self.namespace.clone(),
            bitnami_keys: bitnami_keys.clone(),
            watch: self.watch_namespace.clone(),
            policy,
            orphan_bitnami_secrets: self.orphan_bitnami_secrets,
            keys: self.keys.to_settings()?,
            workers: self.workers,
            listen: self.listen,
            bitnami_making: self.compat.to_making(),
            compat: self.compat.to_options(),
        })
    }
}

#[cfg(test)]
mod tests {
    use seal_crds::Scope;

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_namespaces_with_keys_are_refused_unless_allowed() {
        let options = |flags: &[&str]| {
            let Command::Run(args) = Cli::parse_from(["seal-controller", "run"].iter().chain(flags)).command
            else {
                panic!("run was asked for")
            };
            args.to_options().unwrap()
        };
        let usual = options(&["--namespace", "keys"]);
        assert_eq!(usual.policy.refused_namespaces, ["keys".parse().unwrap()].into());
        assert_eq!(usual.bitnami_keys.as_str(), "keys");
        assert_eq!(usual.policy.scopes, Policy::default().scopes);
        assert_eq!(usual.policy.bitnami_scopes, Policy::default().bitnami_scopes);
        let apart = options(&["--namespace", "keys", "--bitnami-key-namespace", "kube-system"]);
        let both = ["keys".parse().unwrap(), "kube-system".parse().unwrap()];
        assert_eq!(
            (apart.policy.refused_namespaces, apart.bitnami_keys.as_str()),
            (both.into(), "kube-system")
        );
        assert!(options(&["--allow-own-namespace"]).policy.refused_namespaces.is_empty());
        let wide = options(&["--allowed-scopes", "strict,cluster-wide"]);
        assert_eq!(wide.policy.scopes, [Scope::Strict, Scope::ClusterWide].into());
        let narrow = options(&["--bitnami-allowed-scopes=strict"]);
        assert_eq!(
            (narrow.policy.bitnami_scopes, narrow.policy.scopes),
            ([Scope::Strict].into(), usual.policy.scopes)
        );
    }
}
