//! `seal hook …`: what git does by itself in one clone

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum HookCommand {
    /// Install the hooks, the attributes and the configuration for git
    Install(InstallArgs),
    /// Say what is installed, and what is missing or somebody else's
    #[command(after_help = "\
A fresh clone has .gitattributes and nothing that they need: git then merges line by line, in \
silence. This command says so.

Exit code 1 means that something is missing.

Example:
  seal hook status || seal hook install")]
    Status,
    /// Remove what was installed, and nothing else
    #[command(after_help = "\
A hook that was there before is put back. Lines of .gitattributes that are committed stay: they are \
the repository's, and do nothing without the configuration.

Example:
  seal hook uninstall")]
    Uninstall,
}

#[derive(Args)]
#[command(after_help = "\
Before a commit, and before a merge commit, the hooks run seal check --staged. A hook that is there \
is kept, and runs first. Hooks of a hook manager (husky, pre-commit, lefthook, core.hooksPath) are \
left alone: let it run seal check --staged, and install the rest with --no-hooks.

Where seal isn't installed, the hooks warn and let the commit go, and git merges and shows files as \
text. It does no harm to run this command again.

Example:
  seal hook install")]
pub(crate) struct InstallArgs {
    /// Only .gitattributes and the configuration: a hook manager has the hooks
    #[arg(long)]
    pub(crate) no_hooks: bool,
}
